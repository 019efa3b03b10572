"""Reads a prompt: which of its text belongs to which label, however the prompt is written."""

import re
from collections.abc import Iterable, Sequence

from bot.embedded.features import folded, visible

_MARKER = re.compile(r"^\s*(?:[-*+•・●■◆○◯▪]\s*|\d+\s*[.)、．]\s*|[①-⑳]\s*|\|\s*)")
_HEADING = re.compile(r"^\s*(#{1,6})\s+")
_QUOTES = "\"'`*「」『』【】[]“”‘’|<> \t"
_AFTER_NAME = re.compile(r"^[\"'`*」』】\]”’\s]*(?:$|[:：|=＝→⇒(（/／、]|-+>?\s|[–—―])")
_BEFORE_NAME = re.compile(r"(?:→|⇒|=>|->|[:：|\t])[\"'`*「『【\[“\s]*$")
_LETTER = re.compile(r"[^\W\d_]")
_RULE_OF_TABLE = re.compile(r"^[\s|:+=-]*$")


def _spaced(text: str) -> str:
    return re.sub(r"[_\s]+", " ", folded(text))


def _as_written(text: str) -> str:
    return re.sub(r"[_\s]+", " ", visible(text))


def _finder(labels: Iterable[str]) -> re.Pattern[str]:
    """Match any label, the longest first; a label in Latin letters only as a whole word."""
    parts = []
    for label in sorted(labels, key=len, reverse=True):
        before = r"(?<![A-Za-z0-9])" if label[:1].isascii() else ""
        after = r"(?![A-Za-z0-9])" if label[-1:].isascii() else ""
        parts.append(f"{before}{re.escape(label)}{after}")
    return re.compile("|".join(parts) or r"(?!)")


class _Reader:
    """Walks down the lines of a prompt and remembers whose section it is in."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.found: dict[str, list[str]] = {label: [] for label in labels}
        self._by_name = {_spaced(label): label for label in labels}
        self._finder = _finder(map(_spaced, labels))
        self._exact = _finder(label for label in map(_as_written, labels) if len(label) > 2 or not label.islower())
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

    def _begins(self, text: str) -> tuple[str, str] | None:
        """Return the label that the text begins with and what follows it."""
        bare = text.lstrip(_QUOTES)
        match = self._finder.match(bare)
        if not match or not _AFTER_NAME.match(bare[match.end() :]):
            return None
        return self._by_name[match.group()], bare[match.end() :].strip(_QUOTES + ":：=＝→⇒-–—― ")

    def _only(self, text: str) -> str | None:
        """Return the one label that the text names somewhere, written as the label is: "it" does not name "IT"."""
        named = {match.group() for match in self._exact.finditer(_as_written(text))}
        return self._by_name[_spaced(named.pop())] if len(named) == 1 else None

    def _head(self, level: int, title: str) -> None:
        begun = self._begins(_spaced(_MARKER.sub("", title)))
        if begun:
            self._open(begun[0], level)
            self._keep(*begun)
        elif owner := self._only(title):
            self._open(owner, level)
            self._keep(owner, _spaced(title).replace(_spaced(owner), " "))
        elif not self._owner or level <= self._depth:
            self._open("", 0)

    def _body(self, line: str) -> None:
        bullet = _MARKER.match(line)
        text = _spaced(_MARKER.sub("", line)).strip()
        if begun := self._begins(text):
            self._open(begun[0], 0 if begun[1] else 7)
            self._keep(*begun)
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
        elif owner := self._only(line):
            self._keep(owner, text)

    def _open(self, owner: str, depth: int) -> None:
        self._owner, self._depth = owner, depth

    def _keep(self, owner: str, text: str) -> None:
        text = text.strip(_QUOTES)
        if _LETTER.search(text):
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


_OTHER_NAME = re.compile(
    r"\b(?:others?|else|misc(?:ellaneous)?|none|unknown|unclear|out of scope|fallback|not applicable)\b"
    r"|その他|そのほか|それ以外|上記以外|該当なし|対象外|不明"
)
_OTHER_RULE = re.compile(
    r"\b(?:everything|anything) else\b|\b(?:none|any) of (?:the |these )?(?:above|others?|these)\b"
    r"|\bfits? no(?:ne| other)\b|\b(?:not|n't) (?:fit|belong|covered)\b"
    r"|どれにも|いずれにも|当てはまら|あてはまら|該当しな|それ以外|上記以外"
)


def catch_all(documents: Sequence[tuple[str, str]]) -> str | None:
    """Return the label that takes what fits no other, if one says so by its name or else by its rule.

    Args:
        documents: (text, label) of all labels, among them each label's own name.
    """
    for pattern, named in ((_OTHER_NAME, True), (_OTHER_RULE, False)):
        found = {label for text, label in documents if (text == label) == named and pattern.search(_spaced(text))}
        if len(found) == 1:
            return found.pop()
    return None


def labels_named_in(prompt: str) -> list[str]:
    """Guess the labels of a prompt without an enum: its commonest rank of headings, else names before colons."""
    headings = [
        (len(match[1]), line[match.end() :].strip()) for line in prompt.splitlines() if (match := _HEADING.match(line))
    ]
    ranks = [{title for at, title in headings if at == level} for level in range(7)]
    usual = max(range(7), key=lambda level: len(ranks[level]))
    names = [title for level, title in headings if level == usual]
    if len(names) < 2:
        names = [
            match[1]
            for match in re.finditer(r"(?m)^\s*[-*+・|]\s*[`*\"「]*([^:：|`*\"」]{1,40}?)[`*\"」]*\s*[:：|]", prompt)
        ]
    return list(dict.fromkeys(name for name in names if name))
