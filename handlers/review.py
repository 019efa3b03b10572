"""The review queue: one entry in focus, in App Home or by `/finetune review`, and a list by `review here`."""

from bot.corrections.reviewing import Page
from bot.domain.correction import Press
from bot.domain.errors import Reason, Refused
from bot.domain.gain import QueueReason
from bot.domain.mark import LastPress
from handlers import home
from handlers.command import Call, Story
from handlers.texts.words import Words
from handlers.views import queue
from handlers.views.ids import (
    QUEUE_ASIDE,
    QUEUE_OPEN,
    QUEUE_RESUME,
    QUEUE_SETTLES,
    QUEUE_SKIP,
    QUEUE_UNDO,
    REVIEW_NEXT,
    REVIEW_SETTLES,
)
from handlers.views.review import PAGE_SIZE, SettlePayload, ShownPage, progress
from handlers.views.review import review as view

HERE = "here"


async def review(call: Call) -> None:
    """Show the queue in private, one entry in focus. With `here` list for the channel what all its members may read."""
    if call.argument.casefold() != HERE:
        await show(call)
        return
    page = await call.acts.reviewing.page(0, PAGE_SIZE, shown_in=_readers(call, shared=True))
    footer = progress(await call.acts.reviewing.progress(), call.words)
    await call.list_here(view(page, call.words, footer), page.shows)


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
    if call.shared and call.message_ts:
        await call.acts.posting.turned(call.spot.channel or "", call.message_ts, page.shows, words.language)
    await call.say(view(page, words), in_channel=call.shared, replace=True)


async def show(call: Call, notice: str = "", first: str | None = None) -> None:
    """Show the queue where the person pressed: in App Home, in the modal, or in the private message."""
    user = call.spot.user
    if call.view.get("type") == "home":
        await home.publish(call.context, user, notice=notice, first=first)
        return
    focus, around = await home.focused(call.context, user, notice=notice, first=first)
    if call.view.get("type") == "modal":
        view = queue.modal(focus, call.words, around)
        await call.context.client.views_update(view_id=call.view["id"], view=view)
    else:
        await call.say(queue.message(focus, call.words, around), replace=bool(call.block))
    await home.publish_if_open(call.context, user)


async def open_modal(call: Call) -> None:
    """Open the queue in a modal. Its button also stands in the ops channel, where others may press it."""
    if not await call.context.guard.is_admin(call.spot.user):
        await call.context.guard.staff_only(call.spot.user)
    focus, around = await home.focused(call.context, call.spot.user)
    await call.context.client.views_open(trigger_id=call.trigger, view=queue.modal(focus, call.words, around))


async def settle_focused(call: Call) -> None:
    """Settle the entry and show the next one. If somebody was first, say so."""
    await call.context.guard.staff_only(call.spot.user)
    pressed, notice = queue.SettlePress.unpacked(call.value), ""
    try:
        if pressed.conflict:
            await call.acts.reviewing.settle_conflict(pressed.id, pressed.category, call.spot.user)
        else:
            press = Press(question_id=pressed.id, category=pressed.category, seen=pressed.seen, by=call.spot.user)
            notice = queue.saved(await call.acts.correcting.settle(press), call.words)
    except Refused as refused:
        notice = _meanwhile(refused, call.words)
    call.acts.glancing.forget()
    call.context.wake.deliverers()
    await show(call, notice)


async def skip(call: Call) -> None:
    """Move the entry to the end for this person."""
    await call.context.guard.staff_only(call.spot.user)
    await call.acts.focusing.skip(call.argument, call.spot.user)
    await show(call)


async def resume(call: Call) -> None:
    """Show again what this person skipped."""
    await call.context.guard.staff_only(call.spot.user)
    await call.acts.focusing.resume(call.spot.user)
    await show(call)


async def set_aside(call: Call) -> None:
    """Take the entry out of the queue, because it is no question."""
    await call.context.guard.staff_only(call.spot.user)
    notice = ""
    try:
        await call.acts.focusing.set_aside(call.argument, call.spot.user)
    except Refused as refused:
        notice = _meanwhile(refused, call.words)
    await show(call, notice)


async def undo(call: Call) -> None:
    """Take back this person's last press, and show its entry again."""
    await call.context.guard.staff_only(call.spot.user)
    pressed, notice = queue.UndoPress.unpacked(call.value), ""
    try:
        await call.acts.focusing.undo(
            LastPress(key=pressed.id, seq=pressed.seq, conflict=pressed.conflict), call.spot.user
        )
    except Refused as refused:
        notice = _meanwhile(refused, call.words)
    call.context.wake.deliverers()
    await show(call, notice, first=pressed.id)


def _meanwhile(refused: Refused, words: Words) -> str:
    """Return that somebody else was first; raise any other refusal."""
    if refused.reason not in {Reason.SETTLED_MEANWHILE, Reason.NOTHING_TO_UNDO}:
        raise refused
    return "⚠️ " + words("review.meanwhile")


REVIEW_STORY = Story(
    verbs={"review": review},
    presses={
        REVIEW_SETTLES: settle,
        REVIEW_NEXT: next_page,
        QUEUE_SETTLES: settle_focused,
        QUEUE_SKIP: skip,
        QUEUE_ASIDE: set_aside,
        QUEUE_UNDO: undo,
        QUEUE_RESUME: resume,
        QUEUE_OPEN: open_modal,
    },
    for_staff=True,
    words={"review": frozenset({HERE})},
)
