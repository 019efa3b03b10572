"""The offer to take a reply in an answer's thread as a new question."""

from bot.domain.hourly import LimitRefusal
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import ReplyPayload
from handlers.views.limit import limit_text
from handlers.views.message import Message, button, section


def offer(ts: str, words: Words) -> Message:
    """Return the offer for the reply with this ts."""
    value = ReplyPayload(ts=ts).packed()
    buttons = [
        button(words("follow_up.yes"), ids.FOLLOW_UP_YES, value),
        button(words("follow_up.no"), ids.FOLLOW_UP_NO, value),
    ]
    text = words("follow_up.offer")
    return Message(text, [section(text), {"type": "actions", "block_id": "follow_up", "elements": buttons}])


def limited(refusal: LimitRefusal, words: Words) -> Message:
    """Return the message that replaces the offer of a person who has asked too many questions within an hour."""
    text = limit_text(refusal, words)
    return Message(text, [section(text)])


def noted(words: Words, *, taken: bool) -> Message:
    """Return the message that replaces the offer after a press."""
    text = words("follow_up.taken" if taken else "follow_up.gone")
    return Message(text, [section(text)])
