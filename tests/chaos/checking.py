"""The rules that must hold after a run. Each rule reads the evidence and yields its violations."""

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
from tests.chaos.evidence import AskedQuestion, BotMessage, Evidence, Outcome, Press, Row

NEVER_DELIVERED = "mentions and direct messages whose event never arrived"
"""Name of the ending of a question that the bot cannot know about.

Slack gives up after three more deliveries, and the bot does not read the history of unwatched channels.
"""


@dataclass(frozen=True)
class Violation:
    """A broken rule and its evidence: what it is about, the rows in the database, and the messages in Slack."""

    problem: str
    about: object
    database: object = None
    slack: object = None

    def __str__(self) -> str:
        parts = (("database", self.database), ("slack", self.slack))
        return "\n".join(
            [f"{self.problem}: {self.about}", *(f"    {name}: {part}" for name, part in parts if part is not None)]
        )


@dataclass
class Trace:
    """One message of an employee with all its rows and replies."""

    asked: AskedQuestion
    arrivals: list[Row] = field(default_factory=list)
    """Inbox entries of the message itself, without its edits."""
    edits: list[Row] = field(default_factory=list)
    """Inbox entries of the message's edits."""
    question: Row | None = None
    verdicts: list[Row] = field(default_factory=list)
    corrections: list[Row] = field(default_factory=list)
    row: Row | None = None
    cards: list[BotMessage] = field(default_factory=list)
    notices: list[BotMessage] = field(default_factory=list)
    """Notices that the question could not be classified."""
    edit_notices: list[BotMessage] = field(default_factory=list)
    """Notices that an edit could not be classified; the card then stays valid for the earlier text."""

    @property
    def settled(self) -> Row | None:
        """The correction in force; None without corrections and after an undo."""
        newest = self.corrections[-1] if self.corrections else None
        return None if newest is None or newest["kind"] == CorrectionKind.UNDO else newest

    def violation(self, problem: str) -> Violation:
        database = {
            "inbox": [
                _select(entry, "event_id", "attempts", "ending", "why", "holder")
                for entry in [*self.arrivals, *self.edits]
            ],
            "question": self.question and _select(self.question, "id", "text", "card_ts", "settled"),
            "verdicts": [_select(verdict, "id", "category", "provisional", "at") for verdict in self.verdicts],
            "corrections": [_select(one, "seq", "kind", "category", "by", "at") for one in self.corrections],
            "row": self.row and _select(self.row, "text", "category", "source", "by", "withdrawn_at"),
        }
        return Violation(problem, self.asked, database, [*self.cards, *self.notices, *self.edit_notices])


class Traces:
    """The evidence, grouped by question. `strays` lists everything that belongs to no question."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._by_message = {(asked.channel, asked.ts): Trace(asked) for asked in evidence.asked}
        self._by_event: dict[str, Trace] = {}
        self.by_question: dict[str, Trace] = {}
        self.strays: list[Violation] = []
        tables = evidence.tables
        self._add_arrivals(tables["inbox"])
        self._add_questions(tables["questions"])
        for verdict in tables["verdicts"]:
            self._trace_of(verdict["question_id"], verdict, "a verdict").verdicts.append(verdict)
        for correction in tables["corrections"]:
            self._trace_of(correction["question_id"], correction, "a correction").corrections.append(correction)
        for row in tables["rows"]:
            self._trace_of(row["id"], row, "a row").row = row
        self._add_messages(evidence.messages)

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._by_message.values())

    def _add_arrivals(self, rows: Iterable[Row]) -> None:
        for row in rows:
            arrival = row["arrival"]
            key = (arrival["place"]["channel"], arrival["place"]["ts"])
            trace = self._find(self._by_message, key, row, "an arrival")
            (trace.edits if arrival.get("kind") == ArrivalKind.EDITED else trace.arrivals).append(row)
            self._by_event[row["event_id"]] = trace

    def _add_questions(self, rows: Iterable[Row]) -> None:
        for row in rows:
            trace = self._find(self._by_message, (row["channel"], row["ts"]), row, "a question")
            trace.question = row
            self.by_question[row["id"]] = trace

    def _add_messages(self, messages: Iterable[BotMessage]) -> None:
        """Add the bot's messages, cards first: the meaning of a notice depends on whether there is a card."""
        for message in sorted(messages, key=lambda one: one.question is None):
            if message.question:
                self._trace_of(message.question, message, "a card").cards.append(message)
            else:
                trace = self._find(self._by_event, message.event or "", message, "a notice")
                failed_edits = [row["event_id"] for row in trace.edits if row["ending"] == Ending.FAILED]
                is_edit_notice = trace.cards and message.event in failed_edits
                (trace.edit_notices if is_edit_notice else trace.notices).append(message)

    def _trace_of(self, question: str, item: object, name: str) -> Trace:
        return self._find(self.by_question, question, item, name)

    def _find(self, index: dict[Any, Trace], key: Any, item: object, name: str) -> Trace:
        """Return the trace under a key; without one, record the item as a stray and return a trace to discard."""
        if key not in index:
            self.strays.append(Violation(f"{name} matches no employee's message", item))
            return Trace(AskedQuestion("", "", None, Via.CHANNEL, ""))
        return index[key]


def no_strays(traces: Traces) -> Iterator[Violation]:
    """Every row and every message of the bot belongs to a question."""
    yield from traces.strays


def queues_are_empty(traces: Traces) -> Iterator[Violation]:
    """The outbox is empty, and each arrival in the inbox has ended and has lost its text."""
    for row in traces.evidence.tables["inbox"]:
        if row["ending"] not in set(Ending):
            yield Violation("an inbox entry is still open", row)
        elif row["arrival"]["text"]:
            yield Violation("an ended arrival still has its text", row)
    for row in traces.evidence.tables["outbox"]:
        yield Violation("an entry is left in the outbox", row)


def acked_events_are_stored(traces: Traces) -> Iterator[Violation]:
    """Every question whose event was acked to Slack is in the inbox."""
    for trace in traces:
        if trace.asked.acked and not trace.arrivals and not trace.edits:
            yield trace.violation("acked, but not in the inbox")


def watched_channels_are_caught_up(traces: Traces) -> Iterator[Violation]:
    """Every question in a watched channel was found, even if none of its events arrived."""
    for trace in traces:
        if trace.asked.via is Via.CHANNEL and not trace.arrivals and not trace.edits:
            yield trace.violation("a question in a watched channel was missed")


def one_visible_answer(traces: Traces) -> Iterator[Violation]:
    """Every accepted question has exactly one card or exactly one failure notice."""
    for trace in traces:
        cards, notices = len(trace.cards), len(trace.notices)
        if cards > 1:
            yield trace.violation(f"answered {cards} times")
        if notices > 1:
            yield trace.violation(f"{notices} failure notices")
        if cards and notices:
            yield trace.violation("a card and a failure notice")
        if (trace.arrivals or trace.edits) and not cards and not notices:
            yield trace.violation("neither a card nor a failure notice")


def answer_is_in_the_thread(traces: Traces) -> Iterator[Violation]:
    """The answer is in the question's own thread, and the database knows the card's ts."""
    for trace in traces:
        for message in [*trace.cards, *trace.notices, *trace.edit_notices]:
            if (message.channel, message.thread) != (trace.asked.channel, trace.asked.thread or trace.asked.ts):
                yield trace.violation("an answer in the wrong thread")
        stored = (trace.question and trace.question["card_ts"]) or ""
        if stored not in ([card.ts for card in trace.cards] or [""]):
            yield trace.violation("the database has another card ts than Slack")


def card_is_up_to_date(traces: Traces) -> Iterator[Violation]:
    """The card shows the newest verdict, every correction, and the category in force."""
    for trace in traces:
        for card in trace.cards:
            in_force = trace.settled or (trace.verdicts[-1] if trace.verdicts else None)
            if in_force is None:
                yield trace.violation("a card without a verdict")
            elif card.category_name != words.CATEGORIES[in_force["category"]][0]:
                yield trace.violation(f"the card shows the category {card.category_name}")
            elif (card.verdict, card.seen) != (trace.verdicts[-1]["id"], len(trace.corrections)):
                yield trace.violation(f"the card shows verdict {card.verdict} and {card.seen} corrections")


def verdict_matches_the_text(traces: Traces) -> Iterator[Violation]:
    """The stored category is the model's answer to this text, not to another text and not outside the list.

    The fallback release may be wrong, but its answer is rechecked unless staff correct it first.
    """
    for trace in traces:
        if trace.question and trace.verdicts:
            expected, newest = words.correct_category(trace.question["text"]), trace.verdicts[-1]
            if newest["provisional"] and not trace.corrections:
                yield trace.violation("a provisional answer was never rechecked")
            elif newest["category"] not in (words.CATEGORIES if newest["provisional"] else {expected}):
                yield trace.violation(f"expected {expected}, stored {newest['category']}")


def newest_text_is_judged(traces: Traces) -> Iterator[Violation]:
    """The stored text was written by the asker, and an accepted edit replaced it unless staff settled it first."""
    for trace in traces:
        asked, question = trace.asked, trace.question
        if question is None:
            continue
        if question["text"] not in {asked.text, *(edit.text for edit in asked.edits)}:
            yield trace.violation("the asker never wrote the stored text")
        elif not trace.corrections and not trace.edit_notices and question["text"] not in asked.acceptable_texts:
            yield trace.violation("an edit was lost")


def confirmed_presses_are_stored(traces: Traces) -> Iterator[Violation]:
    """A press that Slack showed as accepted, and that the bot did not reject, is a correction in the database."""
    for press in traces.evidence.presses:
        trace = traces.by_question.get(press.question)
        if press.outcome is Outcome.CONFIRMED and not (
            trace and any(_matches(press, correction) for correction in trace.corrections)
        ):
            lost = Violation("a confirmed press was lost", press)
            yield trace.violation(f"{lost}") if trace else lost


def _matches(press: Press, correction: Row) -> bool:
    kinds = {CorrectionKind.UNDO} if press.category is None else {CorrectionKind.AGREE, CorrectionKind.CHANGE}
    same = press.category in {None, correction["category"]} and press.reason in {None, correction["reason"]}
    return same and correction["kind"] in kinds and correction["by"] == press.by and correction["seq"] > press.seen


def corrections_have_a_press(traces: Traces) -> Iterator[Violation]:
    """Every stored correction comes from a press."""
    for trace in traces:
        for correction in trace.corrections:
            if not any(
                press.question == correction["question_id"] and _matches(press, correction)
                for press in traces.evidence.presses
            ):
                yield trace.violation(f"correction {correction['seq']} without a press")


def correction_history_is_complete(traces: Traces) -> Iterator[Violation]:
    """Corrections are numbered from 1 without a gap, and an undo names the category that was in force."""
    for trace in traces:
        if [row["seq"] for row in trace.corrections] != list(range(1, len(trace.corrections) + 1)):
            yield trace.violation("a gap in the corrections")
        for before, after in pairwise([None, *trace.corrections]):
            was_settled = before and before["kind"] != CorrectionKind.UNDO
            if (
                after
                and after["kind"] == CorrectionKind.UNDO
                and not (was_settled and before and before["category"] == after["category"])
            ):
                yield trace.violation("an undo of a category that was not in force")


def row_exists_iff_settled(traces: Traces) -> Iterator[Violation]:
    """The question and its row agree with the newest correction; only a settled question has an active row."""
    for trace in traces:
        settled, row, question = trace.settled, trace.row, trace.question
        if question and question["settled"] != (settled and settled["category"]):
            yield trace.violation("the question's settled category is stale")
        active = row is not None and row["withdrawn_at"] is None
        if active != (settled is not None):
            yield trace.violation("an active row without a settlement" if active else "a settlement without a row")
        elif settled and row and question:
            same = all(row[name] == settled[name] for name in ("category", "by"))
            if not same or row["source"] != settled["kind"] or row["settled_at"] != settled["at"]:
                yield trace.violation("the row does not match the newest correction")
            if row["text"] != question["text"] or row["split"] != split_of(row["group"]):
                yield trace.violation("the row's text is not the question's, or its split is not its group's")


def one_release_serves(traces: Traces) -> Iterator[Violation]:
    """Exactly one release serves, and each release's last event names its current state."""
    tables = traces.evidence.tables
    serving = [row for row in tables["releases"] if row["state"] == ReleaseState.SERVING]
    if len(serving) != 1:
        yield Violation(f"{len(serving)} releases serve", None, tables["releases"])
    last = {event["release_id"]: event["state"] for event in tables["release_events"]}
    for row in tables["releases"]:
        if last.get(row["id"]) != row["state"]:
            yield Violation("the release history ends in another state", row, last.get(row["id"]))


def logs_hold_no_question_or_token(traces: Traces) -> Iterator[Violation]:
    """No log line contains a question or a Slack token."""
    asked_by_word = {
        word: trace.asked for trace in traces for word in trace.asked.text.split() if word.startswith("yx")
    }
    for line in traces.evidence.logs.splitlines():
        leaked = [asked for word, asked in asked_by_word.items() if word.rstrip("?") in line] if "yx" in line else []
        if leaked or "xoxb-" in line or "xapp-" in line:
            yield Violation("a log line contains a question or a token", line, leaked)


RULES: tuple[Callable[[Traces], Iterator[Violation]], ...] = (
    no_strays,
    queues_are_empty,
    acked_events_are_stored,
    watched_channels_are_caught_up,
    one_visible_answer,
    answer_is_in_the_thread,
    card_is_up_to_date,
    verdict_matches_the_text,
    newest_text_is_judged,
    confirmed_presses_are_stored,
    corrections_have_a_press,
    correction_history_is_complete,
    row_exists_iff_settled,
    one_release_serves,
    logs_hold_no_question_or_token,
)


def check(evidence: Evidence) -> list[Violation]:
    """Return the violations of all rules."""
    traces = Traces(evidence)
    return [violation for rule in RULES for violation in rule(traces)]


def count_endings(evidence: Evidence) -> dict[str, int]:
    """Return how many questions ended in which way. Each question counts once."""
    counts: defaultdict[str, int] = defaultdict(int)
    for trace in Traces(evidence):
        endings = (
            (trace.cards, "answered"),
            (trace.notices, "told that it failed"),
            (trace.arrivals, "neither answered nor told"),
        )
        counts[next((name for present, name in endings if present), NEVER_DELIVERED)] += 1
    return dict(counts)


def _select(row: Row, *names: str) -> dict[str, object]:
    return {name: row[name] for name in names}
