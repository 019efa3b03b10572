"""The setup of every test: Hypothesis, pytest-xdist, garbage collection and logging."""

import gc
import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from bot.app.logs import CHATTY_LOGGERS, OUR_LOGGERS

# No deadlines and no slowness check: a machine with other work is slow whatever the code does.
settings.register_profile("shared", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def pytest_xdist_auto_num_workers() -> int:
    """Return 1.5 workers per processor: tests spend a third of their time waiting for processes and the disk."""
    return round(1.5 * (os.cpu_count() or 1))


def pytest_collection_finish() -> None:
    """Exempt everything loaded so far from garbage collection, because scanning it would slow down each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Undo changes to the logging, because a command under test configures the logging of the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in (*OUR_LOGGERS, *CHATTY_LOGGERS):
        logging.getLogger(name).setLevel(logging.NOTSET)
