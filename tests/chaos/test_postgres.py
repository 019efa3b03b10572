"""The PostgreSQL server of the tests starts on a busy machine, too."""

import subprocess
from collections.abc import Callable

import pytest

from tests.kits import postgres


def failing(*errors: Exception) -> Callable[[], None]:
    """Return a start that raises these errors, one a call, and then succeeds."""
    left = list(errors)

    def start() -> None:
        if left:
            raise left.pop(0)

    return start


def test_slow_server_is_waited_for() -> None:
    postgres.ensure_running(failing(subprocess.TimeoutExpired("pg_ctl", 10), AssertionError("starting")))


def test_server_that_never_starts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "START_TIMEOUT", 0.0)
    with pytest.raises(RuntimeError, match="did not start"):
        postgres.ensure_running(failing(*[AssertionError("starting")] * 100))
