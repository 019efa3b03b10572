"""`/finetune review`: the queue of questions that staff should settle next, one press each."""

from bot.corrections.reviewing import Page
from bot.domain.correction import Press
from bot.domain.errors import Reason, Refused
from bot.domain.gain import QueueReason
from handlers.command import Call, Story
from handlers.texts.words import Words
from handlers.views.ids import REVIEW_NEXT, REVIEW_SETTLES
from handlers.views.review import PAGE_SIZE, SettlePayload, ShownPage, progress
from handlers.views.review import review as view

HERE = "here"


async def review(call: Call) -> None:
    """Show the queue in private. With `here` show it to the channel: what is public, and its own questions."""
    here = call.argument.casefold() == HERE
    page = await call.acts.reviewing.page(0, PAGE_SIZE, shown_in=_readers(call, shared=here))
    footer = progress(await call.acts.reviewing.progress(), call.words)
    await call.say(view(page, call.words, footer), in_channel=here)


async def settle(call: Call) -> None:
    """Settle one entry and show the page again. If somebody was first, tell this person."""
    await call.context.guard.staff_only(call.spot.user)
    shown, pressed = ShownPage.read(call.block), SettlePayload.unpacked(call.value)
    why = next((entry.why for entry in shown.listed if entry.key == pressed.id), None)
    try:
        if why is QueueReason.CONFLICT:
            await call.acts.reviewing.settle_conflict(pressed.id, pressed.category, call.spot.user)
        else:
            press = Press(question_id=pressed.id, category=pressed.category, seen=pressed.seen, by=call.spot.user)
            await call.acts.correcting.settle(press)
    except Refused as refused:
        if refused.reason is not Reason.SETTLED_MEANWHILE:
            raise
        await call.context.private.tell(call.spot, call.words("review.meanwhile"))
    call.context.wake.deliverers()
    entries = await call.acts.reviewing.entries(shown.listed)
    waiting = await call.acts.reviewing.waiting(shown_in=_readers(call, shared=call.shared))
    page = Page(entries=tuple(entries), offset=shown.offset, waiting=waiting)
    await _replace_page(call, page, shown)


async def next_page(call: Call) -> None:
    """Show the next page. It starts after the entries of this page that are still open: settled ones left the queue."""
    shown = ShownPage.read(call.block)
    still_open = sum(entry.open for entry in await call.acts.reviewing.entries(shown.listed))
    readers = _readers(call, shared=call.shared)
    page = await call.acts.reviewing.page(shown.offset + still_open, PAGE_SIZE, shown_in=readers)
    await _replace_page(call, page, shown)


def _readers(call: Call, *, shared: bool) -> str | None:
    """Return the id of the channel that reads the list; None if only the person who calls does."""
    return (call.spot.channel or "") if shared else None


async def _replace_page(call: Call, page: Page, shown: ShownPage) -> None:
    """Replace the page that was pressed. A message that other people see keeps its language."""
    words = Words(shown.language) if call.shared else call.words
    await call.say(view(page, words), in_channel=call.shared, replace=True)


REVIEW_STORY = Story(
    verbs={"review": review},
    presses={REVIEW_SETTLES: settle, REVIEW_NEXT: next_page},
    for_staff=True,
)
