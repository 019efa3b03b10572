"""What holds for every test."""

import gc
import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from bot.app.logs import CHATTY_LOGGERS, OUR_LOGGERS

# How long a machine takes to make examples, or to run one, says nothing of the code: it has other work.
settings.register_profile("shared", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def pytest_xdist_auto_num_workers() -> int:
    """Of a test's time a third is waiting, for other processes and for the disk."""
    return round(1.5 * (os.cpu_count() or 1))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look it through for garbage again and again costs a part of each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sets up the log of its process, which here is that of all tests."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in (*OUR_LOGGERS, *CHATTY_LOGGERS):
        logging.getLogger(name).setLevel(logging.NOTSET)
