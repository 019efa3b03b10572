"""The list for staff of questions that were found too late to be answered."""

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.domain.question import Missed
from handlers.texts.words import Words
from handlers.views.message import Message, context, date, section

LINES = 10
"""Maximum number of lines in one section, because links are long."""


def missed(found: Missed, links: Mapping[str, str], staff: str) -> Message:
    """Return the list: the channel, and the time of each question with its link, oldest first.

    Args:
        found: The questions.
        links: Ts → permalink, without messages that have been deleted.
        staff: Mentions of the people who are asked to look.
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
