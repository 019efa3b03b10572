"""The intake policy: which messages are questions, and what people are told about the others (docs/slack.md)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from bot.domain.characters import clean_values
from bot.domain.masking import masked
from bot.domain.pointing import only_points
from bot.domain.question import Arrival, Notice, Unread, Via

LONGEST_QUESTION = 6_000
"""Maximum length of a question in characters. A longer message is cut, and the card says so."""

MOST_MASKED = 2 * LONGEST_QUESTION
"""Length to which a message with its quotes is cut before it is masked, which takes time. A text that masks shorten
stays long enough to be cut, and said to be, when the question is read."""

LONGEST_MASKED_AT_ONCE = 1_000
"""Number of characters up to which masking takes some milliseconds at most."""

EMOJI_CODE = re.compile(r":[a-z0-9_+\-']+:(?::skin-tone-\d:)?")


def words_of(text: str) -> str:
    """Return only the letters and digits, of any script: no emoji, punctuation or white space."""
    return "".join(ch for ch in EMOJI_CODE.sub("", text) if unicodedata.category(ch)[0] in "LN")


def has_words(text: str) -> bool:
    """Return whether `words_of` would return anything."""
    return any(unicodedata.category(ch)[0] in "LN" for ch in EMOJI_CODE.sub("", text))


def storable(arrival: Arrival) -> Arrival:
    """Return the arrival as it may be stored: clean, cut, masked, and without text if an outsider wrote it."""
    clean = Arrival.model_validate(clean_values(arrival.model_dump()))
    if clean.outsider:
        return clean.model_copy(update={"text": "", "quotes": (), "authors": ()})
    text, *quotes = map(masked, _within(MOST_MASKED, (clean.text, *clean.quotes)))
    return clean.model_copy(update={"text": text, "quotes": tuple(filter(None, quotes))})


def is_long(arrival: Arrival) -> bool:
    """Return whether `storable` takes so long for this arrival that others should not wait for it."""
    return len(arrival.text) + sum(map(len, arrival.quotes)) > LONGEST_MASKED_AT_ONCE


def _within(most: int, parts: Iterable[str]) -> Iterator[str]:
    """Yield the parts, cut so that all of them together have no more than `most` characters."""
    for part in parts:
        yield part[:most]
        most -= len(part[:most])


def points_at_thread(arrival: Arrival, names: Iterable[str] = ()) -> bool:
    """Return whether the message is a reply that says nothing of its own, so that its topic stands in the thread.

    Emoji alone are a thank-you.

    Args:
        arrival: The message.
        names: Names of categories, as in `only_points`.
    """
    speaks = arrival.quotes or Unread.FORWARD in arrival.unread.split("\n") or arrival.outsider
    only_emoji = arrival.text.strip() and not words_of(arrival.text)
    return bool(arrival.place.thread_ts) and not speaks and not only_emoji and only_points(arrival.text, names)


def notice_for(arrival: Arrival) -> Notice | None:
    """Return why this arrival is no question; None if it is one."""
    if arrival.outsider:
        return Notice.OUTSIDER
    if words_of(arrival.whole):
        return None
    if Unread.FORWARD in arrival.unread.split("\n"):
        return Notice.FORWARD_ONLY
    if arrival.has_files:
        return Notice.FILES_ONLY
    return Notice.EMOJI_ONLY if arrival.text.strip() else Notice.EMPTY


def is_announced(arrival: Arrival, notice: Notice) -> bool:
    """Return whether the asker is told. In a watched channel an emoji is talk between people, not a question to us."""
    return arrival.via is not Via.CHANNEL or notice in {Notice.OUTSIDER, Notice.FORWARD_ONLY}


def cut(text: str) -> tuple[str, bool]:
    """Return the part of a text that is kept, and whether anything was cut."""
    text = text.strip()
    return (text, False) if len(text) <= LONGEST_QUESTION else (text[:LONGEST_QUESTION].rstrip(), True)
