"""The label that a written one plainly means: case, width, marks and numbering do not matter, words do.

A gloss in brackets behind a label is read as one: `HR (人事)`. So is an explanation behind a model's label.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import partial

_QUOTES = " \t\r\n*_`\"'“”‘’「」『』【】"
_LEADING = _QUOTES + "#>•・-–—([{<〈《.,:、。"
_TRAILING = _QUOTES + ")]}>〉》.,;:!、。"
_FIELD = re.compile(
    r"(?:(?:the|final|correct)\s+)*(?:category|label|answer|class|カテゴリー?|分類|回答)"
    r"[\s*_`\"'“”]*(?:is\b|は|[:=])[\s*_`\"'“”]*"
    r"|(?:this|it|the question)(?: question)? (?:is|belongs to|falls under|should go to) (?:(?:an?|the) )?"
    r"|i (?:would )?classify (?:this|it)(?: question)? as "
)
_COPULA = re.compile(
    r"[」』】\"'*_`]*(?:です|である|になります|に該当します|に当たります|が適切です|に分類(?:されます|します|できます)?"
    r"| (?:question|issue|category|team|department))$"
)
"""The end of a sentence that says nothing but a label."""
_NUMBER = re.compile(r"[(\[]?\d{1,2}(?:[.):\]、]+\s*|\s+(?:[-–—]\s*)?)")
_SEPARATORS = re.compile(r"[\s_\-‐‑–—・/&]+")
_AND = re.compile(r"\band\b")
_GLOSS = re.compile(r"(?P<label>[^()（）]*[^()（）\s])\s*[(（](?P<gloss>[^()（）]+)[)）][\s*_`\"'.。]*")
_BREAK = re.compile(
    r"\s+[-–—―]+\s+|\s*[–—―]+\s*|\s*[:：](?=\s|[^\x00-\x7f])\s*|[.。](?=\s|[^\x00-\x7f])\s*|\s*\n\s*|\s*(?:->|→|⇒)\s*"
    r"|[,;、，]?\s*(?=\b(?:because|since|as it|as the)\b|なぜなら|というのも|理由は)"
    r"|[\s/／|｜,、]+(?=(?:reason|explanation|理由)\s*[:：])",
    re.IGNORECASE,
)
"""Matches the break between a label and its explanation."""
_UNSURE = re.compile(
    r"[?？]|\b(?:or|not|nor|either|maybe|perhaps|unless)\b|または|もしくは|あるいは|ではな|じゃな|かも|以外",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\W*(?:or|not|nor|no|neither|maybe|perhaps|actually|wait|hmm|unless|but|または|もしくは|あるいは|ではな|じゃな|いや)"
    r"(?![a-z])|[^.。!！\n]{0,40}[?？]",
    re.IGNORECASE,
)
"""The beginning of an explanation that takes its label back or doubts it."""
LABEL_ENDS = 200
"""Number of characters within which a label ends."""
SHORT_LABEL = 3
"""Most characters of a label that a text names only in the label's own case, and never in lower case."""


def _folded(text: str) -> str:
    """Return the text without differences of case, width, white space and invisible characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(ch for ch in plain if unicodedata.category(ch) != "Cf").split())


def _trimmed(text: str) -> str:
    return text.lstrip(_LEADING).rstrip(_TRAILING)


def _without(prefix: re.Pattern[str], text: str) -> str:
    return _trimmed(prefix.sub("", text, count=1) if prefix.match(text) else text)


_STEPS: tuple[Callable[[str], str], ...] = (
    _folded,
    lambda text: text.strip(_QUOTES),
    _trimmed,
    partial(_without, _FIELD),
    partial(_without, _NUMBER),
    lambda text: _trimmed(_COPULA.sub("", text)),
    lambda text: _SEPARATORS.sub("", _AND.sub("&", text)),
)
"""Each step forgives more than the one before. Labels take the same steps, so that no two of them are mixed up."""


def meant(written: str, labels: Mapping[str, Collection[str]]) -> str | None:
    """Return the key of the only label that `written` plainly means; None if there is none, or more than one.

    Args:
        written: The label as a model or a person wrote it.
        labels: For each key, the spellings that mean it.
    """
    key, ambiguous = _spelt(written, labels)
    if key or ambiguous or len(written) > LABEL_ENDS:
        return key
    bare = {key: [*each, *(_without_gloss(one) for one in each)] for key, each in labels.items()}
    gloss = _GLOSS.fullmatch(written.strip())
    key, _ = _spelt(gloss["label"] if gloss else written, bare)
    if gloss is None:
        return key
    other, ambiguous = _spelt(gloss["gloss"], bare)
    return None if ambiguous or other not in {None, key} or _UNSURE.search(gloss["gloss"]) else key


def explained(written: str, labels: Mapping[str, Collection[str]]) -> tuple[str, str] | None:
    """Return the label at the beginning of a text, as it is written, and the explanation behind it.

    None if the text begins with no label, if the explanation takes it back, or if it names another label.
    """
    found = None
    for end in _BREAK.finditer(written, 0, LABEL_ENDS):
        label, why = written[: end.start()].strip(), written[end.end() :].strip()
        key = meant(label, labels) if label else None
        if key and why and not _TAKEN_BACK.match(why):
            others = [one for other, each in labels.items() if other != key for one in each]
            found = None if any(_is_told(one, why) for one in others) else (label, why)
        elif key:
            found = None
    return found


def _without_gloss(label: str) -> str:
    gloss = _GLOSS.fullmatch(label)
    return gloss["label"] if gloss else label


def is_named(label: str, text: str, *, exactly: bool = False) -> bool:
    """Return whether a text names a label, as a word of its own where words are written apart.

    Args:
        label: The label.
        text: The text.
        exactly: Whether the case counts: `it` is a word, `IT` a category.
    """
    word = rf"(?<![A-Za-z0-9]){re.escape(label)}(?![A-Za-z0-9])"
    return bool(label) and re.search(word, text, re.NOFLAG if exactly else re.IGNORECASE) is not None


def _is_told(label: str, text: str) -> bool:
    """Return whether an explanation names a label."""
    is_short = len(label) <= SHORT_LABEL and label.isascii()
    told = is_named(label, unicodedata.normalize("NFKC", text), exactly=is_short)
    return told and not (is_short and label.islower())


def _spelt(written: str, labels: Mapping[str, Collection[str]]) -> tuple[str | None, bool]:
    """Return the key of the only label that is spelt like this, and whether there is more than one."""
    spellings = [(key, spelling) for key, each in labels.items() for spelling in each]
    for step in _STEPS:
        written = step(written)
        spellings = [(key, step(spelling)) for key, spelling in spellings]
        found = {key for key, spelling in spellings if written and spelling == written}
        if found:
            return (None, True) if len(found) > 1 else (found.pop(), False)
    return None, False
