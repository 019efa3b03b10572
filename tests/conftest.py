"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest

from bot.logs import CHATTY, OURS


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sets up the log of its process, which here is that of all tests."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in (*OURS, *CHATTY):
        logging.getLogger(name).setLevel(logging.NOTSET)
