"""Japanese in Latin letters: a question in romaji is read as it would be written with kana and kanji."""

import functools
import lzma
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.embedded.features import FUNCTION_WORDS, Floats, casefolded, is_japanese

READINGS = Path(__file__).with_name("readings.txt.xz")
"""Words with their readings, from the dictionary of Mozc (readings.LICENSE.txt): `tests/bench/readings.py` made it.

The first line has the number of classes, and the class of unknown words as a second and as a first word. A line for
each class follows: what each class costs after it. All other lines are words: reading, writing, cost, and two classes.
"""
# fmt: off
_ROWS = {
    "": "あいうえお", "k": "かきくけこ", "g": "がぎぐげご", "s": "さしすせそ", "z": "ざじずぜぞ", "t": "たちつてと",
    "d": "だ＿＿でど", "n": "なにぬねの", "h": "はひふへほ", "b": "ばびゔべぼ", "p": "ぱぴぷぺぽ", "m": "まみむめも",
    "y": "や＿ゆ＿よ", "r": "らりるれろ", "w": "わ＿＿＿を",
}
_SMALL = {"ゃ": "ya", "ゅ": "yu", "ょ": "yo", "ぁ": "a", "ぃ": "i", "ぅ": "u", "ぇ": "e", "ぉ": "o", "ゎ": "wa"}
_SPELLINGS = [(re.compile(written), spelling) for written, spelling in (
    ("n'", "N"), ("n(?![aiueoy])", "N"), ("m(?=[bpm])", "N"), ("NN+", "N"), ("tch", "tty"), ("sh", "sy"),
    ("ch|cy", "ty"), ("jy?", "zy"), ("ts", "t"), ("f", "h"), ("v", "b"), ("(?<=[szt])yi", "i"), ("dh(?=i)", "d"),
    ("th(?=i)", "t"), ("d[zj]", "z"), ("du", "zu"), (r"([kgsztdhbpr])(?=\1)", "Q"),
)]
# fmt: on
_MORAE = {kana: row + vowel for row, five in _ROWS.items() for kana, vowel in zip(five, "aiueo", strict=True)}
_MORAE |= {"ぢ": "zi", "づ": "zu", "ぶ": "bu", "ん": "n'", "っ": "Q", "ー": "-"}
_WORD = re.compile(r"(?:Q?(?:[kgsztdhbpmnr]y?|[wy])?[aiueo]|N)+Q?")
_LATIN = re.compile(r"[a-z'-]+")
_TOKEN = re.compile(r"[a-z'-]+|[^a-z'\s-]+|-")
_KANJI = re.compile(r"[\u3400-\u9fff]")
_LONG = re.compile(r"([aiueo])\1+")
_JAPANESE = "の"
"""A character that all companies' texts have that are in Japanese: others get no questions in romaji."""
_LONGEST = 20
"""Length of the longest reading that is looked for, in letters."""
_SHARE, _FEWEST = 0.6, 8
"""Share of a question's letters, and number of letters, that must be in words of Japanese syllables."""
_MOST_LETTERS = 400
"""Number of letters of a question that are read, so that one of any length costs a few hundredths of a second."""
# Measured on Japanese questions of two kinds, in costs of the dictionary: 500 for a factor of e.
_OTHER_LENGTH, _OVER_A_SPACE, _KNOWN, _UNKNOWN = 3000.0, 800.0, 2000.0, 7000.0


def in_kanji(text: str, known: Container[str]) -> str:
    """Return a question in romaji as it is usually written in Japanese; any other text as it is.

    Args:
        text: The question.
        known: Pieces of known texts (`features.grams`): words that they have are likelier than others.
    """
    tokens = _romaji_tokens(text) if _JAPANESE in known else []
    if not tokens:
        return text
    found, words, read = list[str](), list[str](), 0
    for token in [*tokens, ""]:
        if read + len(token) <= _MOST_LETTERS and _is_syllabic(token):
            words.append(_spelt(token))
            read += len(token)
            continue
        if words:
            found.append(readings().convert(words, known))
        words = []
        found.append(token)
    return re.sub(r"(?<=[a-z0-9]) +(?![a-z0-9])|(?<![a-z0-9]) +", "", " ".join(found)).strip()


def _romaji_tokens(text: str) -> list[str]:
    """Return the words and the marks of a question in romaji; nothing if it is not in romaji."""
    if is_japanese(text):
        return []
    plain = unicodedata.normalize("NFD", casefolded(text)).replace("\u2019", "'")
    tokens = _TOKEN.findall(re.sub("[\u0302\u0304]", "-", plain))
    words = [token for token in tokens if _LATIN.fullmatch(token)]
    english = [token for token in words if token in FUNCTION_WORDS]
    if not all(map(_is_syllabic, set(english))):
        return []
    syllabic = [token for token in words if _is_syllabic(token)]
    letters = sum(map(len, syllabic))
    if 2 * len(english) >= len(syllabic):
        return []
    return tokens if letters >= max(_FEWEST, _SHARE * sum(map(len, words))) else []


def _is_syllabic(token: str) -> bool:
    return bool(_LATIN.match(token)) and _WORD.fullmatch(_spelt(token)) is not None


def _spelt(word: str) -> str:
    """Return a word of any romanisation in the one that readings have; `N` is ん, and `Q` is っ."""
    for written, spelling in _SPELLINGS:
        word = written.sub(spelling, word)
    return re.sub(r"([aiueo])-", r"\1\1", word).replace("-", "").replace("ou", "oo")


def spelt_kana(kana: str) -> str:
    """Return the romanisation of hiragana that `_spelt` also arrives at."""
    found = ""
    for char in kana:
        if char in _SMALL and found:
            sound = "ye" if char == "ぇ" and found[-1] == "i" else _SMALL[char]
            alone = found[-1] == "u" and found[-2:-1] in {"", *"aiueo'"}
            found = found[:-1] + ("w" if alone else "") + sound
        else:
            found += _MORAE.get(char, "")
    return _spelt(found)


def _folded(spelt: str) -> str:
    """Return a reading without what romanisations leave out: long vowels, and ん before a vowel."""
    return _LONG.sub(r"\1", spelt).replace("N", "n").replace("nn", "n").replace("wo", "o")


@dataclass(frozen=True)
class Readings:
    """Words by reading, and what it costs that a word follows another: the cheapest sentence is the likeliest.

    Attributes:
        words: For each folded reading its words: reading, writing, cost, class as a second and as a first word.
        costs: The cost of a word of the second class after one of the first. Class 0 is the beginning and the end.
        unknown: The classes of an unknown word.
    """

    words: Mapping[str, list[tuple[str, str, int, int, int]]]
    costs: Floats
    unknown: tuple[int, int]

    def convert(self, parts: list[str], known: Container[str]) -> str:
        """Return the likeliest sentence with these parts, which were between spaces."""
        letters = "".join(parts)
        spaces = set(np.cumsum([len(part) for part in parts]).tolist())
        size = len(self.costs)
        best = np.full((len(letters) + 1, size), np.inf, dtype=np.float32)
        best[0, 0] = 0
        origins: dict[tuple[int, int], tuple[int, int, str]] = {}
        for at in range(len(letters)):
            if not np.isfinite(best[at]).any():
                continue
            joined = best[at][:, None] + self.costs
            before, entering = joined.argmin(axis=0), joined.min(axis=0)
            for end, written, cost, second, first in self._words_at(letters, at, spaces, known):
                total = entering[second] + cost
                if total < best[end, first]:
                    best[end, first] = total
                    origins[end, first] = at, int(before[second]), written
        at, ending = len(letters), int((best[-1] + self.costs[:, 0]).argmin())
        found = []
        while at:
            at, ending, written = origins[at, ending]
            found.append(written)
        return "".join(reversed(found))

    def _words_at(
        self, letters: str, at: int, spaces: set[int], known: Container[str]
    ) -> Iterator[tuple[int, str, float, int, int]]:
        for end in range(at + 1, min(at + _LONGEST, len(letters)) + 1):
            part = letters[at:end]
            folded = _folded(part)
            across = _OVER_A_SPACE * sum(at < space < end for space in spaces)
            for reading, written, cost, second, first in self.words.get(folded, ()):
                other = _OTHER_LENGTH if reading != part else 0.0
                bonus = _KNOWN if len(written) > 1 and _is_known(written, known) else 0.0
                yield end, written, cost + across + other - bonus, second, first
            if folded in _kana() or end == at + 1:
                yield end, _kana().get(folded, part), _UNKNOWN + across, *self.unknown


def _is_known(written: str, known: Container[str]) -> bool:
    return _KANJI.search(written) is not None and all(
        written[start : start + 4] in known for start in range(max(1, len(written) - 3))
    )


@functools.cache
def _kana() -> dict[str, str]:
    """Return the kana of each syllable, for what no word explains."""
    single = [kana for kana in _MORAE if kana not in "＿ー"]
    double = [kana + small for kana in single if _MORAE[kana][-1:] == "i" for small in "ゃゅょ"]
    return {_folded(spelt_kana(kana)): kana for kana in reversed([*single, *double])}


@functools.cache
def readings() -> Readings:
    """Load the words, at the first question in romaji: it takes about a second and 40 MB."""
    lines = lzma.decompress(READINGS.read_bytes()).decode().split("\n")
    size, *unknown = map(int, lines[0].split())
    costs = np.array([line.split() for line in lines[1 : size + 1]], dtype=np.float32)
    words = defaultdict(list)
    for line in lines[size + 1 :]:
        reading, written, cost, second, first = line.split("\t")
        words[_folded(reading)].append((reading, written, int(cost), int(second), int(first)))
    return Readings(dict(words), costs, (unknown[0], unknown[1]))
