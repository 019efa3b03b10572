"""The shares of settlers, the rows set aside, and the withdrawal of one person's settlements."""

from collections.abc import Mapping
from datetime import datetime

from bot.domain.prompt import Prompt
from bot.domain.shares import SetAside, WhyAside
from handlers.texts.escape import person
from handlers.texts.words import Words
from handlers.views.finetune import name_of
from handlers.views.ids import (
    ASIDE_KEEP,
    ASIDE_LEAVE,
    ASIDE_LOOK,
    WITHDRAW_CONFIRM,
    WITHDRAW_DISMISS,
    WITHDRAW_UNDO,
    NamedPayload,
    WithdrawPayload,
)
from handlers.views.message import Block, Message, button, day, section

MOST_SETTLERS = 20
"""Maximum number of people that are listed."""
MOST_ASIDE = 15
"""Maximum number of people whose rows are shown to be looked at, with two buttons each."""


def shares(settlers: Mapping[str, Mapping[str, int]], prompt: Prompt, words: Words) -> list[str]:
    """Return how many rows each person settled, by category, for the details; most first."""
    total = sum(sum(counts.values()) for counts in settlers.values())
    lines = [words("settlers.title", n=total)] if total else []
    for who, counts in [*settlers.items()][:MOST_SETTLERS]:
        own = sum(counts.values())
        named = [f"{name_of(prompt, category, words)} {n}" for category, n in counts.items()]
        facts = {"who": person(who), "n": own, "percent": f"{own / total:.0%}", "categories": " · ".join(named)}
        lines.append(words("settlers.person", **facts))
    return lines


def aside_line(people: Mapping[str, int], words: Words) -> str:
    """Return that rows of these people are set aside."""
    named = words.listed([person(who) for who in people][:3])
    return words("settlers.aside", n=sum(people.values()), who=named)


def look_button(words: Words) -> Block:
    """Return the button that shows what is set aside."""
    return button(words("settlers.look"), ASIDE_LOOK, NamedPayload(id="aside").packed())


def aside(found: SetAside, words: Words) -> Message:
    """Return what is set aside of each person, with the buttons to keep it or to leave it out."""
    if not found.people:
        text = words("settlers.nothing")
        return Message(text, [section(text)])
    blocks: list[Block] = [section(words("settlers.why"))]
    for who, counts in [*found.people.items()][:MOST_ASIDE]:
        reasons = [words(f"settlers.reason.{why.value}", n=counts[why]) for why in WhyAside if counts.get(why)]
        blocks.append(section(words("settlers.waits", who=person(who), reasons=words.listed(reasons))))
        payload = NamedPayload(id=who).packed()
        buttons = [
            button(words("settlers.keep"), ASIDE_KEEP, payload),
            button(words("settlers.leave"), ASIDE_LEAVE, payload),
        ]
        blocks.append({"type": "actions", "block_id": f"aside:{who}", "elements": buttons})
    return Message(words("settlers.why"), blocks)


def ask_withdrawal(who: str, since: datetime | None, n: int, words: Words) -> Message:
    """Return what would be taken back, with the buttons to do so or not."""
    if since:
        text = words("settlers.withdraw_since", n=n, who=person(who), day=day(since))
    else:
        text = words("settlers.withdraw", n=n, who=person(who))
    buttons = [
        button(words("settlers.confirm"), WITHDRAW_CONFIRM, WithdrawPayload(id=who, at=since).packed(), style="danger"),
        button(words("settlers.dismiss"), WITHDRAW_DISMISS, NamedPayload(id=who).packed()),
    ]
    return Message(text, [section(text), {"type": "actions", "block_id": "withdraw", "elements": buttons}])


def withdrawn(who: str, n: int, at: datetime, words: Words) -> Message:
    """Return what was taken back, with the button that undoes it."""
    text = words("settlers.withdrawn", n=n, who=person(who))
    undo = button(words("settlers.undo"), WITHDRAW_UNDO, WithdrawPayload(id=who, at=at).packed())
    return Message(text, [section(text), {"type": "actions", "block_id": "withdrawn", "elements": [undo]}])
