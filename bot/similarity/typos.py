"""Whether a word is another one with a typo: memory answers only if it surely is."""

import lzma
import re
import unicodedata
from functools import cache
from pathlib import Path

from bot.domain.similar import bare_kana
from bot.similarity.packed import slip

DICTIONARY = Path(__file__).with_name("words.txt.xz")
"""English and katakana words as content words have them, from `tests/bench/words.py` (words.LICENSE.txt)."""
_VOWEL = re.compile("[aeiou]")
_DOTS = re.compile("[\u3099\u309a]")


@cache
def dictionary() -> frozenset[str]:
    """Return the words that people know without any row or prompt. Reading them takes 30 ms, once."""
    return frozenset(lzma.decompress(DICTIONARY.read_bytes()).decode().split())


def is_typo(one: str, other: str) -> bool:
    """Return whether one of two words is the other with a typo: a slip inside of it, and only one of them is a word.

    “Vacation” and “vocation” are a slip apart and two words. The dictionary may have neither, as with names. Then only
    slips of the fingers are forgiven: two letters that changed places, or a letter that is doubled or not. Letters
    without a vowel are a code, in which each letter counts. In kana only the marks of a letter may differ. Its size or
    a long vowel may differ anywhere, as in ソフトウェア and ソフトウエア; its dots only after the first letter.
    """
    if not slip(one, other):
        return False
    if one.isascii():
        if (one[0], one[-1]) != (other[0], other[-1]) or not (_VOWEL.search(one) and _VOWEL.search(other)):
            return False
    elif bare_kana(one) != bare_kana(other):
        return False
    elif _without_dots(one) != _without_dots(other):
        return True
    elif one[0] != other[0]:
        return False
    known = _is_word(one) + _is_word(other)
    return known == 1 or (known == 0 and one.isascii() and _is_swap_or_doubling(one, other))


def _is_word(word: str) -> bool:
    """Return whether the dictionary has a word, or the verb of a word in -er, which dictionaries often leave out."""
    return not dictionary().isdisjoint({word, word.removesuffix("er")})


def _without_dots(kana: str) -> str:
    return _DOTS.sub("", unicodedata.normalize("NFD", kana))


def _is_swap_or_doubling(one: str, other: str) -> bool:
    """Return whether two words that are a slip apart differ by a swap, or by a letter that is doubled or not."""
    if len(one) == len(other):
        return sorted(one) == sorted(other)
    short, long = sorted((one, other), key=len)
    return any(long[at] == long[at - 1] and long[:at] + long[at + 1 :] == short for at in range(1, len(long)))
