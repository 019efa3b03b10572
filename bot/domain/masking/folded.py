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
_DASHED = re.compile(rf"[0-9)] ?[{_BETWEEN_DIGITS}]")
_KANJI_DIGITS = "〇零一二三四五六七八九"
_KANJI_NUMBER = re.compile(rf"(?=[{_KANJI_DIGITS}]{{3}}|[{_KANJI_DIGITS}]?[〇零])[{_KANJI_DIGITS}]{{2,}}")
"""A number in kanji that is written digit by digit; words such as 二三日 are none."""
_ARABIC = str.maketrans(_KANJI_DIGITS, "00123456789")
_SPOKEN_DASH = re.compile(r"(?<=\d)の(?=\d)")
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
    digits: int = 0
    """Least number of digits that a text must have for this mask to match. Skipping the other texts saves time."""
    signs: tuple[str, ...] = ()
    """Signs in lower case; only a text with one of them can match. Without signs, any text can."""


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
        self._digits = len(_DIGIT.findall(folded))
        # Patterns that ignore case take the i with a dot, and the one without, for an i.
        self._lower = folded.lower().replace("i\u0307", "i").replace("\u0131", "i")
        self._places = places

    @classmethod
    def of(cls, text: str) -> Self:
        """Fold a text: NFKC, every dash as `-`, every digit as an ASCII one, without invisible characters."""
        if text.isascii():
            return cls(text, text, None)
        same_places = _in_digits(text).translate(_ONE_TO_ONE)
        if len(same_places) == len(text) and not _DASHED.search(same_places):
            return cls(text, same_places, None)
        return cls.by_character(text)

    @classmethod
    def by_character(cls, text: str) -> Self:
        """Return what `of` returns, which tries a quicker way first."""
        folded: list[str] = []
        places: list[int] = []
        for at, ch in enumerate(_in_digits(text)):
            for plain in _plain(ch):
                if plain in _VOICED and folded:
                    folded[-1] = unicodedata.normalize("NFC", folded[-1] + plain)[0]
                    continue
                dash = plain in _BETWEEN_DIGITS and _ends_with_digit(folded)
                folded.append("-" if dash else plain)
                places.append(at)
        return cls(text, "".join(folded), places)

    def may_hold(self, mask: Mask) -> bool:
        """Return whether the mask may find something; quicker than to search."""
        return self._digits >= mask.digits and (not mask.signs or any(sign in self._lower for sign in mask.signs))

    def replaced(self, mask: Mask) -> str:
        """Return the text with each part that the mask finds replaced by its word."""
        output: list[str] = []
        copied = 0
        for start, end in mask.find(self.folded):
            first, last = self.place(start), self.place(end - 1) + 1
            output += [self.text[copied:first], mask.word]
            copied = last
        return "".join([*output, self.text[copied:]]) if output else self.text

    def place(self, at: int) -> int:
        """Return the index in the text of a folded character."""
        return at if self._places is None else self._places[at]


def _in_digits(text: str) -> str:
    """Return the text with numbers in kanji in digits, and の between two digits as a dash; no place changes."""
    text = _KANJI_NUMBER.sub(lambda number: number.group().translate(_ARABIC), text)
    return _SPOKEN_DASH.sub("-", text)


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


class _OneToOne(dict[int, str | None]):
    """Code point → its folded form; None if that is not one character with the same place. Filled as they are met."""

    def __missing__(self, point: int) -> str | None:
        plain = _plain(chr(point))
        found = self[point] = plain if len(plain) == 1 and plain not in _VOICED else None
        return found


_ONE_TO_ONE = _OneToOne()


def _one(ch: str) -> str:
    if unicodedata.category(ch) == "Pd" or ch in _OTHER_DASHES:
        return "-"
    if ch.isdecimal():
        return str(unicodedata.decimal(ch))
    return ch
