"""Traces, feedback, annotations and experiments, over HTTP."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.correction import CorrectionKind
from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.mirror import Purpose
from bot.langsmith import LangSmithTracker
from bot.langsmith.tracker import ANNOTATION_LOOKBACK
from tests.bot.langsmith.things import THEN, copy, experiment, experiment_row, feedback, trace
from tests.kits.langsmith_server import LangSmithServer, ServerFault


async def test_run_holds_all_fields_of_a_trace(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    shown = [trace("q1"), trace("q1", Purpose.SHADOW, reason=None, usd=None, latency_ms=None, confidence=None)]
    await tracker.trace(shown)
    assert langsmith.traces.runs.keys() == {str(one.id) for one in shown}
    run = langsmith.traces.runs[str(shown[0].id)]
    assert (run["name"], run["run_type"], run["session_name"], run["tags"]) == (
        "classify",
        "llm",
        "madoguchi",
        ["serving"],
    )
    assert run["trace_id"] == run["id"] == str(shown[0].id)
    assert run["inputs"] == {"messages": [{"role": "user", "content": "有給は何日前？ q1"}]}
    assert run["outputs"] == {"reason": "休暇の質問です", "category": "労務"}
    started, ended = (datetime.fromisoformat(run[key]) for key in ("start_time", "end_time"))
    assert (ended, ended - started) == (shown[0].at, timedelta(milliseconds=400))
    metadata = run["extra"]["metadata"]
    assert {key: metadata[key] for key in ("release", "prompt", "purpose", "about")} == {
        "release": "r1",
        "prompt": "p1",
        "purpose": "serving",
        "about": "q1",
    }
    assert (metadata["ls_provider"], metadata["ls_model_name"]) == ("openai", "gpt-6-luna")
    assert (metadata["confidence"], metadata["cost_usd"]) == (0.75, 0.000018)
    assert metadata["usage_metadata"] == {
        "input_tokens": 120,
        "output_tokens": 12,
        "total_tokens": 132,
        "total_cost": 0.000018,
    }
    assert set(run["extra"]) == {"metadata"}  # no details of this machine or its environment


async def test_many_runs_share_requests(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    await tracker.trace([trace(f"q{n}") for n in range(250)])
    assert (len(langsmith.traces.runs), len(langsmith.sent("POST /runs/multipart"))) == (250, 3)
    await tracker.trace([])
    assert len(langsmith.sent("POST /runs/multipart")) == 3


async def test_new_runs_beside_received_ones_are_kept(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    """LangSmith refuses the whole request, and the SDK treats that as success."""
    await tracker.trace([trace("q1")])
    await tracker.trace([trace("q1"), trace("q2"), trace("q3")])
    assert {run["extra"]["metadata"]["about"] for run in langsmith.traces.runs.values()} == {"q1", "q2", "q3"}
    sent = len(langsmith.requests)
    await tracker.trace([trace("q1")])
    assert len(langsmith.requests) == sent + 1


async def test_runs_are_stored_once_despite_lost_answer(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    await tracker.check()
    langsmith.fail(ServerFault(taken=True), on="POST /runs", times=1)
    await tracker.trace([trace("q1"), trace("q2")])  # the SDK itself retries
    assert len(langsmith.traces.runs) == 2


async def test_runs_reach_an_older_server_without_multipart(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    langsmith.fail(ServerFault(404), on="POST /runs/multipart")
    await tracker.trace([trace("q1"), trace("q2")])
    assert len(langsmith.traces.runs) == 2


# --- feedback ---


async def test_trace_shows_only_its_newest_correction(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    one = trace("q1")
    await tracker.trace([one])
    agreed = feedback(one, CorrectionKind.AGREE, "労務")
    changed = feedback(one, CorrectionKind.CHANGE, "人事", replaces=agreed.id)
    undone = feedback(one, CorrectionKind.UNDO, "人事", replaces=changed.id)
    expected = [
        ("category", 1, "労務", None),
        ("category", 0, "人事", {"category": "人事"}),
        ("undone", None, "人事", None),
    ]
    for said, wanted in zip((agreed, changed, undone), expected, strict=True):
        for _ in range(2):
            await tracker.say(said)
        (kept,) = langsmith.traces.feedback.values()
        assert (kept["key"], kept["score"], kept["value"], kept["correction"]) == wanted
        assert kept["id"] == str(said.id)
        assert (kept["run_id"], kept["trace_id"]) == (str(one.id), str(one.id))
        assert kept["session_id"] == langsmith.traces.runs[str(one.id)]["session_id"]
        about = kept["feedback_source"]["metadata"]
        assert about == {"by": "p-1", "kind": said.kind.value, "at": THEN.isoformat()}


async def test_feedback_on_unknown_trace_can_be_retried(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    one = trace("q1")
    said = feedback(one)
    with pytest.raises(TrackerRefused) as refused:
        await tracker.say(said)
    assert refused.value.reason is TrackerReason.UNKNOWN_TRACE
    await tracker.trace([one])
    await tracker.say(said)
    assert len(langsmith.traces.feedback) == 1


async def test_annotations_are_read_without_our_own_feedback(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    one, two = trace("q1"), trace("q2")
    await tracker.trace([one, two])
    await tracker.say(feedback(one))
    people = langsmith.people
    people.annotate("Hanako", str(one.id), "category", value="総務", comment="備品")
    people.annotate("Taro", str(two.id), "note", correction={"category": "人事"})
    people.annotate("Taro", str(two.id), "correct", correction="労務")
    people.annotate("Taro", str(two.id), "thumbs", score=1)
    people.annotate("Taro", str(two.id), "category", value=3)
    found = await tracker.annotations(None)
    assert [(word.trace_id, word.category, word.comment, word.by) for word in found] == [
        (one.id, "総務", "備品", "user-of-Hanako"),
        (two.id, "人事", None, "user-of-Taro"),
        (two.id, "労務", None, "user-of-Taro"),
    ]
    assert [word.category for word in await tracker.annotations(found[1].at)] == ["人事", "労務"]
    assert await tracker.annotations(found[2].at + timedelta(seconds=1)) == []


async def test_changed_annotation_is_read_again(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    one = trace("q1")
    await tracker.trace([one])
    said = langsmith.people.annotate("Hanako", str(one.id), "category", value="総務")
    (first,) = await tracker.annotations(None)
    langsmith.people.annotate_again(said, value="人事")
    (second,) = await tracker.annotations(first.at + timedelta(microseconds=1))
    assert (second.id, second.category) == (first.id, "人事")
    assert await tracker.annotations(datetime.now(UTC) + ANNOTATION_LOOKBACK) == []  # noqa: TID251 - the stand-in's time


# --- experiments ---


async def test_evaluation_becomes_an_experiment_on_the_dataset(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b"), copy("c")])
    await tracker.freeze(dataset, "held-out-1", ["a", "b", "c"])
    made = experiment(dataset)
    await tracker.experiment(made, [experiment_row("a"), experiment_row("b", right=False), experiment_row("not-there")])
    for _ in range(2):
        await tracker.experiment(made, [experiment_row("b", right=False), experiment_row("c")])
        await tracker.conclude(made, {"accuracy": 2 / 3})
    session = langsmith.traces.session(made.name)
    assert session
    assert session["reference_dataset_id"] == dataset
    tagged = langsmith.datasets.get(dataset).tags["held-out-1"]
    assert session["extra"]["metadata"] == {
        "release": "r1",
        "prompt": "p1",
        "model": "openai/gpt-6-luna",
        # The key of the SDK's own evaluation, by which LangSmith's page finds the version.
        "dataset_version": tagged.isoformat(),
        "dataset_splits": ["held-out-1"],
        "num_repetitions": 1,
        "accuracy": 2 / 3,
    }
    examples = {one["id"]: one["metadata"]["row"] for one in langsmith.datasets.get(dataset).at("held-out-1")}
    runs = {run["id"]: examples[run["reference_example_id"]] for run in langsmith.traces.of_session(made.name)}
    assert sorted(runs.values()) == ["a", "b", "c"]
    judged = {runs[one["run_id"]]: one["score"] for one in langsmith.traces.feedback.values() if one["run_id"]}
    assert judged == {"a": 1, "b": 0, "c": 1}
    (figure,) = [one for one in langsmith.traces.feedback.values() if not one["run_id"]]
    assert (figure["key"], figure["score"], figure["session_id"]) == ("accuracy", 0.6667, session["id"])


async def test_experiment_continues_after_a_failure(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    rows = [f"q{n}" for n in range(20)]
    await tracker.put_rows(dataset, [copy(one) for one in rows])
    langsmith.fail(ServerFault(503), on="POST /feedback", times=3)
    made = experiment(dataset)
    with pytest.raises(TrackerDown):
        await tracker.experiment(made, [experiment_row(one) for one in rows])
    await tracker.experiment(made, [experiment_row(one) for one in rows])
    assert len(langsmith.traces.of_session(made.name)) == len(langsmith.traces.feedback) == 20


async def test_experiment_on_a_deleted_dataset_is_refused(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    made = experiment(str(uuid.uuid4()))
    with pytest.raises(TrackerRefused, match=TrackerReason.DATASET_GONE):
        await tracker.experiment(made, [experiment_row("a")])
    with pytest.raises(TrackerRefused, match=TrackerReason.DATASET_GONE):
        await tracker.conclude(made, {"accuracy": 1.0})
    assert not langsmith.traces.sessions


async def test_sent_data_holds_no_personal_data(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    one = trace("q1", text="taro@example.co.jp に 090-1234-5678 で連絡してよいですか")
    dataset = await tracker.dataset()
    await tracker.trace([one])
    await tracker.put_rows(dataset, [copy("a", text="taro@example.co.jp は誰ですか")])
    await tracker.say(feedback(one))
    sent = json.dumps([[got.parts, got.body.decode(errors="replace")] for got in langsmith.requests])
    assert "taro" not in sent
    assert "1234-5678" not in sent
    assert "[mail]" in sent
