"""The setup of every test: Hypothesis, pytest-xdist, garbage collection and logging."""

import gc
import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from bot.app.logs import CHATTY_LOGGERS, OUR_LOGGERS
from bot.embedded import runner
from bot.settings import Settings
from tests.kits.forked_programs import forked, forked_worker
from tests.kits.shared_signatures import share_signatures
from tests.kits.shared_statements import share_statements

STARTS_PROGRAMS = (
    "tests/bot/app/test_blas_threads.py",
    "tests/bot/app/test_faults.py::test_program",
    "tests/bot/app/test_replay.py",
    "tests/bot/embedded/test_encoders.py",
    "tests/bot/embedded/test_fetched.py",
    "tests/bot/embedded/test_jobs.py",
    "tests/bot/embedded/test_server.py",
    "tests/bot/finetunes/test_paid_once.py",
    "tests/bot/langsmith/",
    "tests/bot/mirror/test_mirror_at_langsmith.py",
    "tests/bot/practice/",
    "tests/bot/providers/",
    "tests/bot/test_cli.py",
    "tests/chaos/test_chaos.py",
    "tests/handlers/test_",
    "tests/handlers/slack/",
    "tests/handlers/server/",
    "tests/house/test_architecture.py::test_contracts_are_kept",
    "tests/house/test_architecture.py::test_forbidden_imports",
    "tests/house/test_audit.py",
    "tests/house/test_docs.py::test_import_and_export_of_readme",
    "tests/house/test_install.py",
    "tests/house/test_quick.py",
    "tests/house/test_start.py",
    "tests/house/test_workers.py",
    "tests/loop/",
    "tests/storage/test_backup.py",
    "tests/storage/test_database.py::test_commit_survives_kill_9",
    "tests/storage/test_migrations.py::test_concurrent_processes",
    "tests/storage/test_patience.py",
)
"""Tests of whole programs, in this process or in their own: the practice workspace, servers, trainings, replicas."""

LONG = (
    "tests/chaos/test_chaos.py",
    "tests/loop/test_gate.py",
    "tests/loop/",
    "tests/handlers/test_database_fails.py",
    "tests/storage/test_patience.py",
    "tests/bot/langsmith/test_process.py",
    "tests/bot/langsmith/test_faults.py",
    "tests/bot/app/test_replay.py",
    "tests/bot/test_cli.py",
)
"""The tests that take longest by the clock, longest first. Most of their time is waiting."""

# Garbage is collected less often: that took a fifth of loading all tests, and up to a tenth of running one.
gc.set_threshold(50_000)

NAMED_LOGGERS = (*OUR_LOGGERS, *CHATTY_LOGGERS)

# Loading the sentence encoder costs a second a process: only tests that look at meaning name it.
os.environ.setdefault("BOT_ENCODER", "none")  # noqa: TID251 - settings read it, also in processes that tests start

# No deadlines and no slowness check: a machine with other work is slow whatever the code does.
settings.register_profile("shared", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("shared"), max_examples=8)
settings.load_profile("shared")

share_statements()
share_signatures()


def pytest_xdist_auto_num_workers() -> int:
    """Return 1.5 workers per processor: tests spend a third of their time waiting for processes and the disk."""
    return round(1.5 * (os.cpu_count() or 1))


def pytest_configure(config: pytest.Config) -> None:
    """Let several workers be forked from one process that has loaded the tests."""
    workers = config.getoption("tx", None) or ()
    if len(workers) > 1 and not hasattr(config, "workerinput"):
        config.option.tx = [f"popen//python={forked_worker(config.invocation_params.args)}"] * len(workers)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests that start a program before `-m` chooses by marks; after all plugins, put the long tests first."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
        if item.nodeid.startswith(STARTS_PROGRAMS) or "postgresql" in parameters or "postgresql" in item.name:
            item.add_marker(pytest.mark.program)
    yield
    items.sort(key=lambda item: rank(item.nodeid))


def rank(nodeid: str) -> int:
    """Return a test's place in the order: tests that wait come first, so nobody waits for them at the end.

    pytest-xdist cuts the list into one piece for each worker. So a single worker has the tests that wait, while the
    others keep the processors busy. Later, idle workers take tests from the pieces' ends.
    """
    return next((place for place, prefix in enumerate(LONG) if nodeid.startswith(prefix)), len(LONG))


def pytest_collection_finish() -> None:
    """Exempt everything loaded so far from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def fast_training() -> Iterator[None]:
    """Start training workers of this test process by forking; see tests/kits/forked_programs.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "WORKER", forked("bot.embedded.train"))
        yield


@pytest.fixture
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every setting from the environment but the encoder, which tests that look at meaning name."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("BOT_ENCODER", "none")


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Undo changes to the logging, because a command under test configures the logging of the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    for logger, before in ((root, level), *((logging.getLogger(name), logging.NOTSET) for name in NAMED_LOGGERS)):
        if logger.level != before:  # setting a level empties the caches of all loggers
            logger.setLevel(before)
