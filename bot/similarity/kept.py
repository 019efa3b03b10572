"""Facts kept beside the parts of an index, so that another process can go on from there."""

import hashlib
import secrets
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path

from bot.domain.conflict import Conflict
from bot.domain.thing import Thing
from bot.ports import Store
from bot.similarity.packed import Bytes

KEPT_FROM = 500
"""Fewest changed rows for which the index is kept again: a start compares so many rows in a fraction of a second."""
KEPT_SHARE = 100
"""Beyond this many times `KEPT_FROM` rows, one row in this many must have changed: all of them are written."""

PIECE_BYTES = 1 << 18
"""Most bytes of a piece: SQLite writes one within 5 ms, on the event loop."""
PIECES_AT_ONCE = 4
"""Most pieces that one transaction stores. Answers and presses that write wait for it, and for no more of them."""

_MAKERS = (
    *("bot.domain.conflict", "bot.domain.dataset", "bot.domain.reason", "bot.domain.similar"),
    *("bot.similarity.compared_texts", "bot.similarity.index", "bot.similarity.indexed_rows"),
    *("bot.similarity.meanings", "bot.similarity.neighbours", "bot.similarity.packed", "bot.similarity.pieces"),
    "bot.similarity.kept",
)
"""The modules that decide what is in an index."""


class KeptFacts(Thing):
    """Facts of a kept index.

    Attributes:
        newest: The `touched_at` up to which rows were read.
        compared: The number of texts that were compared with all before them.
        forgotten: The position of FORGOTTEN_CURSOR when the rows were read.
        encoder: The name of the encoder that made the vectors.
        conflicts: All conflicts among the rows.
    """

    newest: datetime
    compared: int
    forgotten: str | None
    encoder: str
    conflicts: tuple[Conflict, ...]


@cache
def maker() -> str:
    """Return the name of this code: what other code found out about texts may be something else."""
    files = [import_module(name).__file__ for name in _MAKERS]
    code = b"".join(Path(file).read_bytes() for file in files if file)
    return hashlib.sha256(code + f"{unicodedata.unidata_version} {sys.byteorder}".encode()).hexdigest()[:16]


async def store_parts(store: Store, parts: Mapping[str, Bytes], forgotten: str | None) -> bool:
    """Store the parts of an index in place of those that are kept; return whether they are kept now.

    Args:
        store: Where they are stored, a few pieces in each transaction. What was kept before is read until the end.
        parts: The parts by name.
        forgotten: The position of FORGOTTEN_CURSOR when the rows were read.
    """
    version, count, pieces = secrets.token_hex(8), 0, _pieces(parts)
    while some := dict(islice(pieces, PIECES_AT_ONCE)):
        async with store.transaction() as tx:
            if not await tx.index_parts.put(maker(), version, some, forgotten):
                return False
        count += len(some)
    async with store.transaction() as tx:
        if not await tx.index_parts.finish(maker(), version, count, forgotten):
            return False
    more = True
    while more:
        async with store.transaction() as tx:
            more = await tx.index_parts.drop_older(maker(), version)
    return True


def _pieces(parts: Mapping[str, Bytes]) -> Iterator[tuple[tuple[str, int], memoryview]]:
    """Yield the pieces of each part, without a copy. A part without bytes has one, too."""
    for name, data in parts.items():
        whole = memoryview(data)
        for number, start in enumerate(range(0, max(1, len(whole)), PIECE_BYTES)):
            yield (name, number), whole[start : start + PIECE_BYTES]
