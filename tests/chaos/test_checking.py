"""The rules find planted faults: no rule objects to a correct day, and each fault planted in it is reported."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.dataset import group_of, split_of
from bot.domain.question import Via
from tests.chaos.checking import NEVER_DELIVERED, check, count_endings
from tests.chaos.evidence import AskedQuestion, BotMessage, Edit, Evidence, Outcome, Press

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HELP, GENERAL = "C0HELPDESK1", "C0GENERAL01"
KENJI, PRIYA = "U0KENJI0001", "U0PRIYA0001"
DESK, LAMP = "Who looks after the desk of team yxbyx?", "Who looks after the lamp of team yxcyx?"
LAPTOP, PENSION = "Who looks after the laptop of team yxdyx?", "Who looks after the pension of team yxdyx?"
Day = dict[str, Any]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def inbox_entry(event: str, channel: str, ts: str, ending: str, kind: str = "asked") -> dict[str, Any]:
    arrival = {"event_id": event, "kind": kind, "place": {"channel": channel, "ts": ts}, "text": ""}
    return {"event_id": event, "arrival": arrival, "attempts": 1, "ending": ending, "why": None, "holder": None}


def question(key: str, channel: str, ts: str, text: str, card: str | None, settled: str | None) -> dict[str, Any]:
    return {"id": key, "channel": channel, "ts": ts, "text": text, "card_ts": card, "settled": settled}


def verdict(key: str, question_id: str, category: str) -> dict[str, Any]:
    return {"id": key, "question_id": question_id, "category": category, "provisional": False, "at": at(1)}


def correction(question_id: str, seq: int, kind: str, category: str, by: str) -> dict[str, Any]:
    fields = {"question_id": question_id, "seq": seq, "kind": kind, "category": category, "by": by, "reason": None}
    return fields | {"at": at(seq)}


def row(key: str, text: str, category: str, source: str, by: str, settled_at: datetime) -> dict[str, Any]:
    group = group_of(text)
    fields = {"id": key, "text": text, "group": group, "split": split_of(group), "category": category, "by": by}
    return fields | {"source": source, "settled_at": settled_at, "withdrawn_at": None}


def correct_day() -> Day:
    """Return a day with four questions: changed twice, confirmed and undone, edited, and failed."""
    return {
        "asked": [
            AskedQuestion(HELP, "1.0", None, Via.CHANNEL, DESK, acked=True),
            AskedQuestion(GENERAL, "2.0", "1.5", Via.MENTION, LAMP, acked=True),
            AskedQuestion(HELP, "3.0", None, Via.CHANNEL, LAPTOP, True, [Edit(PENSION, acked=True)]),
            AskedQuestion(HELP, "4.0", None, Via.CHANNEL, "Who looks after the choir of team yxfyx?", acked=True),
        ],
        "presses": [
            Press("q1", 0, "people", KENJI, Outcome.CONFIRMED),
            Press("q1", 0, "it", PRIYA, Outcome.TOLD_OTHERWISE),
            Press("q1", 1, "it", PRIYA, Outcome.CONFIRMED),
            Press("q2", 0, "facilities", KENJI, Outcome.UNKNOWN),
            Press("q2", 1, None, PRIYA, Outcome.CONFIRMED),
        ],
        "messages": [
            BotMessage(HELP, "1.1", "1.0", "q1", None, "v1", 2, "Computers"),
            BotMessage(GENERAL, "2.1", "1.5", "q2", None, "v2", 2, "Facilities"),
            BotMessage(HELP, "3.1", "3.0", "q3", None, "v3b", 0, "People team"),
            BotMessage(HELP, "4.1", "4.0", None, "e4"),
        ],
        "inbox": [
            inbox_entry("e1", HELP, "1.0", "answered"),
            inbox_entry("e1-again", HELP, "1.0", "ignored"),
            inbox_entry("e2", GENERAL, "2.0", "answered"),
            inbox_entry("e3", HELP, "3.0", "answered"),
            inbox_entry("e3-edit", HELP, "3.0", "answered", "edited"),
            inbox_entry("e4", HELP, "4.0", "failed"),
        ],
        "questions": [
            question("q1", HELP, "1.0", DESK, "1.1", "it"),
            question("q2", GENERAL, "2.0", LAMP, "2.1", None),
            question("q3", HELP, "3.0", PENSION, "3.1", None),
        ],
        "verdicts": [
            verdict("v1", "q1", "facilities"),
            verdict("v2", "q2", "facilities"),
            verdict("v3", "q3", "it"),
            verdict("v3b", "q3", "people"),
        ],
        "corrections": [
            correction("q1", 1, "change", "people", KENJI),
            correction("q1", 2, "change", "it", PRIYA),
            correction("q2", 1, "agree", "facilities", KENJI),
            correction("q2", 2, "undo", "facilities", PRIYA),
        ],
        "rows": [
            row("q1", DESK, "it", "change", PRIYA, at(2)),
            row("q2", LAMP, "facilities", "agree", KENJI, at(1)) | {"withdrawn_at": at(2)},
        ],
        "releases": [{"id": "r1", "state": "serving"}, {"id": "r2", "state": "retired"}],
        "release_events": [
            {"release_id": "r2", "state": "serving"},
            {"release_id": "r2", "state": "retired"},
            {"release_id": "r1", "state": "serving"},
        ],
        "outbox": [],
        "logs": "INFO bot.questions.answering: inbox 1: answered\n",
    }


def evidence_of(day: Day) -> Evidence:
    day = dict(day)
    own = {name: day.pop(name) for name in ("asked", "presses", "messages", "logs")}
    return Evidence(tables=day, **own)


def test_correct_day_has_no_violation() -> None:
    evidence = evidence_of(correct_day())
    assert check(evidence) == []
    assert count_endings(evidence) == {"answered": 3, "told that it failed": 1}


def test_undelivered_mention_is_counted_without_violation() -> None:
    day = correct_day()
    day["asked"].append(AskedQuestion(GENERAL, "5.0", None, Via.MENTION, "Who looks after the lamp of team yxgyx?"))
    assert check(evidence_of(day)) == []
    assert count_endings(evidence_of(day))[NEVER_DELIVERED] == 1


def test_provisional_answer_needs_no_recheck_after_correction() -> None:
    day = correct_day()
    change("verdicts", 0, category="it", provisional=True)(day)
    assert check(evidence_of(day)) == []


def change(table: str, number: int, **values: object) -> Callable[[Day], None]:
    """Return a change of a day that replaces values in one entry."""

    def tamper(day: Day) -> None:
        entry = day[table][number]
        day[table][number] = entry | values if isinstance(entry, dict) else replace(entry, **values)

    return tamper


def add(table: str, entry: object) -> Callable[[Day], None]:
    return lambda day: day[table].append(entry)


def drop(table: str, number: int) -> Callable[[Day], None]:
    def tamper(day: Day) -> None:
        del day[table][number]

    return tamper


def append_to_log(text: str) -> Callable[[Day], None]:
    return lambda day: day.update(logs=day["logs"] + text)


def test_failed_edit_with_notice_keeps_the_card() -> None:
    day = correct_day()
    change("inbox", 4, ending="failed")(day)
    change("questions", 2, text=LAPTOP)(day)
    drop("verdicts", 3)(day)
    change("messages", 2, verdict="v3", category_name="Computers")(day)
    assert [one.problem for one in check(evidence_of(day))] == ["an edit was lost"]
    add("messages", BotMessage(HELP, "3.2", "3.0", None, "e3-edit"))(day)
    assert check(evidence_of(day)) == []


PLANTED = {
    "a second card": (
        add("messages", BotMessage(HELP, "1.2", "1.0", "q1", None, "v1", 2, "Computers")),
        "answered 2 times",
    ),
    "a second notice": (add("messages", BotMessage(HELP, "4.2", "4.0", None, "e4")), "2 failure notices"),
    "a notice beside a card": (
        add("messages", BotMessage(HELP, "1.3", "1.0", None, "e1")),
        "a card and a failure notice",
    ),
    "no card": (drop("messages", 0), "neither a card nor a failure notice"),
    "no notice": (drop("messages", 3), "neither a card nor a failure notice"),
    "a card of an unknown question": (
        add("messages", BotMessage(HELP, "9.1", "9.0", "q9")),
        "a card matches no employee's message",
    ),
    "a notice of an unknown event": (
        add("messages", BotMessage(HELP, "9.1", "9.0", None, "e9")),
        "a notice matches no employee's message",
    ),
    "a card in another thread": (change("messages", 1, thread="2.0"), "an answer in the wrong thread"),
    "a card in another channel": (change("messages", 0, channel=GENERAL), "an answer in the wrong thread"),
    "another card ts": (change("questions", 0, card_ts="1.7"), "the database has another card ts than Slack"),
    "no card ts": (change("questions", 0, card_ts=None), "the database has another card ts than Slack"),
    "a card without the newest correction": (
        change("messages", 0, seen=1),
        "the card shows verdict v1 and 1 corrections",
    ),
    "a card with an older verdict": (
        change("messages", 2, verdict="v3"),
        "the card shows verdict v3 and 0 corrections",
    ),
    "a card with a wrong category": (
        change("messages", 0, category_name="Facilities"),
        "the card shows the category Facilities",
    ),
    "a wrong verdict": (change("verdicts", 0, category="it"), "expected facilities, stored it"),
    "a category outside the list": (
        change("verdicts", 0, category="astrology"),
        "expected facilities, stored astrology",
    ),
    "a provisional category outside the list": (
        change("verdicts", 0, category="astrology", provisional=True),
        "expected facilities, stored astrology",
    ),
    "no recheck": (
        change("verdicts", 3, provisional=True),
        "a provisional answer was never rechecked",
    ),
    "a missed question": (
        add("asked", AskedQuestion(HELP, "5.0", None, Via.CHANNEL, "Who looks after the lamp of team yxgyx?")),
        "a question in a watched channel was missed",
    ),
    "an acked event that is not stored": (
        lambda day: [drop("inbox", 5)(day), drop("messages", 3)(day)],
        "acked, but not in the inbox",
    ),
    "an open inbox entry": (change("inbox", 1, ending=None), "an inbox entry is still open"),
    "a text left in the inbox": (
        change("inbox", 0, arrival=inbox_entry("e1", HELP, "1.0", "")["arrival"] | {"text": DESK}),
        "an ended arrival still has its text",
    ),
    "an entry left in the outbox": (add("outbox", {"id": 1, "topic": "card"}), "an entry is left in the outbox"),
    "a lost edit": (
        lambda day: [change("questions", 2, text=LAPTOP)(day), drop("verdicts", 3)(day)],
        "an edit was lost",
    ),
    "a text that nobody wrote": (
        change("questions", 2, text="Who owns the lamp?"),
        "the asker never wrote the stored text",
    ),
    "a lost change": (
        lambda day: [drop("corrections", 1)(day), change("questions", 0, settled="people")(day)],
        "a confirmed press was lost",
    ),
    "a lost undo": (drop("corrections", 3), "a confirmed press was lost"),
    "an undo by somebody else": (change("corrections", 3, by=KENJI), "a confirmed press was lost"),
    "a lost reason": (change("presses", 2, reason="Says the handbook."), "a confirmed press was lost"),
    "a correction without a press": (drop("presses", 3), "correction 1 without a press"),
    "a gap in the corrections": (change("corrections", 1, seq=3), "a gap in the corrections"),
    "an undo of another category": (
        change("corrections", 3, category="it"),
        "an undo of a category that was not in force",
    ),
    "an undo of nothing": (drop("corrections", 2), "an undo of a category that was not in force"),
    "a stale settled category": (change("questions", 0, settled="people"), "the question's settled category is stale"),
    "an active row after an undo": (change("rows", 1, withdrawn_at=None), "an active row without a settlement"),
    "a withdrawn row of a settled question": (change("rows", 0, withdrawn_at=at(3)), "a settlement without a row"),
    "a row of the first correction": (
        change("rows", 0, category="people", by=KENJI),
        "the row does not match the newest correction",
    ),
    "a row with the wrong source": (change("rows", 0, source="agree"), "the row does not match the newest correction"),
    "a row with another text": (
        change("rows", 0, text=LAMP),
        "the row's text is not the question's, or its split is not its group's",
    ),
    "a row with another split": (change("rows", 0, split="neither"), "the row's text is not the question's"),
    "two serving releases": (change("releases", 1, state="serving"), "2 releases serve"),
    "no serving release": (change("releases", 0, state="retired"), "0 releases serve"),
    "another release history": (drop("release_events", 1), "the release history ends in another state"),
    "a question in a log": (append_to_log(f"ERROR: {DESK}\n"), "a log line contains a question or a token"),
    "a token in a log": (append_to_log("ERROR: xoxb-1-2\n"), "a log line contains a question or a token"),
    "a question that nobody asked": (
        add("questions", question("q9", HELP, "9.0", DESK, None, None)),
        "a question matches no employee's message",
    ),
    "an arrival that nobody sent": (
        add("inbox", inbox_entry("e9", HELP, "9.0", "ignored")),
        "an arrival matches no employee's message",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_fault_is_found(name: str) -> None:
    day = correct_day()
    tamper, problem = PLANTED[name]
    tamper(day)
    found = [violation.problem for violation in check(evidence_of(day))]
    assert any(problem in one for one in found), found
