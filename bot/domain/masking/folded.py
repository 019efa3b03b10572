"""The folded shadow of a text: what people wrote in any width, dash or digit, in plain characters."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Self

_OTHER_DASHES = "−⁻₋﹣"
"""Signs that people use as a dash and that Unicode does not call one (category Pd)."""
_BETWEEN_DIGITS = "ー・‧·∙"
"""Signs that are a dash after a digit, or a digit and a space, and a part of words elsewhere."""
_DIGIT = re.compile(r"\d")
_VOICED = "\u3099\u309a"
"""Voice marks, which half-width kana bring as characters of their own."""


class Stretch(NamedTuple):
    """A part of a shadow to be masked."""

    start: int
    end: int


class Mask(NamedTuple):
    """One kind of text to be masked: the word that stands for it, and how it is found in a shadow."""

    word: str
    find: Callable[[str], Iterable[Stretch]]
    needs_digit: bool = False
    """Whether it can only find something in a text that has a digit. Most texts have none, which saves time."""


class FoldedText:
    """A text and its folded form; each character of the form knows its place in the text.

    Args:
        text: The text.
        folded: The folded form.
        places: For each folded character, the index of its character in the text; None if they are the same.
    """

    def __init__(self, text: str, folded: str, places: Sequence[int] | None) -> None:
        self.text = text
        self.folded = folded
        self.has_digit = bool(_DIGIT.search(folded))
        self._places = places

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, text: str) -> Self:
        """Fold a text: NFKC, every dash as `-`, every digit as an ASCII one, without invisible characters."""
        if text.isascii():
            return cls(text, text, None)
        folded: list[str] = []
        places: list[int] = []
        for at, ch in enumerate(text):
            for plain in _plain(ch):
                if plain in _VOICED and folded:
                    folded[-1] = unicodedata.normalize("NFC", folded[-1] + plain)[0]
                    continue
                dash = plain in _BETWEEN_DIGITS and _ends_with_digit(folded)
                folded.append("-" if dash else plain)
                places.append(at)
        return cls(text, "".join(folded), places)

    def replaced(self, mask: Mask) -> str:
        """Return the text with each part that the mask finds replaced by its word."""
        if mask.needs_digit and not self.has_digit:
            return self.text
        output: list[str] = []
        copied = 0
        for start, end in mask.find(self.folded):
            first, last = self._place(start), self._place(end - 1) + 1
            output += [self.text[copied:first], mask.word]
            copied = last
        return "".join([*output, self.text[copied:]]) if output else self.text

    def _place(self, at: int) -> int:
        return at if self._places is None else self._places[at]


def _ends_with_digit(folded: Sequence[str]) -> bool:
    last = folded[-2:] if folded[-1:] == [" "] else folded[-1:]
    return bool(last) and last[0] in "0123456789)"


@lru_cache(maxsize=20_000)
def _plain(ch: str) -> str:
    """Return the folded form of one character; empty for an invisible one."""
    kind = unicodedata.category(ch)
    if kind in {"Cf", "No"}:
        return "" if kind == "Cf" else ch  # a number in a circle is no digit
    plain = unicodedata.normalize("NFKC", ch)
    return "".join(_one(each) for each in plain)


def _one(ch: str) -> str:
    if unicodedata.category(ch) == "Pd" or ch in _OTHER_DASHES:
        return "-"
    if ch.isdecimal():
        return str(unicodedata.decimal(ch))
    return ch
