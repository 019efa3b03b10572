"""Scorecards: one release on frozen held-out rows."""

from datetime import datetime
from typing import Literal

from bot.domain.thing import Thing


class Scorecard(Thing):
    """How many of these held-out rows a release got right. `rows_key` names the frozen rows."""

    release_id: str
    rows_key: str
    rows: int
    right: int
    at: datetime
    basis: Literal["held_out"] = "held_out"

    @property
    def accuracy(self) -> float:
        """In 0..1; 0 where there were no rows."""
        return self.right / self.rows if self.rows else 0.0


class Result(Thing):
    """One release's answer to one text in an evaluation. Kept by text, so that each is paid for once."""

    release_id: str
    text_key: str
    """`dataset.text_key` of the row's text."""
    category: str
    confidence: float | None
    latency_ms: int
    tokens_in: int
    tokens_out: int
    at: datetime


class Shadow(Thing):
    """What a shadow release would have answered to a live question."""

    question_id: str
    release_id: str
    category: str
    confidence: float | None
    tokens_in: int
    tokens_out: int
    at: datetime
