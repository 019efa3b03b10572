"""The checks find what is wrong: each is shown a day on which nothing is, and the same day with one thing planted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.dataset import group_of, split_of
from bot.domain.question import Via
from tests.chaos.checking import NEVER, check, ends
from tests.chaos.evidence import Asked, Edited, Evidence, Outcome, Posted, Pressed

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HELP, GENERAL = "C0HELPDESK1", "C0GENERAL01"
KENJI, PRIYA = "U0KENJI0001", "U0PRIYA0001"
DESK, LAMP = "Who looks after the desk of team yxbyx?", "Who looks after the lamp of team yxcyx?"
LAPTOP, PENSION = "Who looks after the laptop of team yxdyx?", "Who looks after the pension of team yxdyx?"
Day = dict[str, Any]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def arrived(event: str, channel: str, ts: str, ending: str, kind: str = "asked") -> dict[str, Any]:
    arrival = {"event_id": event, "kind": kind, "place": {"channel": channel, "ts": ts}, "text": ""}
    return {"event_id": event, "arrival": arrival, "attempts": 1, "ending": ending, "why": None, "holder": None}


def question(key: str, channel: str, ts: str, text: str, card: str | None, settled: str | None) -> dict[str, Any]:
    return {"id": key, "channel": channel, "ts": ts, "text": text, "card_ts": card, "settled": settled}


def verdict(key: str, of: str, category: str) -> dict[str, Any]:
    return {"id": key, "question_id": of, "category": category, "provisional": False, "at": at(1)}


def correction(of: str, seq: int, kind: str, category: str, by: str) -> dict[str, Any]:
    fields = {"question_id": of, "seq": seq, "kind": kind, "category": category, "by": by, "reason": None}
    return fields | {"at": at(seq)}


def row(key: str, text: str, category: str, source: str, by: str, settled_at: datetime) -> dict[str, Any]:
    group = group_of(text)
    fields = {"id": key, "text": text, "group": group, "split": split_of(group), "category": category, "by": by}
    return fields | {"source": source, "settled_at": settled_at, "withdrawn_at": None}


def a_day() -> Day:
    """Four questions: one changed by two, one agreed to and reopened, one edited, one that could not be answered."""
    return {
        "asked": [
            Asked(HELP, "1.0", None, Via.CHANNEL, DESK, taken=True),
            Asked(GENERAL, "2.0", "1.5", Via.MENTION, LAMP, taken=True),
            Asked(HELP, "3.0", None, Via.CHANNEL, LAPTOP, True, [Edited(PENSION, taken=True)]),
            Asked(HELP, "4.0", None, Via.CHANNEL, "Who looks after the choir of team yxfyx?", taken=True),
        ],
        "pressed": [
            Pressed("q1", 0, "people", KENJI, Outcome.CONFIRMED),
            Pressed("q1", 0, "it", PRIYA, Outcome.TOLD),
            Pressed("q1", 1, "it", PRIYA, Outcome.CONFIRMED),
            Pressed("q2", 0, "facilities", KENJI, Outcome.UNKNOWN),
            Pressed("q2", 1, None, PRIYA, Outcome.CONFIRMED),
        ],
        "posted": [
            Posted(HELP, "1.1", "1.0", "q1", None, "v1", 2, "Computers"),
            Posted(GENERAL, "2.1", "1.5", "q2", None, "v2", 2, "Facilities"),
            Posted(HELP, "3.1", "3.0", "q3", None, "v3b", 0, "People team"),
            Posted(HELP, "4.1", "4.0", None, "e4"),
        ],
        "inbox": [
            arrived("e1", HELP, "1.0", "answered"),
            arrived("e1-again", HELP, "1.0", "ignored"),
            arrived("e2", GENERAL, "2.0", "answered"),
            arrived("e3", HELP, "3.0", "answered"),
            arrived("e3-edit", HELP, "3.0", "answered", "edited"),
            arrived("e4", HELP, "4.0", "failed"),
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
    own = {name: day.pop(name) for name in ("asked", "pressed", "posted", "logs")}
    return Evidence(tables=day, **own)


def test_a_day_without_fault_passes() -> None:
    evidence = evidence_of(a_day())
    assert check(evidence) == []
    assert ends(evidence) == {"answered": 3, "told that it failed": 1}


def test_what_never_reached_the_bot_is_counted_and_is_no_fault_of_its() -> None:
    day = a_day()
    day["asked"].append(Asked(GENERAL, "5.0", None, Via.MENTION, "Who looks after the lamp of team yxgyx?"))
    assert check(evidence_of(day)) == []
    assert ends(evidence_of(day))[NEVER] == 1


def test_staff_may_be_faster_than_the_second_look() -> None:
    day = a_day()
    put("verdicts", 0, category="it", provisional=True)(day)
    assert check(evidence_of(day)) == []


def put(table: str, number: int, **changed: object) -> Callable[[Day], None]:
    """A tampering: other values in one entry."""

    def tamper(day: Day) -> None:
        entry = day[table][number]
        day[table][number] = entry | changed if isinstance(entry, dict) else replace(entry, **changed)

    return tamper


def add(table: str, entry: object) -> Callable[[Day], None]:
    return lambda day: day[table].append(entry)


def drop(table: str, number: int) -> Callable[[Day], None]:
    def tamper(day: Day) -> None:
        del day[table][number]

    return tamper


def told(text: str) -> Callable[[Day], None]:
    return lambda day: day.update(logs=day["logs"] + text)


def test_an_edit_that_was_told_to_have_failed_leaves_the_card() -> None:
    day = a_day()
    put("inbox", 4, ending="failed")(day)
    put("questions", 2, text=LAPTOP)(day)
    drop("verdicts", 3)(day)
    put("posted", 2, verdict="v3", said="Computers")(day)
    assert [one.wrong for one in check(evidence_of(day))] == ["an edit was lost"]
    add("posted", Posted(HELP, "3.2", "3.0", None, "e3-edit"))(day)
    assert check(evidence_of(day)) == []


PLANTED = {
    "a second card": (add("posted", Posted(HELP, "1.2", "1.0", "q1", None, "v1", 2, "Computers")), "answered 2 times"),
    "a second notice": (add("posted", Posted(HELP, "4.2", "4.0", None, "e4")), "told 2 times"),
    "a notice beside a card": (
        add("posted", Posted(HELP, "1.3", "1.0", None, "e1")),
        "answered, and told that it failed",
    ),
    "no card": (drop("posted", 0), "silence"),
    "no notice": (drop("posted", 3), "silence"),
    "a card of no question": (add("posted", Posted(HELP, "9.1", "9.0", "q9")), "a card of nothing that was asked"),
    "a notice of no event": (
        add("posted", Posted(HELP, "9.1", "9.0", None, "e9")),
        "a notice of nothing that was asked",
    ),
    "another thread": (put("posted", 1, thread="2.0"), "an answer in another thread"),
    "another channel": (put("posted", 0, channel=GENERAL), "an answer in another thread"),
    "another ts": (put("questions", 0, card_ts="1.7"), "the database knows another card than stands in Slack"),
    "no ts": (put("questions", 0, card_ts=None), "the database knows another card than stands in Slack"),
    "a stale card": (put("posted", 0, seen=1), "the card shows verdict v1 and 1 corrections"),
    "a stale verdict": (put("posted", 2, verdict="v3"), "the card shows verdict v3 and 0 corrections"),
    "a wrong name": (put("posted", 0, said="Facilities"), "the card says Facilities"),
    "a wrong verdict": (put("verdicts", 0, category="it"), "facilities would be right, it is stored"),
    "outside of the list": (put("verdicts", 0, category="astrology"), "facilities would be right, astrology is stored"),
    "a provisional one outside of the list": (
        put("verdicts", 0, category="astrology", provisional=True),
        "facilities would be right, astrology is stored",
    ),
    "no second look": (
        put("verdicts", 3, provisional=True),
        "a provisional answer that nobody looked at again",
    ),
    "missed": (
        add("asked", Asked(HELP, "5.0", None, Via.CHANNEL, "Who looks after the lamp of team yxgyx?")),
        "missed in a watched channel",
    ),
    "not written": (lambda day: [drop("inbox", 5)(day), drop("posted", 3)(day)], "acked, but not in the inbox"),
    "an open entry": (put("inbox", 1, ending=None), "an open entry in the inbox"),
    "a kept text": (
        put("inbox", 0, arrival=arrived("e1", HELP, "1.0", "")["arrival"] | {"text": DESK}),
        "an ended arrival still holds its text",
    ),
    "an undelivered entry": (add("outbox", {"id": 1, "topic": "card"}), "an entry left in the outbox"),
    "a lost edit": (lambda day: [put("questions", 2, text=LAPTOP)(day), drop("verdicts", 3)(day)], "an edit was lost"),
    "a text of nobody": (put("questions", 2, text="Who owns the lamp?"), "a text that nobody wrote"),
    "a lost change": (
        lambda day: [drop("corrections", 1)(day), put("questions", 0, settled="people")(day)],
        "a confirmed press is lost",
    ),
    "a lost undo": (drop("corrections", 3), "a confirmed press is lost"),
    "another's undo": (put("corrections", 3, by=KENJI), "a confirmed press is lost"),
    "a lost reason": (put("pressed", 2, reason="Says the handbook."), "a confirmed press is lost"),
    "nobody's correction": (drop("pressed", 3), "nobody pressed correction 1"),
    "a gap": (put("corrections", 1, seq=3), "a gap in the corrections"),
    "an undo of another category": (put("corrections", 3, category="it"), "an undo of what did not hold"),
    "an undo of nothing": (drop("corrections", 2), "an undo of what did not hold"),
    "a stale question": (put("questions", 0, settled="people"), "the question does not say what holds"),
    "a row too many": (put("rows", 1, withdrawn_at=None), "a row without a settlement"),
    "a row too few": (put("rows", 0, withdrawn_at=at(3)), "a settlement without a row"),
    "the first's row": (put("rows", 0, category="people", by=KENJI), "the row is not of the newest correction"),
    "an agreement taken for a change": (put("rows", 0, source="agree"), "the row is not of the newest correction"),
    "another text": (
        put("rows", 0, text=LAMP),
        "the row's text is not the question's, or its split is not its group's",
    ),
    "another split": (put("rows", 0, split="neither"), "the row's text is not the question's"),
    "two serve": (put("releases", 1, state="serving"), "2 releases serve"),
    "none serves": (put("releases", 0, state="retired"), "0 releases serve"),
    "another history": (drop("release_events", 1), "the history tells another state"),
    "a text in a log": (told(f"ERROR: {DESK}\n"), "a log tells what it must not"),
    "a token in a log": (told("ERROR: xoxb-1-2\n"), "a log tells what it must not"),
    "a question of nobody": (
        add("questions", question("q9", HELP, "9.0", DESK, None, None)),
        "a question of nothing that was asked",
    ),
    "an arrival of nobody": (
        add("inbox", arrived("e9", HELP, "9.0", "ignored")),
        "an arrival of nothing that was asked",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str) -> None:
    day = a_day()
    tamper, wrong = PLANTED[name]
    tamper(day)
    found = [violation.wrong for violation in check(evidence_of(day))]
    assert any(wrong in one for one in found), found
