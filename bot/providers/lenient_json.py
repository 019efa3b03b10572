"""A reader of JSON as models write it: any quotation marks, trailing commas, raw newlines, comments, bare words.

The reader never guesses: whatever it accepts has one meaning. A name that occurs twice is kept twice, and an object
that the end of the text cuts off is marked as open. A repairing parser would close a label that was cut in the middle.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.characters import clean_text

DEEPEST = 20
"""Deepest nesting that is read."""

_SPACE = r"(?:\s|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+"
_CLOSING = {'"': '"', "'": "'", "＂": "＂", "“": '”"', "”": "”", "„": "“”", "‘": "’'", "’": "’"}
"""The marks that close a text, by the one that opens it."""
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[“”„][^“”"]*+[“”"]|[‘’][^‘’']*+[‘’']|＂[^＂]*+＂)"""
_COLON, _COMMA, _NEW_LINE = "[:：]", "[,，]", r"[^\S\n]*+\n\s*+"
_KEY = rf"(?:{_QUOTED}|\w++){_SPACE}{_COLON}"

_SPACES = re.compile(_SPACE, re.DOTALL)
_BARE_KEY = re.compile(r"\w++")
_BARE_VALUE = re.compile(r"[^,，}\]{\[\n\"“”]++")
_SEPARATOR = re.compile(rf"{_SPACE}{_COMMA}|{_NEW_LINE}(?={_KEY})", re.DOTALL)
_AFTER_KEY = re.compile(rf"{_SPACE}{_COLON}", re.DOTALL)
_AFTER_MEMBER = re.compile(
    rf"{_SPACE}(?:[}}\]]|\Z|{_COMMA}{_SPACE}(?:[}}\]]|\Z|{_KEY}))|{_NEW_LINE}{_QUOTED}{_SPACE}{_COLON}", re.DOTALL
)
_AFTER_ELEMENT = re.compile(rf"{_SPACE}(?:[}}\]]|\Z|{_COMMA}{_SPACE}\S)", re.DOTALL)
_STOPS = {mark: re.compile(rf"\\.|[{closing}]", re.DOTALL) for mark, closing in _CLOSING.items()}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NOTHING = frozenset({"null", "None", "none", "NULL", "undefined"})


class NotJson(ValueError):  # noqa: N818 - reads as what happened
    """A text that is no JSON at this place, however leniently it is read."""


@dataclass(frozen=True)
class Word:
    """A text, number or literal. `text` is "" for null; `start` and `stop` are its place, without quotation marks."""

    text: str
    start: int
    stop: int
    quoted: bool


@dataclass(frozen=True)
class Members:
    """An object. A name may stand twice. If the text ended first, `closed` is False and the cut value is ()."""

    pairs: tuple[tuple[str, "LenientValue"], ...]
    closed: bool


NOTHING_BEGUN = Members((), closed=False)
"""The object of a text that ended before its first name."""

LenientValue: TypeAlias = "Word | Members | tuple[LenientValue, ...]"


def parse_lenient(text: str, at: int = 0) -> tuple[LenientValue, int]:
    """Return the value that begins at this place, and its end; raises NotJson.

    If the text ends within anything but an object, the value is NOTHING_BEGUN.
    """
    reader = _Reader(text, at)
    try:
        return reader.value(_AFTER_ELEMENT, 0), reader.at
    except EOFError:
        return NOTHING_BEGUN, len(text)


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at
        self._value_end = at

    def value(self, after: re.Pattern[str], depth: int) -> LenientValue:
        """Read a value; `after` is what must follow the mark that closes a text."""
        value = self._value(after, depth)
        self._value_end = self.at
        return value

    def _value(self, after: re.Pattern[str], depth: int) -> LenientValue:
        self._skip()
        first = self._text[self.at : self.at + 1]
        if depth > DEEPEST:
            raise NotJson
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        return self._quoted(after) if first in _STOPS else self._bare()

    def _object(self, depth: int) -> Members:
        pairs: list[tuple[str, LenientValue]] = []
        self.at += 1
        try:
            while not self._take("}"):
                if pairs and not self._separated():
                    raise NotJson
                if self._take("}"):
                    break
                pairs.append((self._key(), ()))
                pairs[-1] = (pairs[-1][0], self.value(_AFTER_MEMBER, depth + 1))
        except EOFError:
            return Members(tuple(pairs), closed=False)
        return Members(tuple(pairs), closed=True)

    def _array(self, depth: int) -> tuple[LenientValue, ...]:
        values: list[LenientValue] = []
        self.at += 1
        while not self._take("]"):
            if values and not self._separated():
                raise NotJson
            if self._take("]"):
                break
            values.append(self.value(_AFTER_ELEMENT, depth + 1))
        return tuple(values)

    def _key(self) -> str:
        if self._text[self.at] in _STOPS:
            key = self._quoted(_AFTER_KEY).text
        else:
            found = _BARE_KEY.match(self._text, self.at)
            if not found:
                raise NotJson
            key, self.at = found.group(), found.end()
        self._skip()
        if self.at == len(self._text):
            raise EOFError
        colon = _AFTER_KEY.match(self._text, self.at)
        if not colon:
            raise NotJson
        self.at = colon.end()
        return key

    def _quoted(self, after: re.Pattern[str]) -> Word:
        start = self.at + 1
        for found in _STOPS[self._text[self.at]].finditer(self._text, start):
            if found.group()[0] != "\\" and after.match(self._text, found.end()):
                self.at = found.end()
                return Word(_unescaped(self._text[start : found.start()]), start, found.start(), quoted=True)
        self.at = len(self._text)
        raise EOFError

    def _bare(self) -> Word:
        found = _BARE_VALUE.match(self._text, self.at)
        word = found.group().rstrip() if found else ""
        if not word:
            raise NotJson
        start, self.at = self.at, self.at + len(word)
        return Word("" if word in _NOTHING else word, start, self.at, quoted=False)

    def _separated(self) -> bool:
        """Take a comma; a new line before a name will do."""
        found = _SEPARATOR.match(self._text, self._value_end)
        if found:
            self.at = found.end()
        return found is not None

    def _take(self, mark: str) -> bool:
        self._skip()
        if self.at == len(self._text):
            raise EOFError
        taken = self._text[self.at] == mark
        self.at += taken
        return taken

    def _skip(self) -> None:
        found = _SPACES.match(self._text, self.at)
        self.at = found.end() if found else self.at


def _unescaped(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found.group(1)
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPED.get(code, code)

    return clean_text(_ESCAPE.sub(plain, text))
