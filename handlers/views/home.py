"""App Home: what the bot does, the person's own questions, and what this person may do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.domain.card import Card
from bot.domain.prompt import Prompt
from handlers.texts.escape import escaped, mention, person
from handlers.texts.words import Words
from handlers.views.message import Block, context, date, plain, section

HOME_CATEGORIES = 40
"""Maximum number of categories that are listed: a home holds 100 blocks, and a section 3,000 characters."""
PER_SECTION = 10
"""Categories per section."""
OWN_TEXT = 120
"""Maximum length of a person's own question in the list, in characters."""


def home(parts: Iterable[Sequence[Block]]) -> dict[str, Any]:
    """Return a home of these parts, with a line between each two. Empty parts are left out."""
    blocks: list[Block] = []
    for part in filter(None, parts):
        blocks += [*([{"type": "divider"}] if blocks else []), *part]
    return {"type": "home", "blocks": blocks}


def not_for_guests(words: Words) -> dict[str, Any]:
    """Return the home of guests and of people of other organisations."""
    return home([[_title(words("home.title")), section(words("home.outsider"))]])


def about(prompt: Prompt, words: Words, *, bot: str) -> list[Block]:
    """Return what the bot does, how to ask, and which teams it knows.

    Args:
        prompt: The current prompt, for its categories.
        words: The person's language.
        bot: A mention of the bot.
    """
    blocks = [_title(words("home.ask")), section(words("home.about")), section(words("home.how", bot=bot))]
    examples = [example for category in prompt.categories for example in category.examples[:1]][:3]
    if examples:
        blocks.append(context(words("home.examples", examples=" · ".join(escaped(one, 80) for one in examples))))
    lines = [
        words("home.category", category=escaped(words.name(c), 80), owner=mention(c.owner) or words("home.no_owner"))
        for c in prompt.categories
    ]
    starts = range(0, min(len(lines), HOME_CATEGORIES), PER_SECTION)
    blocks += [
        section(words("home.categories") + "\n" + "\n".join(lines[start : start + PER_SECTION])) for start in starts
    ]
    if len(lines) > HOME_CATEGORIES:
        blocks.append(context(words("home.more", n=len(lines) - HOME_CATEGORIES)))
    return blocks


def own_questions(cards: Sequence[Card], links: Mapping[str, str | None], words: Words) -> list[Block]:
    """Return the person's last questions with what became of each; nothing if there is none."""
    if not cards:
        return []
    lines = [_own(card, links.get(card.question.id), words) for card in cards]
    return [_title(words("home.own")), section("\n".join(lines))]


def _own(card: Card, link: str | None, words: Words) -> str:
    category = card.category
    name = escaped(words.name(category), 80) if category else "–"
    owner = mention(card.owner) or words("home.no_owner")
    if card.settled:
        state = words("home.own_settled", category=name, owner=owner, who=person(card.settled.by))
    else:
        state = words("home.own_guess" if card.guessed else "home.own_answered", category=name, owner=owner)
    text = " ".join(escaped(card.question.text, OWN_TEXT).split())
    return f"> {text}\n{state} · {date(card.question.asked_at, link)}"


def roles(words: Words, *, staff: str | None, admin: bool) -> list[Block]:
    """Return what the person's roles allow.

    Args:
        words: The person's language.
        staff: Mentions of the staff if this person is staff; otherwise None.
        admin: Whether this person is an admin.
    """
    lines = [words("home.staff", who=staff)] if staff else []
    lines += [words("home.admin")] if admin else []
    return [context("\n".join(lines))] if lines else []


def _title(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}
