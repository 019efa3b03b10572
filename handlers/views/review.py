"""The review queue: what staff should settle next, each with its controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.corrections.reviewing import Entry, Listed, Page, ReviewProgress
from bot.domain.curve import FARTHEST_FORECAST, FEWEST_POINTS
from bot.domain.dataset import Row, Source
from bot.domain.gain import QueueReason
from handlers.texts.escape import escaped, person
from handlers.texts.words import LANGUAGES, Language, Words
from handlers.views.card import MOST_BUTTONS, settlement, sureness
from handlers.views.finetune import NamedPayload, name_of
from handlers.views.ids import REVIEW_NEXT, REVIEW_SETTLE
from handlers.views.message import Block, Message, button, context, date, option, section, select

SIZE = 6
"""Entries at once: a page's keys must fit into a block id (255 characters), and its blocks into a message (50)."""
TEXT_SHOWN = 500
WORDINGS = 4
"""Of a conflict: the newest, as far as each category is among them."""
POINTS = 5
"""Of the learning curve: the newest."""
NEEDS = 3
"""Categories that are named."""
FURTHER = 100
"""Rows more than today that the forecast is for."""
DIVIDER: Block = {"type": "divider"}
_WHYS = list(QueueReason)


class Settling(NamedPayload):
    """A category for an entry, as it was pressed. `seen`: the newest correction that the entry showed."""

    seen: int = 0
    category: str


@dataclass(frozen=True)
class ShownPage:
    """A page as it was shown. A private message does not come along with a press, so its block ids tell."""

    language: Language
    offset: int
    listed: tuple[Listed, ...]

    @classmethod
    def of(cls, page: Page, language: Language) -> Self:
        return cls(language, page.offset, tuple(Listed(key=one.key, why=one.why) for one in page.entries))

    @classmethod
    def read(cls, block_id: str) -> Self:
        """Raises ValueError on anything but what `block_id` makes."""
        _, _, language, offset, keys = block_id.split(":")
        listed = tuple(Listed(why=_WHYS[int(key[0])], key=key[1:]) for key in keys.split(",") if key)
        return cls(LANGUAGES[int(language)], int(offset), listed)

    def block_id(self, number: int) -> str:
        keys = ",".join(f"{_WHYS.index(one.why)}{one.key}" for one in self.listed)
        return f"review:{number}:{LANGUAGES.index(self.language)}:{self.offset}:{keys}"


def review(page: Page, words: Words, footer: str = "") -> Message:
    """A page of the queue. What was settled on it stays in its place and says so; `footer` is small print, mrkdwn."""
    if not page.waiting and not page.entries:
        return Message(words("review.empty"), [section(words("review.empty")), *([context(footer)] if footer else [])])
    shown = ShownPage.of(page, words.language)
    title = words("review.title", n=page.waiting)
    blocks: list[Block] = [section(f"*{title}*")]
    for number, entry in enumerate(page.entries):
        blocks += [DIVIDER, section(_about(entry, words), verbatim=True), context(_small_print(entry, words))]
        if entry.open:
            elements = _controls(entry, words)
            blocks.append({"type": "actions", "block_id": shown.block_id(number), "elements": elements})
    blocks.append(DIVIDER)
    if page.waiting > sum(entry.open for entry in page.entries):
        more = button(words("review.next"), REVIEW_NEXT, NamedPayload(id="next").packed())
        blocks.append({"type": "actions", "block_id": shown.block_id(SIZE), "elements": [more]})
    if footer:
        blocks.append(context(footer))
    return Message(title, blocks)


def progress(state: ReviewProgress, words: Words) -> str:
    """The learning curve with its error bars, and what would help most, as small print."""
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
        for point in state.points[-POINTS:]
    ]
    lines.append(words("review.curve.title", of=state.points[-1].of, points=" → ".join(points)))
    further = state.trainable + FURTHER
    lines.append(
        words("review.curve.forecast", n=further, percent=f"{state.curve.at(further):.0%}")
        if state.curve
        else words("review.curve.flat")
    )
    return "\n".join(lines)


def _needs(state: ReviewProgress, words: Words) -> str:
    if not state.needs:
        return words("review.need.enough")
    listed = [
        words(
            "review.need.one" if need.recall is None else "review.need.recall",
            n=f"{need.more}+" if need.more == FARTHEST_FORECAST else need.more,
            category=name_of(state.prompt, need.category),
            **({} if need.recall is None else {"percent": f"{need.recall:.0%}"}),
        )
        for need in state.needs[:NEEDS]
    ]
    return words("review.need.title", needs=" · ".join(listed))


def _about(entry: Entry, words: Words) -> str:
    if entry.card:
        said = name_of(entry.prompt, entry.card.verdict.category)
        quoted = escaped(entry.card.question.text, TEXT_SHOWN)
        answer = words("review.answer", category=said)
        return f"{_quote(quoted)}\n{answer}"
    return "\n".join([words("review.conflict"), *(_wording(row, entry, words) for row in _wordings(entry.rows))])


def _wordings(rows: Sequence[Row]) -> list[Row]:
    """The newest, of each category one before a second of any: what they differ in must be seen."""
    newest = sorted(rows, key=lambda row: row.settled_at, reverse=True)
    first = {row.category: row for row in reversed(newest)}
    return sorted(newest, key=lambda row: row is not first[row.category])[:WORDINGS]


def _wording(row: Row, entry: Entry, words: Words) -> str:
    by = words("review.imported") if row.source is Source.IMPORT else person(row.by)
    category = name_of(entry.prompt, row.category)
    said = words("review.wording", category=category, who=by, at=date(row.settled_at))
    return f"{_quote(escaped(row.text, TEXT_SHOWN))}\n{said}"


def _quote(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _small_print(entry: Entry, words: Words) -> str:
    """Why an open entry is listed, or how it was settled."""
    if entry.open:
        # The shadow may have been switched off since the page was listed.
        shadow = name_of(entry.prompt, entry.shadow) if entry.shadow else "–"
        why = words(f"review.why.{entry.why.value}", category=shadow)
        return f"{why} · {sureness(entry.card, words)}" if entry.card else why
    if entry.card:
        return "✅ " + settlement(entry.card, words)
    newest = max(entry.rows, key=lambda row: row.settled_at)
    return "✅ " + words("review.one", category=name_of(entry.prompt, newest.category), who=person(newest.by))


def _controls(entry: Entry, words: Words) -> list[Block]:
    """One press each: the likely categories as buttons, the others in a menu."""
    seen = entry.card.seen if entry.card else 0
    likely = [entry.card.verdict.category] if entry.card else sorted({row.category for row in entry.rows})
    if entry.shadow:
        likely.append(entry.shadow)
    if len(entry.prompt.categories) <= MOST_BUTTONS:
        likely += [c.id for c in entry.prompt.categories if c.id not in likely]
    known = [category for category in likely if entry.prompt.category(category)][:MOST_BUTTONS]
    others = [c for c in entry.prompt.categories if c.id not in known]

    def value(category: str) -> str:
        return Settling(id=entry.key, seen=seen, category=category).packed()

    def name(category: str) -> str:
        found = entry.prompt.category(category)
        plain = found.name if found else category
        agreed = entry.card and category == entry.card.verdict.category
        return words("review.agree", category=plain) if agreed else plain

    made = [button(name(c), f"{REVIEW_SETTLE}.{n}", value(c)) for n, c in enumerate(known)]
    if others:
        options = [option(c.name, value(c.id)) for c in others]
        made.append(select(words("card.choose"), f"{REVIEW_SETTLE}.{len(known)}", options))
    return made
