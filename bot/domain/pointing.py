"""Messages that only point at another one, as “who handles this?” and 「これ誰に聞けばいい？」 do."""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

LONGEST_POINTER = 120
"""Maximum length of a message that only points, in characters. A longer one says something of its own."""

NAMES = re.compile(r":[a-z0-9_+\-']+:|[@#][\w.\-]+")
"""Matches emoji, and the names of people and channels."""
RUNS = re.compile(r"[a-z]+|[\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u4e00-\u9fff々]+|[^\W_]")
"""Matches a word of English, an unbroken stretch of Japanese, or any other letter or digit."""
HIRAGANA = re.compile(r"[\u3041-\u3096]")
KANJI = re.compile(r"[\u4e00-\u9fff]")
FREE = frozenset("誰何様者先")
"""Words of one kanji that may follow another kanji. Others would make a word with it: 人 and 事 are not 人事."""

_WORDS = {
    section: {name: words.split() for name, words in lists.items()}
    for section, lists in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}
ENGLISH = frozenset(word for words in _WORDS["english"].values() for word in words)
NOUNS = [word for words in _WORDS["japanese"].values() for word in words]
POINTERS = _WORDS["pointers"]
VERBS, PARTICLES = _WORDS["endings"]["verbs"], _WORDS["endings"]["particles"]


def only_points(text: str, names: Iterable[str] = ()) -> bool:
    """Return whether nothing is left of a text without pointing words, function words and politeness.

    Such a text asks about another message, and its topic stands there. An empty text only points, too.

    Args:
        text: Plain text in English, Japanese, or both.
        names: Names of categories. Beside a word like “this” they are no topic: “is this IT?”.
    """
    folded = _folded(text)
    if len(folded) > LONGEST_POINTER:
        return False
    runs = RUNS.findall(NAMES.sub(" ", folded))
    known = {word for name in names for word in RUNS.findall(_folded(name))} if any(map(_is_pointer, runs)) else ()
    return all(run in ENGLISH or run in known or _is_covered(run, known) for run in runs)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _is_pointer(run: str) -> bool:
    return run in POINTERS["english"] or any(word in run for word in POINTERS["japanese"])


def _is_covered(run: str, names: Collection[str]) -> bool:
    """Return whether a stretch of Japanese can be split into known words, each with its particles or its ending."""
    ends: dict[int, set[str]] = {0: {"start"}}
    for at in range(len(run)):
        for before in ends.pop(at, set()):
            for length, kind in _next_pieces(run, at, before, names):
                ends.setdefault(at + length, set()).add(kind)
    return len(run) in ends


def _next_pieces(run: str, at: int, before: str, names: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield the length and kind of each piece that may stand at this position after a piece of the kind `before`."""
    after_kanji = at > 0 and KANJI.match(run, at - 1)
    for kind, words in (("noun", NOUNS), ("noun", names), ("verb", VERBS)):
        for word in words:
            if run.startswith(word, at) and not (after_kanji and KANJI.fullmatch(word) and word not in FREE):
                yield len(word), kind
    if before == "noun":
        yield from ((len(particle), "noun") for particle in PARTICLES if run.startswith(particle, at))
    if before == "verb" and HIRAGANA.match(run, at):
        yield 1, "verb"
