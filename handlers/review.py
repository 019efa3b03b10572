"""The story of the review queue: what staff should settle next, a press each."""

from bot.corrections.reviewing import Page
from bot.domain.correction import Press
from bot.domain.errors import Reason, Refused
from bot.domain.gain import QueueReason
from handlers.command import Call, Story
from handlers.texts.words import Words
from handlers.views.ids import REVIEW_NEXT, REVIEW_SETTLES
from handlers.views.review import SIZE, Settling, ShownPage, progress
from handlers.views.review import review as view

HERE = "here"


async def review(call: Call) -> None:
    """The queue for this person's eyes; with `here` in the channel, without what was asked in direct messages."""
    here = call.argument.casefold() == HERE
    page = await call.acts.reviewing.page(0, SIZE, public=here)
    footer = progress(await call.acts.reviewing.progress(), call.words)
    await call.say(view(page, call.words, footer), in_channel=here)


async def settle(call: Call) -> None:
    """Settle one entry and show the page anew."""
    await call.context.guard.staff_only(call.spot.user)
    shown, wish = ShownPage.read(call.block), Settling.unpacked(call.value)
    why = next((one.why for one in shown.listed if one.key == wish.id), None)
    try:
        if why is QueueReason.CONFLICT:
            await call.acts.reviewing.settle_conflict(wish.id, wish.category, call.spot.user)
        else:
            press = Press(question_id=wish.id, category=wish.category, seen=wish.seen, by=call.spot.user)
            await call.acts.correcting.settle(press)
    except Refused as refused:
        if refused.reason is not Reason.SETTLED_MEANWHILE:
            raise
        await call.context.private.tell(call.spot, call.words("review.meanwhile"))
    call.context.wake.deliverers()
    entries = await call.acts.reviewing.entries(shown.listed)
    waiting = await call.acts.reviewing.waiting(public=call.shared)
    page = Page(entries=tuple(entries), offset=shown.offset, waiting=waiting)
    await _show(call, page, shown)


async def further(call: Call) -> None:
    """Go on after what is still open on this page: what was settled left the queue."""
    shown = ShownPage.read(call.block)
    left = sum(entry.open for entry in await call.acts.reviewing.entries(shown.listed))
    await _show(call, await call.acts.reviewing.page(shown.offset + left, SIZE, public=call.shared), shown)


async def _show(call: Call, page: Page, shown: ShownPage) -> None:
    """In the place of the page that was pressed. A message that others see keeps its language."""
    words = Words(shown.language) if call.shared else call.words
    await call.say(view(page, words), in_channel=call.shared, replace=True)


REVIEW_STORY = Story(
    verbs={"review": review},
    presses={REVIEW_SETTLES: settle, REVIEW_NEXT: further},
    for_staff=True,
)
