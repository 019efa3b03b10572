"""Checks on a model's reasons: whether they are worth reading, and repeat nobody else's question."""

import re
import unicodedata
from collections.abc import Iterable

from bot.domain.dataset import normalised
from bot.domain.similar import ContentWords, content

FEWEST_WORDS = 2
"""Minimum number of different content words, besides the category's name."""

_KANA = re.compile("[\u3041-\u309f]+")
_KANJI = re.compile("[\u4e00-\u9fff々]+")
_ENGLISH = (
    "because since so therefore decided decides by like similar mention mentions mentioned contains word words phrase "
    "question questions ask asks asked asking asker user employee person someone message text sentence topic subject "
    "matter issue request category team label class belongs belong relate related relates concern concerns concerning "
    "regarding refer refers says said stands not no none when where who whose which why how on off here very more "
    "other another new now again else today only also too seem appears likely clearly best fits fit case handle "
    "day days week weeks month months year years hour hours minute minutes time date number handled handles "
    "responsible covers covered falls under deals dealing"
)
_JAPANESE = (
    "決め手 言葉 判断 質問 内容 相談 分類 該当 担当 関連 関係 話題 文章 記載 記述 理由 部分 以上 社員 従業員 案件"
)
_FRAMES = frozenset((*content(_ENGLISH), *_JAPANESE.split()))
"""Content words that only make a sentence of a reason; a reason of these words decides nothing."""


REPEATED_RUN = 20
"""Number of characters in a row, from which on a reason repeats another text."""
GRAM = 10
"""Length of the pieces of a text by which it is found among many."""


def spaced(text: str) -> str:
    """Return the text without case and width, and with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


RUN_FOLDS = (spaced, normalised)
"""A run counts with its punctuation and spaces, or without them: so neither a line break nor a quote hides it."""


def repeats(reason: str, others: Iterable[str], own: str) -> bool:
    """Return whether a reason repeats `REPEATED_RUN` characters in a row of another text. The time is linear.

    Args:
        reason: The reason.
        others: Other people's questions.
        own: The texts it may repeat: its own question, and the instructions.
    """
    texts = list(others)
    for fold in RUN_FOLDS if texts else ():
        runs = _runs(fold(reason))
        repeated = set[str]().union(*(runs & _runs(fold(other)) for other in texts)) if runs else set()
        if repeated and not repeated <= _runs(fold(own)):  # the instructions are long, so they are looked at last
            return True
    return False


def _runs(text: str) -> set[str]:
    return {text[start : start + REPEATED_RUN] for start in range(len(text) - REPEATED_RUN + 1)}


def grams(folded: str) -> list[str]:
    """Return pieces of a folded text, so that each run of `REPEATED_RUN` characters holds one of them."""
    return [folded[start : start + GRAM] for start in range(0, len(folded) - GRAM + 1, REPEATED_RUN - GRAM + 1)]


def windows(folded: str) -> list[str]:
    """Return all pieces of a folded text: it shares one with each text of which it repeats a run."""
    return [folded[start : start + GRAM] for start in range(len(folded) - GRAM + 1)]


def tells_why(reason: str, category: str = "") -> bool:
    """Return whether a reason says something: two content words besides the frame of a sentence.

    Args:
        reason: A model's reason, in Japanese or English.
        category: The name of the category, whose words say nothing new.
    """
    words = set(_words(reason)) - _FRAMES - set(_words(category))
    return sum(_weight(word) for word in words) >= FEWEST_WORDS


def _words(text: str) -> ContentWords:
    """Return the content words of a text; kana end a Japanese word, so that 休暇の申請 is two."""
    return content(_KANA.sub(r" \g<0> ", text)) if text else ()


def _weight(word: str) -> int:
    """Return how many words this counts for: none for a number, a single letter and kana; two for 有給休暇."""
    if len(word) < 2 or word.isdecimal() or _KANA.fullmatch(word):
        return 0
    return 2 if _KANJI.fullmatch(word) and len(word) >= 4 else 1
