"""Compiled statements that all engines of a test process share.

Compiling a statement takes ten times as long as running it, and SQLAlchemy keeps what it compiled in each engine. The
bot has one engine of a kind; a test process has hundreds.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from sqlalchemy import Connection, Engine, event

MOST = 4000
"""Statements kept. Tables that a test reflects have statements of their own, which no other test uses."""


class SharedStatements(MutableMapping[Any, Any]):
    """A compiled cache in which a statement's dialect stands for all dialects of its class.

    The key begins with the dialect. The same statement reads the same in each dialect of a class, because no engine of
    ours has dialect settings of its own.
    """

    def __init__(self) -> None:
        self._compiled: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        return self._compiled[self._shared(key)]

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self._compiled) >= MOST:
            self._compiled.clear()
        self._compiled[self._shared(key)] = compiled

    def __delitem__(self, key: Any) -> None:
        del self._compiled[self._shared(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)

    def get(self, key: Any, default: Any = None) -> Any:
        return self._compiled.get(self._shared(key), default)

    @staticmethod
    def _shared(key: Any) -> tuple[Any, ...]:
        dialect, *statement = key
        return type(dialect), *statement


def share_statements() -> None:
    """Let every connection that this process opens from now on take its statements from one cache."""
    shared = SharedStatements()

    @event.listens_for(Engine, "engine_connect")
    def _share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=shared)
