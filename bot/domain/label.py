"""The label that a written one plainly means: case, width, marks and numbering do not matter, words do."""

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
)
_NUMBER = re.compile(r"[(\[]?\d{1,2}(?:[.):\]、]+\s*|\s+(?:[-–—]\s*)?)")
_SEPARATORS = re.compile(r"[\s_\-‐‑–—・/&]+")


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
    lambda text: _SEPARATORS.sub("", text),
)
"""Each step forgives more than the one before. Labels take the same steps, so that no two of them are mixed up."""


def meant(written: str, labels: Mapping[str, Collection[str]]) -> str | None:
    """Return the key of the only label that `written` plainly means; None if there is none, or more than one.

    Args:
        written: the label as a model wrote it.
        labels: for each key, the spellings that mean it.
    """
    spellings = [(key, spelling) for key, each in labels.items() for spelling in each]
    for step in _STEPS:
        written = step(written)
        spellings = [(key, step(spelling)) for key, spelling in spellings]
        found = {key for key, spelling in spellings if written and spelling == written}
        if found:
            return found.pop() if len(found) == 1 else None
    return None
