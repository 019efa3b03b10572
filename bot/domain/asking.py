"""Texts that ask something, in English and Japanese, with or without a question mark."""

import re
import tomllib
import unicodedata
from pathlib import Path

from bot.domain.courtesy import is_small_talk
from bot.domain.pointing import NAMES

SHORTEST_QUESTION = 5
"""Number of letters and digits from which a text is a question of its own: “why?” is conversation."""
_ADDRESSES = re.compile(r"https?://\S+")
_SENTENCE = re.compile(r"[^。．.!?\n]+[。．.!?]*")
_FORMS = tuple(
    re.compile(form)
    for forms in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).values()
    for form in forms
)


def asks(text: str) -> bool:
    """Return whether a text asks something that can be answered. Thanks, answers and remarks ask nothing."""
    plain = _ADDRESSES.sub(" ", NAMES.sub(" ", unicodedata.normalize("NFKC", text).casefold()))
    if is_small_talk(text):
        return False
    return any(_is_question(found[0].strip()) for found in _SENTENCE.finditer(plain))


def _is_question(sentence: str) -> bool:
    letters = sum(character.isalnum() for character in sentence)
    return letters >= SHORTEST_QUESTION and any(form.search(sentence) for form in _FORMS)
