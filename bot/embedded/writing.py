"""Other ways to write a question: all in capitals, in romaji, or with all kana as half-width katakana."""

import re
from collections.abc import Container

from bot.embedded.features import casefolded, is_japanese, normalized
from bot.embedded.romaji import in_kanji

_HALF_WIDTH_KANA = re.compile(r"[\uff66-\uff9f]")
_HIRAGANA = re.compile(r"[\u3041-\u309f]")
_KATAKANA_RUN = re.compile(r"[\u30a1-\u30f6ー]+")
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_LOANWORD = 3
"""Katakana that a word has in common with a known word, from which both count as the same loanword."""
_ALONE = 12
"""Longest single word in half-width katakana: it is taken for a loanword."""
_FEW_WORDS = 3
"""Most words in capitals that are left alone: they may be acronyms."""


def usual_writing(text: str, known: Container[str]) -> str:
    """Return the question in the writing that an encoder knows best; most questions stay as they are.

    Args:
        text: The question.
        known: Pieces of known texts (`features.grams`). Katakana that occur in them are kept. If a question has
            half-width katakana but no hiragana, its other katakana become hiragana.
    """
    if (found := in_kanji(text, known)) != text:
        return found
    if text.isupper() and not is_japanese(text) and len(text.split()) > _FEW_WORDS:
        return text.lower()
    if not _HALF_WIDTH_KANA.search(text) or _HIRAGANA.search(text):
        return text
    found = normalized(text)
    if len(found) <= _ALONE and _KATAKANA_RUN.fullmatch(found):
        return text
    return _KATAKANA_RUN.sub(lambda run: _with_loanwords(run.group(), known), found)


def _with_loanwords(run: str, known: Container[str]) -> str:
    """Return the run in hiragana, but for the pieces that are known in katakana."""
    folded = casefolded(run)
    kept = [False] * len(run)
    for at in range(len(run) - _LOANWORD + 1):
        if folded[at : at + _LOANWORD] in known:
            kept[at : at + _LOANWORD] = [True] * _LOANWORD
    return "".join(char if stays else char.translate(_TO_HIRAGANA) for char, stays in zip(run, kept, strict=True))
