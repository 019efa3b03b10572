"""Phrases of people who need help, in English and Japanese, whatever their spelling (phrases.toml)."""

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from rapidfuzz.distance import DamerauLevenshtein

_JAPANESE = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]")
_APOSTROPHES = re.compile(r"['’‘`´]")
_WORD = re.compile(r"[a-z]{6,}")
_SMALL = str.maketrans("ぁぃぅぇぉ", "あいうえお")
_KATAKANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


def has_phrase(text: str) -> bool:
    """Return whether a text holds a phrase of somebody who needs help.

    Phrases of ordinary work, such as “harassment training”, are taken out before.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    english = _WORD.sub(_as_meant, " ".join(_APOSTROPHES.sub("", plain).split()))
    if _holds("en", english):
        return True
    japanese = _JAPANESE.search(plain) is not None
    return japanese and _holds("ja", "".join(plain.translate(_KATAKANA).translate(_SMALL).split()))


def _holds(language: str, read: str) -> bool:
    for pattern in _patterns("ordinary", language):
        read = pattern.sub(" ", read)
    return any(pattern.search(read) for pattern in _patterns("cry", language))


@cache
def _phrases() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@cache
def _patterns(kind: str, language: str) -> tuple[re.Pattern[str], ...]:
    groups, phrases = _phrases()["groups"], _phrases()[kind][language]
    return tuple(re.compile(phrase.format(**groups).translate(_SMALL)) for phrase in phrases)


@cache
def _often_mistyped() -> list[str]:
    return str(_phrases()["words"]["often_mistyped"]).split()


def _as_meant(found: re.Match[str]) -> str:
    """Return the often mistyped word that was probably meant, or the word as it is."""
    word = found[0]
    for known in _often_mistyped():
        if word[0] == known[0] and DamerauLevenshtein.distance(word, known, score_cutoff=1) <= 1:
            return known
    return word
