"""The written policy for what arrives: which messages are questions, and what is said of the others (docs/slack.md)."""

import re
import unicodedata

from bot.domain.masking import masked
from bot.domain.question import Arrival, Notice, Via

LONGEST_QUESTION = 6_000
"""Characters of a question that are kept; a longer message is cut and the card says so."""

EMOJI_CODE = re.compile(r":[a-z0-9_+\-']+:(?::skin-tone-\d:)?")


def words_of(text: str) -> str:
    """What is left without emoji, punctuation and white space: letters and digits of any script."""
    return "".join(ch for ch in EMOJI_CODE.sub("", text) if unicodedata.category(ch)[0] in "LN")


def kept(arrival: Arrival) -> Arrival:
    """The arrival as it may be written down: masked, and without an outsider's text."""
    return arrival.model_copy(update={"text": "" if arrival.outsider else masked(arrival.text)})


def notice_for(arrival: Arrival) -> Notice | None:
    """Why this arrival is no question, or None where it is one."""
    if arrival.outsider:
        return Notice.OUTSIDER
    if words_of(arrival.text):
        return None
    if arrival.has_files:
        return Notice.FILES_ONLY
    return Notice.EMOJI_ONLY if arrival.text.strip() else Notice.EMPTY


def is_said(arrival: Arrival, notice: Notice) -> bool:
    """Whether people are told. In a watched channel an emoji is talk between people, not a question to us."""
    return arrival.via is not Via.CHANNEL or notice is Notice.OUTSIDER


def cut(text: str) -> tuple[str, bool]:
    """The part of a text that is kept, and whether there was more."""
    text = text.strip()
    return (text, False) if len(text) <= LONGEST_QUESTION else (text[:LONGEST_QUESTION].rstrip(), True)
