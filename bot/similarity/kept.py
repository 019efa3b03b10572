"""Facts kept beside the parts of an index, so that another process can go on from there."""

import hashlib
import sys
import unicodedata
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path

from bot.domain.conflict import Conflict
from bot.domain.thing import Thing

KEPT_FROM = 500
"""Fewest changed rows for which the index is kept again: a start compares so many rows in a fraction of a second."""
KEPT_SHARE = 100
"""Beyond this many times `KEPT_FROM` rows, one row in this many must have changed: all of them are written."""

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
