"""Copies for the tracker: stable ids, masked texts, and the training file's answers."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.dataset import example
from bot.domain.mirror import Purpose, Trace, feedback_id, pseudonym, row_copy, trace_id
from bot.domain.release import ModelName
from tests.bot.things import PROMPT, START, row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(START.replace(tzinfo=None), timezones=st.just(UTC))


@given(MOMENTS, st.lists(st.text()))
def test_trace_id_is_a_stable_version_7_uuid(at: datetime, what: list[str]) -> None:
    made = trace_id(at, *what)
    assert made == trace_id(at, *what)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)
    assert made != trace_id(at, *what, "more")
    assert str(made) < str(trace_id(at + timedelta(milliseconds=1), *what))


def test_trace_id_separates_its_words() -> None:
    assert trace_id(START, "ab", "c") != trace_id(START, "a", "bc")


def test_feedback_id_is_stable() -> None:
    assert feedback_id("q", 1) == feedback_id("q", 1) != feedback_id("q", 11)


def test_row_copy_matches_its_training_file_line() -> None:
    for reason in ("because it is leave", None):
        settled = row("a", reason=reason)
        category = PROMPT.category("labor")
        assert category
        copied = row_copy(settled, PROMPT, category)
        system, user, assistant = json.loads(example(PROMPT, settled, category))["messages"]
        assert (copied.system, copied.text) == (system["content"], user["content"])
        assert {"reason": copied.reason, "category": copied.category} == json.loads(assistant["content"])


def test_trace_masks_unmasked_text() -> None:
    trace = Trace(
        id=trace_id(START, "x"),
        purpose=Purpose.SERVING,
        about="q",
        text="mail me at taro@example.co.jp",
        category="it",
        reason="taro@example.co.jp is a mail address",
        release_id="r",
        prompt_id="p",
        model=ModelName.parse("local/base"),
        tokens_in=1,
        tokens_out=1,
        at=START,
    )
    assert "@" not in trace.model_dump_json()


@given(st.binary(min_size=32), st.text(), st.text())
def test_pseudonym_is_unique_per_person_and_key(key: bytes, one: str, other: str) -> None:
    assert pseudonym(key, one) == pseudonym(key, one)
    assert (pseudonym(key, one) == pseudonym(key, other)) == (one == other)
    assert pseudonym(key, one) != pseudonym(key + b"x", one)
