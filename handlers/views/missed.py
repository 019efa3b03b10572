"""The questions that were found too late to be answered, for staff."""

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.domain.question import Missed
from handlers.texts.words import Words
from handlers.views.message import Message, context, date, section

LINES = 10
"""Of one section: links are long."""


def missed(found: Missed, links: Mapping[str, str], staff: str) -> Message:
    """Where they were asked and when, each with its link, the oldest first.

    Args:
        found: the questions.
        links: ts → address, without those that were deleted since.
        staff: mentions of who is asked to look.
    """
    words = Words(found.language)
    facts = {"staff": staff, "n": found.n, "channel": f"<#{found.channel}>", "hours": f"{found.hours:g}"}
    title = words("missed.title", **facts).strip()
    lines = [f"• {date(datetime.fromtimestamp(float(ts), UTC), link)}" for ts, link in links.items()]
    blocks = [section(title)]
    blocks += [section("\n".join(lines[start : start + LINES])) for start in range(0, len(lines), LINES)]
    if found.n > len(found.ts):
        blocks.append(context(words("missed.more", n=found.n - len(found.ts))))
    return Message(title, blocks)
