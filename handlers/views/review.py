"""The review queue: questions that staff should settle next, each with its controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.corrections.reviewing import Entry, Page, QueueEntry, ReviewProgress
from bot.domain.curve import FARTHEST_FORECAST, FEWEST_POINTS
from bot.domain.dataset import Row, Source
from bot.domain.errors import Reason, Refused
from bot.domain.gain import QueueReason
from handlers.texts.escape import escaped, person
from handlers.texts.words import LANGUAGES, Language, Words
from handlers.views.card import MOST_BUTTONS, confidence_text, settlement
from handlers.views.finetune import name_of
from handlers.views.ids import REVIEW_NEXT, REVIEW_SETTLE, NamedPayload
from handlers.views.message import Block, Message, button, context, date, option, section, select

PAGE_SIZE = 6
"""Entries per page: their keys must fit into a block id (255 characters), and their blocks into a message (50)."""
TEXT_SHOWN = 500
"""Maximum length of a question in the queue, in characters."""
MOST_WORDINGS = 4
"""Maximum number of wordings shown of a conflict: the newest, with one per category before a second of any."""
CURVE_POINTS = 5
"""Maximum number of points shown of the learning curve: the newest ones."""
MOST_NEEDS = 3
"""Maximum number of categories that are named as in need of more rows."""
FORECAST_ROWS = 100
"""Additional rows, beyond today's, for which the forecast is made."""
DIVIDER: Block = {"type": "divider"}
_REASONS = list(QueueReason)


class SettlePayload(NamedPayload):
    """A category that was pressed for an entry. `seen` is the newest correction that the entry showed."""

    seen: int = 0
    category: str


@dataclass(frozen=True)
class ShownPage:
    """A page as it was shown, encoded in its block ids: a press on a private message does not include the message."""

    language: Language
    offset: int
    listed: tuple[QueueEntry, ...]

    @classmethod
    def of(cls, page: Page, language: Language) -> Self:
        return cls(language, page.offset, tuple(QueueEntry(key=entry.key, why=entry.why) for entry in page.entries))

    @classmethod
    def read(cls, block_id: str) -> Self:
        """Parse what `block_id` returned.

        Raises:
            Refused: The id is anything else, such as what an older version of the bot wrote.
        """
        try:
            _, _, language, offset, keys = block_id.split(":")
            listed = tuple(QueueEntry(why=_REASONS[int(key[0])], key=key[1:]) for key in keys.split(",") if key)
            return cls(LANGUAGES[int(language)], int(offset), listed)
        except (ValueError, IndexError):
            raise Refused(Reason.OTHER_CONTROL) from None

    def block_id(self, number: int) -> str:
        keys = ",".join(f"{_REASONS.index(entry.why)}{entry.key}" for entry in self.listed)
        return f"review:{number}:{LANGUAGES.index(self.language)}:{self.offset}:{keys}"


def review(page: Page, words: Words, footer: str = "") -> Message:
    """Return a page of the queue. Entries that were settled on it stay in place and say so.

    Args:
        page: The entries.
        words: The reader's language.
        footer: Small print as mrkdwn.
    """
    if not page.waiting and not page.entries:
        return Message(words("review.empty"), [section(words("review.empty")), *([context(footer)] if footer else [])])
    shown = ShownPage.of(page, words.language)
    title = words("review.title", n=page.waiting)
    blocks: list[Block] = [section(f"*{title}*")]
    for number, entry in enumerate(page.entries):
        blocks += [DIVIDER, section(entry_text(entry, words)), context(_small_print(entry, words))]
        if entry.open:
            elements = _controls(entry, words)
            blocks.append({"type": "actions", "block_id": shown.block_id(number), "elements": elements})
    blocks.append(DIVIDER)
    if page.waiting > sum(entry.open for entry in page.entries):
        more = button(words("review.next"), REVIEW_NEXT, NamedPayload(id="next").packed())
        blocks.append({"type": "actions", "block_id": shown.block_id(PAGE_SIZE), "elements": [more]})
    if footer:
        blocks.append(context(footer))
    return Message(title, blocks)


def progress(state: ReviewProgress, words: Words) -> str:
    """Return, as small print, which categories need rows, and the learning curve with its intervals."""
    lines = [_needs(state, words)]
    if len(state.points) < FEWEST_POINTS:
        return "\n".join([*lines, words("review.curve.early", n=len(state.points), least=FEWEST_POINTS)])
    points = [
        words(
            "review.curve.point",
            rows=point.trained,
            percent=f"{point.accuracy:.0%}",
            low=f"{point.interval[0]:.0%}",
            high=f"{point.interval[1]:.0%}",
        )
        for point in state.points[-CURVE_POINTS:]
    ]
    lines.append(words("review.curve.title", of=state.points[-1].of, points=" → ".join(points)))
    rows = state.trainable + FORECAST_ROWS
    lines.append(
        words("review.curve.forecast", n=rows, percent=f"{state.curve.at(rows):.0%}")
        if state.curve
        else words("review.curve.flat")
    )
    return "\n".join(lines)


def _needs(state: ReviewProgress, words: Words) -> str:
    if not state.needs:
        return words("review.need.enough")
    needs = [
        words(
            "review.need.one" if need.recall is None else "review.need.recall",
            n=f"{need.more}+" if need.more == FARTHEST_FORECAST else need.more,
            category=name_of(state.prompt, need.category, words),
            **({} if need.recall is None else {"percent": f"{need.recall:.0%}"}),
        )
        for need in state.needs[:MOST_NEEDS]
    ]
    return words("review.need.title", needs=" · ".join(needs))


def entry_text(entry: Entry, words: Words) -> str:
    """Return a question with its answer, or the wordings of a conflict, as mrkdwn."""
    if entry.card:
        category = name_of(entry.prompt, entry.card.verdict.category, words)
        quoted = escaped(entry.card.question.text, TEXT_SHOWN)
        answer = words("review.answer", category=category)
        return f"{_quote(quoted)}\n{answer}"
    return "\n".join([words("review.conflict"), *(_wording(row, entry, words) for row in _wordings(entry.rows))])


def _wordings(rows: Sequence[Row]) -> list[Row]:
    """Return the newest rows, one of each category before a second of any, so that the conflict is visible."""
    newest = sorted(rows, key=lambda row: row.settled_at, reverse=True)
    first = {row.category: row for row in reversed(newest)}
    return sorted(newest, key=lambda row: row is not first[row.category])[:MOST_WORDINGS]


def _wording(row: Row, entry: Entry, words: Words) -> str:
    by = words("review.imported") if row.source is Source.IMPORT else person(row.by)
    category = name_of(entry.prompt, row.category, words)
    settled = words("review.wording", category=category, who=by, at=date(row.settled_at))
    return f"{_quote(escaped(row.text, TEXT_SHOWN))}\n{settled}"


def _quote(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def why_listed(entry: Entry, words: Words) -> str:
    """Return why an entry is in the queue."""
    # The shadow may have been stopped after the entry was listed.
    shadow = name_of(entry.prompt, entry.shadow, words) if entry.shadow else "–"
    return words(f"review.why.{entry.why.value}", category=shadow)


def _small_print(entry: Entry, words: Words) -> str:
    """Return why an open entry is listed, or how a settled one was settled."""
    if entry.open:
        why = why_listed(entry, words)
        return f"{why} · {confidence_text(entry.card, words)}" if entry.card else why
    if entry.card and entry.card.settled:
        name = name_of(entry.card.prompt, entry.card.settled.category, words)
        return f"✅ {name} · {settlement(entry.card, words)}"
    newest = max(entry.rows, key=lambda row: row.settled_at)
    return "✅ " + words("review.one", category=name_of(entry.prompt, newest.category, words), who=person(newest.by))


def _controls(entry: Entry, words: Words) -> list[Block]:
    """Return the likely categories as buttons and the others in a menu. Each settles the entry with one press."""
    seen = entry.card.seen if entry.card else 0
    likely = [entry.card.verdict.category] if entry.card else sorted({row.category for row in entry.rows})
    if entry.shadow:
        likely.append(entry.shadow)
    if len(entry.prompt.categories) <= MOST_BUTTONS:
        likely += [c.id for c in entry.prompt.categories if c.id not in likely]
    known = [category for category in likely if entry.prompt.category(category)][:MOST_BUTTONS]
    others = [c for c in entry.prompt.categories if c.id not in known]

    def value(category: str) -> str:
        return SettlePayload(id=entry.key, seen=seen, category=category).packed()

    def name(category: str) -> str:
        found = entry.prompt.category(category)
        label = words.name(found) if found else category
        agreed = entry.card and category == entry.card.verdict.category
        return words("review.agree", category=label) if agreed else label

    controls = [button(name(c), f"{REVIEW_SETTLE}.{n}", value(c)) for n, c in enumerate(known)]
    if others:
        options = [option(words.name(c), value(c.id)) for c in others]
        controls.append(select(words("card.choose"), f"{REVIEW_SETTLE}.{len(known)}", options))
    return controls
