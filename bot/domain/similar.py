"""Texts that are nearly the same, and settled questions that are like a new one."""

from bot.domain.thing import Thing


class Neighbour(Thing):
    """A settled row, as near to a text as `similarity` says: 0..1, 1 for the same text once normalised."""

    row_id: str
    text: str
    group: str
    category: str
    similarity: float


class Example(Thing):
    """A settled question that is shown to the model with its answer."""

    text: str
    category: str
    """A category's id."""
