"""What must hold when all is over. Each rule looks at the evidence and yields what breaks it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bot.domain.correction import CorrectionKind
from bot.domain.dataset import split_of
from bot.domain.question import ArrivalKind, Ending, Via
from bot.domain.release import ReleaseState
from tests.chaos import words
from tests.chaos.evidence import Asked, Evidence, Outcome, Posted, Pressed, Row

NEVER = "mentions and messages to the bot of which no event came through"
"""Slack gives up after three more tries; the history of every channel is not ours to read."""


@dataclass(frozen=True)
class Violation:
    """What is wrong, with what was done, what the database holds and what stands in Slack."""

    wrong: str
    about: object
    database: object = None
    slack: object = None

    def __str__(self) -> str:
        parts = (("database", self.database), ("slack", self.slack))
        return "\n".join(
            [f"{self.wrong}: {self.about}", *(f"    {name}: {what}" for name, what in parts if what is not None)]
        )


@dataclass
class Traced:
    """One message of an employee, and all that came of it."""

    asked: Asked
    arrivals: list[Row] = field(default_factory=list)
    """What the inbox has of the message itself; not of its edits."""
    edits: list[Row] = field(default_factory=list)
    question: Row | None = None
    verdicts: list[Row] = field(default_factory=list)
    corrections: list[Row] = field(default_factory=list)
    row: Row | None = None
    cards: list[Posted] = field(default_factory=list)
    notices: list[Posted] = field(default_factory=list)
    regrets: list[Posted] = field(default_factory=list)
    """Notices that an edit could not be classified: the card stands for the text before it."""

    @property
    def settled(self) -> Row | None:
        newest = self.corrections[-1] if self.corrections else None
        return None if newest is None or newest["kind"] == CorrectionKind.UNDO else newest

    def violation(self, wrong: str) -> Violation:
        database = {
            "inbox": [
                _brief(one, "event_id", "attempts", "ending", "why", "holder") for one in [*self.arrivals, *self.edits]
            ],
            "question": self.question and _brief(self.question, "id", "text", "card_ts", "settled"),
            "verdicts": [_brief(one, "id", "category", "provisional", "at") for one in self.verdicts],
            "corrections": [_brief(one, "seq", "kind", "category", "by", "at") for one in self.corrections],
            "row": self.row and _brief(self.row, "text", "category", "source", "by", "withdrawn_at"),
        }
        return Violation(wrong, self.asked, database, [*self.cards, *self.notices, *self.regrets])


class Case:
    """The evidence, sorted by what was asked."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        tables = evidence.tables
        self.traced = {(one.channel, one.ts): Traced(one) for one in evidence.asked}
        self._by_event: dict[str, Traced] = {}
        self.by_question: dict[str, Traced] = {}
        self.strays: list[Violation] = []
        self._sort_arrivals(tables["inbox"])
        self._sort_questions(tables["questions"])
        for verdict in tables["verdicts"]:
            self._of(verdict["question_id"], verdict, "a verdict").verdicts.append(verdict)
        for correction in tables["corrections"]:
            self._of(correction["question_id"], correction, "a correction").corrections.append(correction)
        for row in tables["rows"]:
            self._of(row["id"], row, "a row").row = row
        for posted in sorted(evidence.posted, key=lambda one: one.question is None):
            if posted.question:
                self._of(posted.question, posted, "a card").cards.append(posted)
            else:
                traced = self._known(self._by_event, posted.event or "", posted, "a notice")
                failed = [row["event_id"] for row in traced.edits if row["ending"] == Ending.FAILED]
                (traced.regrets if traced.cards and posted.event in failed else traced.notices).append(posted)

    def _sort_arrivals(self, rows: Iterable[Row]) -> None:
        for row in rows:
            arrival = row["arrival"]
            key = (arrival["place"]["channel"], arrival["place"]["ts"])
            traced = self._known(self.traced, key, row, "an arrival")
            (traced.edits if arrival.get("kind") == ArrivalKind.EDITED else traced.arrivals).append(row)
            self._by_event[row["event_id"]] = traced

    def _sort_questions(self, rows: Iterable[Row]) -> None:
        for row in rows:
            traced = self._known(self.traced, (row["channel"], row["ts"]), row, "a question")
            traced.question = row
            self.by_question[row["id"]] = traced

    def _of(self, question: str, what: object, name: str) -> Traced:
        return self._known(self.by_question, question, what, name)

    def _known(self, index: dict[Any, Traced], key: Any, what: object, name: str) -> Traced:
        if key not in index:
            self.strays.append(Violation(f"{name} of nothing that was asked", what))
            return Traced(Asked("", "", None, Via.CHANNEL, ""))
        return index[key]


def nothing_stray(case: Case) -> Iterator[Violation]:
    """Nothing is there that nobody asked for."""
    yield from case.strays


def nothing_left(case: Case) -> Iterator[Violation]:
    """The inbox and the outbox are empty; each arrival ended, and its text is forgotten."""
    for row in case.evidence.tables["inbox"]:
        if row["ending"] not in set(Ending):
            yield Violation("an open entry in the inbox", row)
        elif row["arrival"]["text"]:
            yield Violation("an ended arrival still holds its text", row)
    for row in case.evidence.tables["outbox"]:
        yield Violation("an entry left in the outbox", row)


def accepted_is_written(case: Case) -> Iterator[Violation]:
    """What was acked to Slack was written down."""
    for one in case.traced.values():
        if one.asked.taken and not one.arrivals and not one.edits:
            yield one.violation("acked, but not in the inbox")


def nobody_is_missed(case: Case) -> Iterator[Violation]:
    """What was asked in a watched channel is found, though no event of it ever came."""
    for one in case.traced.values():
        if one.asked.via is Via.CHANNEL and not one.arrivals and not one.edits:
            yield one.violation("missed in a watched channel")


def one_visible_answer(case: Case) -> Iterator[Violation]:
    """Every accepted question has one card, or was told once that it failed; never both, never neither."""
    for one in case.traced.values():
        cards, notices = len(one.cards), len(one.notices)
        if cards > 1:
            yield one.violation(f"answered {cards} times")
        if notices > 1:
            yield one.violation(f"told {notices} times")
        if cards and notices:
            yield one.violation("answered, and told that it failed")
        if (one.arrivals or one.edits) and not cards and not notices:
            yield one.violation("silence")


def card_is_where_it_belongs(case: Case) -> Iterator[Violation]:
    """The answer stands in the question's own thread, and the database knows it."""
    for one in case.traced.values():
        for posted in [*one.cards, *one.notices, *one.regrets]:
            if (posted.channel, posted.thread) != (one.asked.channel, one.asked.thread or one.asked.ts):
                yield one.violation("an answer in another thread")
        known = (one.question and one.question["card_ts"]) or ""
        if known not in ([card.ts for card in one.cards] or [""]):
            yield one.violation("the database knows another card than stands in Slack")


def card_shows_what_holds(case: Case) -> Iterator[Violation]:
    """The card shows the newest verdict, every correction, and the category that holds."""
    for one in case.traced.values():
        for card in one.cards:
            holding = one.settled or (one.verdicts[-1] if one.verdicts else None)
            if holding is None:
                yield one.violation("a card without a verdict")
            elif card.said != words.CATEGORIES[holding["category"]][0]:
                yield one.violation(f"the card says {card.said}")
            elif (card.verdict, card.seen) != (one.verdicts[-1]["id"], len(one.corrections)):
                yield one.violation(f"the card shows verdict {card.verdict} and {card.seen} corrections")


def verdict_is_of_the_text(case: Case) -> Iterator[Violation]:
    """What the model said of this very text was stored: no other question's answer, nothing outside of the list.

    The fallback release may err; but it is looked at again, unless staff spoke first.
    """
    for one in case.traced.values():
        if one.question and one.verdicts:
            right, newest = words.right(one.question["text"]), one.verdicts[-1]
            if newest["provisional"] and not one.corrections:
                yield one.violation("a provisional answer that nobody looked at again")
            elif newest["category"] not in (words.CATEGORIES if newest["provisional"] else {right}):
                yield one.violation(f"{right} would be right, {newest['category']} is stored")


def newest_text_counts(case: Case) -> Iterator[Violation]:
    """An edit that was accepted is what was judged, unless staff settled it; no other text is ever there."""
    for one in case.traced.values():
        asked, question = one.asked, one.question
        if question is None:
            continue
        if question["text"] not in {asked.text, *(edit.text for edit in asked.edits)}:
            yield one.violation("a text that nobody wrote")
        elif not one.corrections and not one.regrets and question["text"] not in asked.possible:
            yield one.violation("an edit was lost")


def confirmed_is_kept(case: Case) -> Iterator[Violation]:
    """A press that Slack showed as taken, and that nobody took back in words, is in the table."""
    for press in case.evidence.pressed:
        one = case.by_question.get(press.question)
        if press.outcome is Outcome.CONFIRMED and not (one and any(_is_of(press, row) for row in one.corrections)):
            lost = Violation("a confirmed press is lost", press)
            yield one.violation(f"{lost}") if one else lost


def _is_of(press: Pressed, correction: Row) -> bool:
    kind = {CorrectionKind.UNDO} if press.category is None else {CorrectionKind.AGREE, CorrectionKind.CHANGE}
    wished = press.category in {None, correction["category"]} and press.reason in {None, correction["reason"]}
    return wished and correction["kind"] in kind and correction["by"] == press.by and correction["seq"] > press.seen


def nothing_pressed_by_nobody(case: Case) -> Iterator[Violation]:
    """Every correction is of a press that was made."""
    for one in case.traced.values():
        for correction in one.corrections:
            if not any(
                p.question == correction["question_id"] and _is_of(p, correction) for p in case.evidence.pressed
            ):
                yield one.violation(f"nobody pressed correction {correction['seq']}")


def history_is_whole(case: Case) -> Iterator[Violation]:
    """Corrections are numbered without a gap, and an undo takes back what held."""
    for one in case.traced.values():
        if [row["seq"] for row in one.corrections] != list(range(1, len(one.corrections) + 1)):
            yield one.violation("a gap in the corrections")
        for before, after in pairwise([None, *one.corrections]):
            held = before and before["kind"] != CorrectionKind.UNDO
            if (
                after
                and after["kind"] == CorrectionKind.UNDO
                and not (held and before and before["category"] == after["category"])
            ):
                yield one.violation("an undo of what did not hold")


def row_iff_settled(case: Case) -> Iterator[Violation]:
    """The newest correction wins: question, row and corrections agree."""
    for one in case.traced.values():
        settled, row, question = one.settled, one.row, one.question
        if question and question["settled"] != (settled and settled["category"]):
            yield one.violation("the question does not say what holds")
        counts = row is not None and row["withdrawn_at"] is None
        if counts != (settled is not None):
            yield one.violation("a row without a settlement" if counts else "a settlement without a row")
        elif settled and row and question:
            same = all(row[name] == settled[name] for name in ("category", "by"))
            if not same or row["source"] != settled["kind"] or row["settled_at"] != settled["at"]:
                yield one.violation("the row is not of the newest correction")
            if row["text"] != question["text"] or row["split"] != split_of(row["group"]):
                yield one.violation("the row's text is not the question's, or its split is not its group's")


def one_release_serves(case: Case) -> Iterator[Violation]:
    """One release serves, and the history says of each release what its state is."""
    tables = case.evidence.tables
    serving = [row for row in tables["releases"] if row["state"] == ReleaseState.SERVING]
    if len(serving) != 1:
        yield Violation(f"{len(serving)} releases serve", None, tables["releases"])
    last = {event["release_id"]: event["state"] for event in tables["release_events"]}
    for row in tables["releases"]:
        if last.get(row["id"]) != row["state"]:
            yield Violation("the history tells another state", row, last.get(row["id"]))


def logs_tell_no_question(case: Case) -> Iterator[Violation]:
    """No line of a log holds what somebody asked, or a token."""
    marks = {
        word: one.asked for one in case.traced.values() for word in one.asked.text.split() if word.startswith("yx")
    }
    for line in case.evidence.logs.splitlines():
        told = [asked for word, asked in marks.items() if word.rstrip("?") in line] if "yx" in line else []
        if told or "xoxb-" in line or "xapp-" in line:
            yield Violation("a log tells what it must not", line, told)


RULES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    nothing_stray,
    nothing_left,
    accepted_is_written,
    nobody_is_missed,
    one_visible_answer,
    card_is_where_it_belongs,
    card_shows_what_holds,
    verdict_is_of_the_text,
    newest_text_counts,
    confirmed_is_kept,
    nothing_pressed_by_nobody,
    history_is_whole,
    row_iff_settled,
    one_release_serves,
    logs_tell_no_question,
)


def check(evidence: Evidence) -> list[Violation]:
    """All that is wrong."""
    case = Case(evidence)
    return [violation for rule in RULES for violation in rule(case)]


def ends(evidence: Evidence) -> dict[str, int]:
    """How the questions ended, each counted once."""
    counted: defaultdict[str, int] = defaultdict(int)
    for one in Case(evidence).traced.values():
        ends_as = ((one.cards, "answered"), (one.notices, "told that it failed"), (one.arrivals, "silence"))
        counted[next((name for there, name in ends_as if there), NEVER)] += 1
    return dict(counted)


def _brief(row: Row, *names: str) -> dict[str, object]:
    return {name: row[name] for name in names}
