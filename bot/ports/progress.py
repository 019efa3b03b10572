"""The progress of a long act, for a bar on a terminal."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""A function that takes how much is done, and of how much: 0 where nobody knows."""


def unheard(_done: int, _total: int) -> None:
    """Watch nothing."""
