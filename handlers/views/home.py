"""App Home: what the bot does, and what this person may do with it."""

from typing import Any

from bot.domain.prompt import Prompt
from handlers.texts.escape import escaped, mention
from handlers.texts.words import Words
from handlers.views.message import Block, context, plain, section

HOME_CATEGORIES = 40
"""Maximum number of categories that are listed: a home holds 100 blocks, and a section 3,000 characters."""
PER_SECTION = 10
"""Categories per section."""


def home(prompt: Prompt, words: Words, *, bot: str, staff: str | None, admin: bool) -> dict[str, Any]:
    """Return a person's App Home.

    Args:
        prompt: The current prompt, for its categories.
        words: The person's language.
        bot: A mention of the bot.
        staff: Mentions of the staff if this person is staff; otherwise None.
        admin: Whether this person is an admin.
    """
    blocks: list[Block] = [
        {"type": "header", "text": plain(words("home.title"), 150)},
        section(words("home.about")),
        section(words("home.how", bot=bot)),
        {"type": "divider"},
        section(words("home.categories")),
    ]
    lines = [
        words("home.category", category=escaped(c.name, 80), owner=mention(c.owner) or words("home.no_owner"))
        for c in prompt.categories
    ]
    starts = range(0, min(len(lines), HOME_CATEGORIES), PER_SECTION)
    blocks += [section("\n".join(lines[start : start + PER_SECTION])) for start in starts]
    if len(lines) > HOME_CATEGORIES:
        blocks.append(context(words("home.more", n=len(lines) - HOME_CATEGORIES)))
    roles = [words("home.staff", who=staff)] if staff else []
    roles += [words("home.admin")] if admin else []
    if roles:
        blocks += [{"type": "divider"}, *(section(role) for role in roles)]
    return {"type": "home", "blocks": blocks}
