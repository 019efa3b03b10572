"""The notice to a person who has asked too many questions within an hour."""

from typing import Any

from bot.domain.hourly import LimitRefusal
from handlers.texts.words import Words
from handlers.views.message import date


def limit_text(refusal: LimitRefusal, words: Words) -> str:
    """Return what happened, and when the person may ask again, as mrkdwn."""
    return words("limit.reached", **limit_facts(refusal))


def limit_facts(refusal: LimitRefusal) -> dict[str, Any]:
    """Return the facts of the text `limit.reached`."""
    return {"most": refusal.most, "free": date(refusal.free_at)}
