"""Reads a prompt: which of its text belongs to which label, however the prompt is written."""

import re
from collections.abc import Sequence

from bot.local.model.features import folded

_MARKER = re.compile(r"^\s*(?:[-*+•・●■◆○◯▪]\s*|\d+\s*[.)、．]\s*|[①-⑳]\s*|\|\s*)")
_HEADING = re.compile(r"^\s*(#{1,6})\s+")
_QUOTES = "\"'`*「」『』【】[]“”‘’|<> \t"
_AFTER_NAME = re.compile(r"^[\"'`*」』】\]”’\s]*(?:$|[:：|=＝→⇒(（/／、]|-+>?\s|[–—―])")
_BEFORE_NAME = re.compile(r"(?:→|⇒|=>|->|[:：|\t])[\"'`*「『【\[“\s]*$")
_RULE_OF_TABLE = re.compile(r"^[\s|:+=-]*$")


def _spaced(text: str) -> str:
    return re.sub(r"[_\s]+", " ", folded(text))


def _finder(labels: Sequence[str]) -> re.Pattern[str]:
    """Match any label, the longest first; a label in Latin letters only as a whole word."""
    parts = []
    for label in sorted(map(_spaced, labels), key=len, reverse=True):
        before = r"(?<![a-z0-9])" if label[:1].isascii() else ""
        after = r"(?![a-z0-9])" if label[-1:].isascii() else ""
        parts.append(f"{before}{re.escape(label)}{after}")
    return re.compile("|".join(parts) or r"(?!)")


class _Reader:
    """Walks down the lines of a prompt and remembers whose section it is in."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.found: dict[str, list[str]] = {label: [] for label in labels}
        self._by_name = {_spaced(label): label for label in labels}
        self._finder = _finder(labels)
        self._owner = ""
        self._depth = 0  # 0: the section ends with its line; 1-6: with a heading of that level; 7: with a blank line
        self._blank = False

    def read(self, line: str) -> None:
        if not line.strip() or _RULE_OF_TABLE.match(line):
            self._blank = True
            return
        heading = _HEADING.match(line)
        if heading:
            self._head(len(heading[1]), line[heading.end() :])
        else:
            self._body(line)
        self._blank = False

    def _head(self, level: int, title: str) -> None:
        title = _spaced(title)
        named = {match.group() for match in self._finder.finditer(title)}
        if len(named) == 1:
            name = named.pop()
            self._open(self._by_name[name], level)
            self._keep(self._owner, title.replace(name, " "))
        elif not self._owner or level <= self._depth:
            self._open("", 0)

    def _body(self, line: str) -> None:
        bullet = _MARKER.match(line)
        text = _spaced(_MARKER.sub("", line)).strip()
        bare = text.lstrip(_QUOTES)
        if (match := self._finder.match(bare)) and _AFTER_NAME.match(bare[match.end() :]):
            rest = bare[match.end() :].strip(_QUOTES + ":：=＝→⇒-–—― ")
            self._open(self._by_name[match.group()], 0 if rest else 7)
            self._keep(self._owner, rest)
            return
        if self._depth == 0 or (self._depth == 7 and self._blank and not bullet):
            indented = line[:1].isspace() and not self._blank
            self._open(self._owner if indented else "", 0)
        named = list(self._finder.finditer(text))
        tail = text.rstrip(_QUOTES + "。.")
        if named and named[-1].end() == len(tail) and _BEFORE_NAME.search(text[: named[-1].start()]):
            self._keep(self._by_name[named[-1].group()], _BEFORE_NAME.sub("", text[: named[-1].start()]))
        elif self._owner:
            self._keep(self._owner, text)
        elif len({match.group() for match in named}) == 1:
            self._keep(self._by_name[named[0].group()], text)

    def _open(self, owner: str, depth: int) -> None:
        self._owner, self._depth = owner, depth

    def _keep(self, owner: str, text: str) -> None:
        if text := text.strip(_QUOTES):
            self.found[owner].append(text)


def texts_of_labels(prompt: str, labels: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each label, the rules and examples that the prompt gives for it.

    A label is found as a heading (its section ends at the next heading of that rank), at the start of a line or table
    row (`label: text`), at the end of a line (`text → label`), or else as the only label that a line names.

    Args:
        prompt: The system message.
        labels: The labels to look for; case, width and underscores do not matter.

    Returns:
        The texts in lower case, each label's in the prompt's order; empty for a label that the prompt says nothing of.
    """
    reader = _Reader(labels)
    for line in prompt.splitlines():
        reader.read(line)
    return reader.found


def labels_named_in(prompt: str) -> list[str]:
    """Guess the labels of a prompt that comes without an enum: its deepest headings, else the names before a colon."""
    headings = [
        (len(match[1]), line[match.end() :].strip()) for line in prompt.splitlines() if (match := _HEADING.match(line))
    ]
    deepest = max((level for level, _ in headings), default=0)
    names = [title for level, title in headings if level == deepest]
    if len(names) < 2:
        names = [
            match[1]
            for match in re.finditer(r"(?m)^\s*[-*+・|]\s*[`*\"「]*([^:：|`*\"」]{1,40}?)[`*\"」]*\s*[:：|]", prompt)
        ]
    return list(dict.fromkeys(name for name in names if name))
