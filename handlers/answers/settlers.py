"""One person's settlements: set aside until an admin looks, or withdrawn together with `/finetune withdraw`."""

import re
from datetime import UTC, datetime

from bot.domain.errors import Reason, Refused
from handlers.command import Call, Story
from handlers.texts.escape import person as shown_person
from handlers.views import ids
from handlers.views import settlers as views
from handlers.views.ids import WithdrawPayload

WHO_TYPED = re.compile(
    r"(?:<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>|@?([UW][A-Z0-9]{6,}))(?:\s+since\s+(\d{4})[-/.\u5e74](\d{1,2})[-/.\u6708](\d{1,2})\u65e5?)?",
    re.IGNORECASE,
)
"""Matches a mention as Slack writes it, or a user id, and a date after `since`."""


async def look(call: Call) -> None:
    """Show what is set aside, by person."""
    await call.say(views.aside(await call.acts.guarding.look(), call.words))


async def keep(call: Call) -> None:
    n = await call.acts.guarding.decide(call.argument, call.spot.user, keep=True)
    await call.say(call.words("settlers.kept", n=n, who=shown_person(call.argument)), replace=True)


async def leave_out(call: Call) -> None:
    n = await call.acts.guarding.decide(call.argument, call.spot.user, keep=False)
    await call.say(call.words("settlers.left", n=n, who=shown_person(call.argument)), replace=True)


async def withdraw(call: Call) -> None:
    """Show how much would be taken back, and ask first."""
    person, since = await read_typed(call)
    planned = await call.acts.withdrawing.plan(person, since)
    if not planned.total:
        await call.say(call.words("settlers.nothing_settled", who=shown_person(person)))
        return
    await call.say(views.ask_withdrawal(person, since, planned.total, call.words))


async def read_typed(call: Call) -> tuple[str, datetime | None]:
    """Return the person and the time that the words after the command name.

    Raises:
        Refused: WITHDRAW_WHOM, if they are anything else.
    """
    found = WHO_TYPED.fullmatch(call.argument.strip())
    if found is None:
        raise Refused(Reason.WITHDRAW_WHOM)
    person = (found[1] or found[2]).upper()
    if found[3] is None:
        return person, None
    offset = (await call.context.people.get(call.spot.user)).utc_offset
    try:
        return person, datetime(int(found[3]), int(found[4]), int(found[5]), tzinfo=UTC) - offset
    except (ValueError, OverflowError):
        raise Refused(Reason.WITHDRAW_WHOM) from None


async def confirm(call: Call) -> None:
    """Take back what was asked about, and offer to undo that."""
    asked = WithdrawPayload.unpacked(call.value)
    n, at = await call.acts.withdrawing.withdraw(asked.id, asked.at, call.spot.user)
    call.context.wake.deliverers()
    await call.say(views.withdrawn(asked.id, n, at, call.words), replace=True)


async def dismiss(call: Call) -> None:
    await call.say(call.words("settlers.dismissed"), replace=True)


async def undo(call: Call) -> None:
    asked = WithdrawPayload.unpacked(call.value)
    n = await call.acts.withdrawing.undo(asked.id, asked.at, call.spot.user) if asked.at else 0
    call.context.wake.deliverers()
    await call.say(call.words("settlers.undone", n=n, who=shown_person(asked.id)), replace=True)


SETTLERS_STORY = Story(
    verbs={"withdraw": withdraw},
    presses={
        ids.ASIDE_LOOK: look,
        ids.ASIDE_KEEP: keep,
        ids.ASIDE_LEAVE: leave_out,
        ids.WITHDRAW_CONFIRM: confirm,
        ids.WITHDRAW_DISMISS: dismiss,
        ids.WITHDRAW_UNDO: undo,
    },
    free=frozenset({"withdraw"}),
)
