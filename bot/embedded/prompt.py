"""Extraction of each label's rules and examples from prompts in many layouts."""

import re
from collections.abc import Iterable, Sequence

from bot.embedded.features import casefolded, normalized

_MARKER = re.compile(r"^\s*(?:[-*+•・●■◆○◯▪]\s*|\d+\s*[.)、．]\s*|[①-⑳]\s*|\|\s*)")
_HEADING = re.compile(r"^\s*(#{1,6})\s+")
_QUOTES = "\"'`*「」『』【】[]“”‘’|<> \t"
_AFTER_NAME = re.compile(r"^[\"'`*」』】\]”’\s]*(?:$|[:：|=＝→⇒(（/／、]|-+>?\s|[–—―])")
_BEFORE_NAME = re.compile(r"(?:→|⇒|=>|->|[:：|\t])[\"'`*「『【\[“\s]*$")
_LETTER = re.compile(r"[^\W\d_]")
_TABLE_RULE = re.compile(r"^[\s|:+=-]*$")


def _fold_spaces(text: str) -> str:
    return re.sub(r"[_\s]+", " ", casefolded(text))


def _collapse_spaces(text: str) -> str:
    return re.sub(r"[_\s]+", " ", normalized(text))


def _label_pattern(labels: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches any label, the longest first; labels in Latin letters match only whole words."""
    parts = []
    for label in sorted(labels, key=len, reverse=True):
        before = r"(?<![A-Za-z0-9])" if label[:1].isascii() else ""
        after = r"(?![A-Za-z0-9])" if label[-1:].isascii() else ""
        parts.append(f"{before}{re.escape(label)}{after}")
    return re.compile("|".join(parts) or r"(?!)")


class _PromptReader:
    """A line-by-line reader that tracks which label owns the current section."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.texts: dict[str, list[str]] = {label: [] for label in labels}
        self._by_name = {_fold_spaces(label): label for label in labels}
        self._label_pattern = _label_pattern(map(_fold_spaces, labels))
        self._exact_pattern = _label_pattern(
            label for label in map(_collapse_spaces, labels) if len(label) > 2 or not label.islower()
        )
        self._owner = ""
        self._depth = 0  # the section ends: 0 with its line, 1-6 at a heading of that level or above, 7 at a blank line
        self._after_blank = False

    def read(self, line: str) -> None:
        if not line.strip() or _TABLE_RULE.match(line):
            self._after_blank = True
            return
        heading = _HEADING.match(line)
        if heading:
            self._read_heading(len(heading[1]), line[heading.end() :])
        else:
            self._read_body_line(line)
        self._after_blank = False

    def _leading_label(self, text: str) -> tuple[str, str] | None:
        """Return the label at the start of the text and the text after the label, or None."""
        unquoted = text.lstrip(_QUOTES)
        match = self._label_pattern.match(unquoted)
        if not match or not _AFTER_NAME.match(unquoted[match.end() :]):
            return None
        return self._by_name[match.group()], unquoted[match.end() :].strip(_QUOTES + ":：=＝→⇒-–—― ")

    def _sole_label(self, text: str) -> str | None:
        """Return the label if the text names exactly one, in the label's own spelling: "it" does not name "IT"."""
        named = {match.group() for match in self._exact_pattern.finditer(_collapse_spaces(text))}
        return self._by_name[_fold_spaces(named.pop())] if len(named) == 1 else None

    def _read_heading(self, level: int, title: str) -> None:
        leading = self._leading_label(_fold_spaces(_MARKER.sub("", title)))
        if leading:
            self._open_section(leading[0], level)
            self._add_text(*leading)
        elif owner := self._sole_label(title):
            self._open_section(owner, level)
            self._add_text(owner, _fold_spaces(title).replace(_fold_spaces(owner), " "))
        elif not self._owner or level <= self._depth:
            self._open_section("", 0)

    def _read_body_line(self, line: str) -> None:
        bullet = _MARKER.match(line)
        text = _fold_spaces(_MARKER.sub("", line)).strip()
        if leading := self._leading_label(text):
            self._open_section(leading[0], 0 if leading[1] else 7)
            self._add_text(*leading)
            return
        if self._depth == 0 or (self._depth == 7 and self._after_blank and not bullet):
            indented = line[:1].isspace() and not self._after_blank
            self._open_section(self._owner if indented else "", 0)
        named = list(self._label_pattern.finditer(text))
        tail = text.rstrip(_QUOTES + "。.")
        if named and named[-1].end() == len(tail) and _BEFORE_NAME.search(text[: named[-1].start()]):
            self._add_text(self._by_name[named[-1].group()], _BEFORE_NAME.sub("", text[: named[-1].start()]))
        elif self._owner:
            self._add_text(self._owner, text)
        elif owner := self._sole_label(line):
            self._add_text(owner, text)

    def _open_section(self, owner: str, depth: int) -> None:
        self._owner, self._depth = owner, depth

    def _add_text(self, owner: str, text: str) -> None:
        text = text.strip(_QUOTES)
        if _LETTER.search(text):
            self.texts[owner].append(text)


def texts_of_labels(prompt: str, labels: Sequence[str]) -> dict[str, list[str]]:
    """Return the rules and examples that the prompt gives for each label.

    A label is recognized in these places:

    - as a heading; its section ends at the next heading of the same or a higher level
    - at the start of a line or table row (`label: text`)
    - at the end of a line (`text → label`)
    - anywhere in a line that is outside of a section and names no other label

    Args:
        prompt: The system message.
        labels: The labels to look for; case, width and underscores are ignored.

    Returns:
        The texts of each label in lower case and in the prompt's order. Labels that the prompt does not describe have
        an empty list.
    """
    reader = _PromptReader(labels)
    for line in prompt.splitlines():
        reader.read(line)
    return reader.texts


_OTHER_NAME = re.compile(
    r"\b(?:others?|else|misc(?:ellaneous)?|none|unknown|unclear|out of scope|fallback|not applicable)\b"
    r"|その他|そのほか|それ以外|上記以外|該当なし|対象外|不明"
)
_OTHER_RULE = re.compile(
    r"\b(?:everything|anything) else\b|\b(?:none|any) of (?:the |these )?(?:above|others?|these)\b"
    r"|\bfits? no(?:ne| other)\b|\b(?:not|n't) (?:fit|belong|covered)\b"
    r"|どれにも|いずれにも|当てはまら|あてはまら|該当しな|それ以外|上記以外"
)


def catch_all_label(documents: Sequence[tuple[str, str]]) -> str | None:
    """Return the label for questions that fit no other label, recognized by its name or else by its rule.

    Args:
        documents: Pairs of text and label, including each label's own name as a text.

    Returns:
        The catch-all label, or None if no label or more than one qualifies.
    """
    for pattern, named in ((_OTHER_NAME, True), (_OTHER_RULE, False)):
        found = {label for text, label in documents if (text == label) == named and pattern.search(_fold_spaces(text))}
        if len(found) == 1:
            return found.pop()
    return None


def guess_labels(prompt: str) -> list[str]:
    """Guess the labels from the prompt when the request has no enum.

    The labels are the headings of the most frequent level, or else the names before colons in a list or table.
    """
    headings = [
        (len(match[1]), line[match.end() :].strip()) for line in prompt.splitlines() if (match := _HEADING.match(line))
    ]
    ranks = [{title for at, title in headings if at == level} for level in range(7)]
    commonest = max(range(7), key=lambda level: len(ranks[level]))
    names = [title for level, title in headings if level == commonest]
    if len(names) < 2:
        names = [
            match[1]
            for match in re.finditer(r"(?m)^\s*[-*+・|]\s*[`*\"「]*([^:：|`*\"」]{1,40}?)[`*\"」]*\s*[:：|]", prompt)
        ]
    return list(dict.fromkeys(name for name in names if name))
