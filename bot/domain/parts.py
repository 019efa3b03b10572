"""The two questions of a message that clearly asks two (docs/decisions/0031-two-questions-in-one-message.md)."""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bot.domain.asking import asks
from bot.domain.courtesy import is_small_talk
from bot.domain.similar import content

LONGEST_ASKED = 700
"""Width of a message up to which it is looked at; a Japanese character is 2 wide. A longer one tells a story."""
MOST_ASKED_SENTENCES = 10
MOST_PARTS = 2
OWN_WORDS = 2
"""Words of its own from which a question without a word like “also” before it has a topic of its own."""

_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_OPENER = re.compile(
    rf"^(?:(?:{'|'.join(_LISTS['openers_english'])})\b|{'|'.join(_LISTS['openers_japanese'])})[\s,:、。.\-–—]*"
)
_REFERRING = re.compile("|".join(_LISTS["referring"]))
_CONTINUING = re.compile(_LISTS["continuing"])
_ASKING_FORM = re.compile(_LISTS["asking_form"])
_REPORTING = re.compile("|".join(_LISTS["reporting"]))
_NOT_REPORTING = re.compile("|".join(_LISTS["not_reporting"]))
_OF_A_REPORT = re.compile("|".join(_LISTS["of_a_report"]))
_HEADING = re.compile(_LISTS["heading"])
_OPEN_QUESTION = re.compile(_LISTS["asking_open"])
_DETAIL_QUESTION = re.compile("|".join(_LISTS["asking_detail"]))
_ENGLISH_DETAILS = frozenset(_LISTS["details_english"].split())
_DETAILS = frozenset(piece for word in _ENGLISH_DETAILS for piece in content(word)) | _ENGLISH_DETAILS
_JAPANESE_DETAILS = re.compile("|".join(sorted(_LISTS["details_japanese"].split(), key=len, reverse=True)))
_JAPANESE_WORD = re.compile(r"[ァ-ヺー]{2,}|[一-龠々]+")
_KANJI_PAIR = re.compile("[一-龠々]{2}")

_CITED = re.compile(
    r"「[^」]*」|『[^』]*』|“[^”]*”|\"[^\"\n]*\"|(?<!\w)'[^'\n]{3,}'(?!\w)"
    r"|[（(][^）)]*[）)]|https?://[^\s　]+|[^\s　]+@[^\s　]+"
)
"""A quotation, brackets or an address: a question mark in them asks nothing."""
_NO_QUESTIONS = re.compile(r"```|^\s*(?:>|&gt;)", re.MULTILINE)
"""A piece of code or a quoted line: the message is about somebody's text."""
_MARKER = re.compile(r"^[\s　]*(?:[-*•・‣◦●○■▪][\s　]*|[（(]?\d{1,2}[.)．）:、][\s　]*|[①-⑳][\s　]*)(?=\S)")
_BULLET = re.compile(r"^[\s　]*[-*•・‣◦●○■▪]")
_END = re.compile(
    r"\n+"
    r"|[。．！？!?]+[\s　]*"
    r"|(?<!\be\.g)(?<!\bi\.e)(?<!\bmr)(?<!\bms)(?<!\bdr)(?<!\bvs)(?<!\bno)(?<!\betc)"
    r"(?<!\b\d)(?<![ap]\.m)\.(?:[\s　]+|$)"
    r"|[\s　](?=[（(]?[2-9][)）][\s　]?\D)|(?=[②-⑳])"
    r"|(?<=[かん])[、,](?=あと|それと|それから|また、)"
    r"|(?<!\band),?\s(?=(?:and also|also),?\s"
    r"(?:how|where|when|who|what|which|why|can|could|do|does|is|are|may|should)\b)",
    re.IGNORECASE,
)


class Sentence(NamedTuple):
    """A sentence of a message: its text, what it reads like without what is cited, and how it begins."""

    start: int
    end: int
    plain: str
    """Lower-case and without a marker or an opening word."""
    marked: bool
    """Whether the sentence begins an item of a list."""
    opened: bool
    """Whether the sentence begins with a word such as “also”."""
    asking: bool
    reporting: bool
    """Whether the sentence stands for a question without asking one: “My laptop does not start.”"""


def parts_of(text: str) -> tuple[str, ...]:
    """Return the two questions of a message that clearly asks two, each with its background; else the text alone.

    A trouble that somebody is to mend, and an order, count as questions beside another one. Wrongly split is worse than
    not split: where anything is in doubt, the message is one question. More than two questions are one, too.
    """
    text = text.strip()
    starts = _starts(text)
    if len(starts) != MOST_PARTS:
        return (text,)
    second = starts[1]
    return _tidy(text[:second]).rstrip("、,"), _tidy(text[second:])


def asks_several(text: str) -> bool:
    """Return whether a message clearly asks more than two questions. It is answered as one."""
    return len(_starts(text.strip())) > MOST_PARTS


def _starts(text: str) -> list[int]:
    """Return where each clear question of the message begins, with its background; one start if they are not clear."""
    if _width(text) > LONGEST_ASKED or _NO_QUESTIONS.search(text):
        return [0]
    sentences = _sentences(text)
    if not 0 < len(sentences) <= MOST_ASKED_SENTENCES:
        return [0]
    return _listed(sentences) if any(one.marked for one in sentences) else _told(sentences)


def _listed(sentences: Sequence[Sentence]) -> list[int]:
    """Return where the items of a list begin, if each of them asks and nothing outside of them does.

    Items that only report are the symptoms of one trouble.
    """
    first = next(n for n, one in enumerate(sentences) if one.marked)
    starts = [n for n, one in enumerate(sentences) if one.marked]
    items = [sentences[at:until] for at, until in zip(starts, [*starts[1:], len(sentences)], strict=True)]
    lead = sentences[:first]
    outside = any((one.asking or one.reporting) and not _HEADING.search(one.plain) for one in lead)
    asked = any(one.asking for item in items for one in item)
    clear = asked and not outside and all(_is_clear(item, items[0] if n else ()) for n, item in enumerate(items))
    return [item[0].start for item in items] if clear else [0]


def _told(sentences: Sequence[Sentence]) -> list[int]:
    """Return where the questions of a running text begin."""
    cuts = [0, *(n for n, one in enumerate(sentences) if n and one.opened), len(sentences)]
    pieces: list[Sequence[Sentence]] = []
    for at, until in pairwise(cuts):
        piece = sentences[at:until]
        if pieces and not _is_clear(piece, pieces[0]):
            pieces[-1] = [*pieces[-1], *piece]
        else:
            pieces.append(piece)
    if len(pieces) > 1 and not _is_clear(pieces[0], ()):
        return [0]
    return [start for piece in pieces for start in _side_by_side(piece)]


def _side_by_side(piece: Sequence[Sentence]) -> list[int]:
    """Return where each question begins that follows another one directly and has a topic of its own.

    Beside the questions there may only be courtesy: two questions at the end of a story are about that story. What can
    be answered with yes or no mostly goes on with the question before it: “Who pays my hotel? Is breakfast included?”
    """
    if any(_own(one) for one in piece if not one.asking):
        return [piece[0].start]
    starts, topic = [piece[0].start], set[str]()
    for before, one in zip([None, *piece], piece, strict=False):
        own, follows = _own(one), one.asking and before and before.asking and topic
        if follows and len(own) >= OWN_WORDS and not _leans(one) and not _overlap(own, topic):
            starts.append(one.start)
            topic = set()
        topic |= own
    # A further question could belong to any of these, so nothing is divided.
    return starts if len(starts) == sum(one.asking for one in piece) else starts[:1]


def _is_clear(piece: Sequence[Sentence], first: Sequence[Sentence]) -> bool:
    """Return whether a piece asks something of its own.

    Args:
        piece: Its sentences.
        first: The sentences of the first question; empty for the first one itself.
    """
    known = {word for one in first for word in _own(one)}
    only_reported = bool(first) and not any(one.asking for one in first)
    background = set[str]()
    for one in piece:
        own = _own(one)
        if one.reporting and own and not _points_back(one.plain) and not _overlap(own, known):
            return not only_reported or _is_apart(piece, known)
        if one.asking and (background or not _refers(one.plain)) and (own | background) - known:
            return not only_reported or _is_apart(piece, known)
        background |= own
    return False


def _is_apart(piece: Sequence[Sentence], known: set[str]) -> bool:
    """Return whether a piece after a report has another topic, and is not about its symptoms, repair or cost."""
    own = {word for one in piece for word in _own(one)}
    others = {word for one in piece for word in _topic_words(_OF_A_REPORT.sub(" something ", one.plain))}
    return bool(others) and not _overlap(own, known)


def _own(sentence: Sentence) -> set[str]:
    """Return the words of a sentence that name a topic: no function words, and no details of any question."""
    return _topic_words(sentence.plain)


def _topic_words(plain: str) -> set[str]:
    english = {word for word in content(re.sub(r"[^ -~]+", " ", plain)) if word.isalpha()} - _DETAILS
    japanese = {_JAPANESE_DETAILS.sub("", word) for word in _JAPANESE_WORD.findall(plain)}
    return {word for word in english | japanese if word}


def _refers(plain: str) -> bool:
    """Return whether a sentence refers to something before it. “My screen is broken, who replaces it?” does not."""
    found = _REFERRING.search(plain)
    return bool(found) and not _topic_words(re.sub(r"[^,、]*$", "", plain[: found.start()] if found else ""))


def _points_back(plain: str) -> bool:
    """Return whether a report is of something named before it. “Excel fails when I open it” names it itself."""
    found = _REFERRING.search(plain)
    return bool(found) and not _topic_words(plain[: found.start()] if found else "")


def _leans(sentence: Sentence) -> bool:
    """Return whether a question refers to the one before it, goes on with it, or asks for a detail of it."""
    leaning = any(form.search(sentence.plain) for form in (_REFERRING, _CONTINUING, _DETAIL_QUESTION))
    return leaning or not _OPEN_QUESTION.search(sentence.plain)


def _overlap(some: set[str], others: set[str]) -> bool:
    """Return whether a word stands in one of the other question, or shares two kanji with it: 面接官 and 採用面接."""
    if any(one in other or other in one for one in some for other in others):
        return True
    return bool(_kanji_pairs(some) & _kanji_pairs(others))


def _kanji_pairs(words: set[str]) -> set[str]:
    return {pair for word in words for pair in map("".join, pairwise(word)) if _KANJI_PAIR.fullmatch(pair)}


def _sentences(text: str) -> list[Sentence]:
    hidden = _CITED.sub(lambda found: re.sub(r"[\s\W_]", "x", found[0]), text)
    ends = [found.end() for found in _END.finditer(hidden)]
    found, start = [], 0
    for end in [*ends, len(text)]:
        if text[start:end].strip():
            line_begins = start == 0 or "\n" in text[:start][-2:]
            found.append(_sentence(hidden, start, end, line_begins=line_begins))
            start = end
    return found


def _sentence(hidden: str, start: int, end: int, *, line_begins: bool) -> Sentence:
    shown = hidden[start:end]
    marker = _MARKER.match(shown)
    if marker and _BULLET.match(shown) and not line_begins:
        marker = None
    folded = unicodedata.normalize("NFKC", shown[marker.end() if marker else 0 :]).casefold().strip()
    opener = _OPENER.match(folded)
    plain = folded[opener.end() :] if opener else folded
    asking = bool(_ASKING_FORM.search(plain)) and asks(plain.rstrip(" 、,")) and not is_small_talk(plain)
    reporting = not asking and bool(_REPORTING.search(plain)) and not _NOT_REPORTING.search(plain)
    marks = {"marked": bool(marker), "opened": bool(opener), "asking": asking, "reporting": reporting}
    return Sentence(start, end, plain, **marks)


def _tidy(part: str) -> str:
    """Return a part without the marker, the opening word and the heading that it does not need on its own."""
    lines = part.strip().split("\n")
    marked = next((n for n, line in enumerate(lines) if _MARKER.match(line)), None)
    if marked is not None:
        lead = [line for line in lines[:marked] if line.strip() and not _is_heading(line)]
        lines = [*lead, _MARKER.sub("", lines[marked], count=1), *lines[marked + 1 :]]
    text = "\n".join(lines).strip()
    width = _opener_width(text)
    rest = text[width:].strip()
    return rest[:1].upper() + rest[1:] if width and rest else text


def _is_heading(line: str) -> bool:
    return bool(_HEADING.search(unicodedata.normalize("NFKC", line).casefold().strip()))


def _opener_width(text: str) -> int:
    """Return the length of the opening word of a text, without changing its width or case elsewhere."""
    lowered = "".join(one.lower() if len(one.lower()) == 1 else one for one in text[:40])
    found = _OPENER.match(lowered)
    return found.end() if found else 0


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
