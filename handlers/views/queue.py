"""The review queue, one entry at a time: in App Home, in a modal, and as the private answer to `/finetune review`."""

from dataclasses import dataclass

from bot.corrections.focusing import Focus
from bot.corrections.reviewing import Entry
from bot.domain.audience import Audience
from bot.domain.card import Card
from bot.domain.gain import QueueReason
from bot.domain.prompt import Category
from handlers.texts.escape import escaped, person
from handlers.texts.words import Words
from handlers.views.card import confidence_text
from handlers.views.feedback import said
from handlers.views.ids import QUEUE_ASIDE, QUEUE_RESUME, QUEUE_SETTLE, QUEUE_SKIP, QUEUE_UNDO, NamedPayload
from handlers.views.message import OPTIONS, Block, Message, button, context, date, option, plain, section, select
from handlers.views.review import entry_text, why_listed

SAVED_TEXT = 60
"""Maximum length of the question in the line about the last press, in characters."""
LIKELIEST = 3
"""Number of categories with a button of their own; the others are in the menu *More…*."""


class SettlePress(NamedPayload):
    """A category for the entry. `seen` is the newest correction that the person saw."""

    seen: int = 0
    category: str
    conflict: bool = False


class UndoPress(NamedPayload):
    """The press to take back: the correction with this number, or a mark if it is 0."""

    seq: int = 0
    conflict: bool = False


@dataclass(frozen=True)
class Around:
    """The lines around the entry.

    Attributes:
        link: The permalink of the question; None if Slack gives none.
        notice: The result of the last press, or why it did nothing.
        outcome: The result of all presses, for the end of the queue.
    """

    link: str | None = None
    notice: str = ""
    outcome: str = ""


def queue(focus: Focus, words: Words, around: Around) -> list[Block]:
    """Return the entry in focus with its controls, or that nothing waits and what the presses brought."""
    blocks = [context(around.notice)] if around.notice else []
    if focus.entry is None:
        return [*blocks, *_end(focus, words, around)]
    entry, done = focus.entry, focus.run.done
    last = focus.waiting == 1
    title = words("review.focus.last" if last else "review.focus.title", at=done + 1, of=done + focus.waiting)
    blocks.append(section(f"*{title}*"))
    blocks.append(section(entry_text(entry, words)))
    blocks.append(context("\n".join([_asked(entry, words, around.link), *_told(entry, words)])))
    blocks.append(
        {"type": "actions", "block_id": f"queue.{entry.key}.{_seen(entry)}", "elements": _settle(entry, words)}
    )
    blocks.append({"type": "actions", "block_id": f"queue.more.{entry.key}", "elements": _others(focus, words)})
    return blocks


def message(focus: Focus, words: Words, around: Around) -> Message:
    """Return the queue as a message."""
    title = words("review.empty") if focus.entry is None else words("review.focus.text", n=focus.waiting)
    return Message(title, queue(focus, words, around))


def modal(focus: Focus, words: Words, around: Around) -> Block:
    """Return the queue as a modal."""
    return {
        "type": "modal",
        "title": plain(words("review.focus.modal"), 24),
        "close": plain(words("review.focus.close"), 24),
        "blocks": queue(focus, words, around),
    }


BEFORE_QUESTION = " · "
"""Separates a notice from the question that it is about."""


def saved(shown: Card, words: Words) -> str:
    """Return, as mrkdwn, as what a question was settled."""
    name = escaped(words.name(shown.category), 80) if shown.category else "–"
    return f"✅ {name}{BEFORE_QUESTION}{' '.join(escaped(shown.question.text, SAVED_TEXT).split())}"


def lasting(notice: str) -> str:
    """Return what stays of a notice later: not the question, which may be forgotten or become private meanwhile."""
    return notice.partition(BEFORE_QUESTION)[0]


def _end(focus: Focus, words: Words, around: Around) -> list[Block]:
    done = words("review.focus.done", n=focus.run.confirmed) if focus.run.confirmed else words("review.empty")
    lines = [f"*{done}*", *([around.outcome] if around.outcome and focus.run.confirmed else [])]
    if focus.skipped:
        lines.append(words("review.focus.skipped", n=focus.skipped))
    elements = []
    if focus.skipped:
        elements.append(button(words("review.focus.resume"), QUEUE_RESUME, NamedPayload(id="all").packed()))
    elements += _undo(focus, words)
    actions = [{"type": "actions", "block_id": "queue.end", "elements": elements}] if elements else []
    return [section("\n".join(lines)), *actions]


def _asked(entry: Entry, words: Words, link: str | None) -> str:
    """Return who asked, where and when; for a conflict, what settling it does."""
    if entry.card is None:
        return why_listed(entry, words)
    question = entry.card.question
    where = words("review.focus.direct") if question.audience is Audience.DIRECT else f"<#{question.place.channel}>"
    lock = "" if question.audience is Audience.PUBLIC else "🔒 " + words("review.focus.private") + " · "
    asker = person(question.shown_asker) if question.shown_asker else words("review.focus.unnamed")
    return f"{lock}{asker} · {where} · {date(question.asked_at, link)}"


def _told(entry: Entry, words: Words) -> list[str]:
    """Return what the asker said, why the question is listed, and how sure the bot was."""
    if entry.card is None:
        return []
    feedback = entry.card.feedback
    lines = [f"💬 {said(feedback, words)}"] if feedback and not feedback.helped else []
    return [*lines, f"{why_listed(entry, words)} · {confidence_text(entry.card, words)}"]


def _seen(entry: Entry) -> int:
    return entry.card.seen if entry.card else 0


def _settle(entry: Entry, words: Words) -> list[Block]:
    """Return the likeliest categories as buttons and all others in a menu. Each settles the entry with one press."""
    order = likely(entry)

    def value(category: Category) -> str:
        conflict = entry.why is QueueReason.CONFLICT
        return SettlePress(id=entry.key, seen=_seen(entry), category=category.id, conflict=conflict).packed()

    controls = [button(words.name(c), f"{QUEUE_SETTLE}.{n}", value(c)) for n, c in enumerate(order[:LIKELIEST])]
    if others := order[LIKELIEST:]:
        options = [option(words.name(c), value(c)) for c in others[:OPTIONS]]
        controls.append(select(words("review.focus.more"), f"{QUEUE_SETTLE}.{LIKELIEST}", options))
    return controls


def likely(entry: Entry) -> list[Category]:
    """Return all categories, the likeliest first; for a conflict, those that staff chose first."""
    if entry.card:
        first, *others = entry.card.likely
        disputed = [c for c in others if c.id == entry.shadow]
        return [first, *disputed, *(c for c in others if c not in disputed)]
    chosen = [found for c in sorted({row.category for row in entry.rows}) if (found := entry.prompt.category(c))]
    return [*chosen, *(c for c in entry.prompt.categories if c not in chosen)]


def _others(focus: Focus, words: Words) -> list[Block]:
    entry = focus.entry
    if entry is None:
        return []
    payload = NamedPayload(id=entry.key).packed()
    controls = [button(words("review.focus.skip"), QUEUE_SKIP, payload)]
    if entry.card:
        controls.append(button(words("review.focus.aside"), QUEUE_ASIDE, payload))
    return [*controls, *_undo(focus, words)]


def _undo(focus: Focus, words: Words) -> list[Block]:
    last = focus.run.last
    if last is None:
        return []
    press = UndoPress(id=last.key, seq=last.seq, conflict=last.conflict)
    return [button(words("review.focus.undo"), QUEUE_UNDO, press.packed())]
