"""Rows as examples of a dataset, and the edits that people make there."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from langsmith import Client

from bot.domain.dataset import Split, example
from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.mirror import row_copy
from bot.langsmith import LangSmithTracker
from bot.langsmith.dataset_copy import MAX_RETURNS
from tests.bot.langsmith.things import LATER, copy, trace
from tests.bot.things import PROMPT, row
from tests.kits.langsmith_server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY


def examples_by_row(server: LangSmithServer, as_of: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the dataset's examples by row id."""
    (dataset,) = server.datasets.by_id.values()
    found = {one["metadata"]["row"]: one for one in dataset.at(as_of)}
    assert len(found) == len(dataset.at(as_of))
    return found


def categories(server: LangSmithServer, as_of: str | None = None) -> dict[str, str]:
    return {row_id: one["outputs"]["category"] for row_id, one in examples_by_row(server, as_of).items()}


async def test_dataset_is_created_once_without_machine_details(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    assert await tracker.dataset() == await tracker.dataset() == langsmith.datasets.named("madoguchi").id
    (made,) = langsmith.sent("POST /datasets")
    assert made.json["extra"]["metadata"] == {"runtime": {}}


async def test_concurrent_creations_give_one_dataset(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    assert len(set(await asyncio.gather(tracker.dataset(), tracker.dataset(), tracker.dataset()))) == 1
    assert len(langsmith.datasets.by_id) == 1


async def test_row_equals_its_line_of_training_file(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    settled = [row(f"有給は何日前？{n}", row_id=f"q{n}", reason=None if n else "r") for n in range(3)]
    category = PROMPT.category("labor")
    assert category
    await tracker.put_rows(dataset, [row_copy(one, PROMPT, category) for one in settled])
    shown = examples_by_row(langsmith)["q0"]
    assert shown["metadata"]["dataset_split"] == [settled[0].split.value]
    assert list(shown["outputs"]) == ["reason", "category"]
    client = Client(langsmith.url, api_key=KEY, auto_batch_tracing=False)
    downloaded = await asyncio.to_thread(client.read_dataset_openai_finetuning, dataset_id=dataset)
    client.close(timeout=0)
    assert downloaded == [json.loads(example(PROMPT, one, category)) for one in settled]


async def test_row_sent_again_replaces_its_example(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    first = examples_by_row(langsmith)["a"]["id"]
    await tracker.put_rows(dataset, [copy("a", "人事", split=Split.HELD_OUT), copy("c")])
    assert categories(langsmith) == {"a": "人事", "b": "労務", "c": "労務"}
    assert examples_by_row(langsmith)["a"]["id"] == first
    assert examples_by_row(langsmith)["a"]["metadata"]["dataset_split"] == ["held_out"]


async def test_many_rows_are_sent_in_pages(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy(f"q{n}") for n in range(1_000)])
    assert len(examples_by_row(langsmith)) == 1_000
    assert len(langsmith.sent("POST /platform/datasets/.*/examples")) == 10
    await tracker.withdraw_rows(dataset, [f"q{n}" for n in range(500)])
    assert len(examples_by_row(langsmith)) == 500


async def test_reading_examples_takes_one_request_per_page(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    """Without a project, the SDK would look for one again with each example."""
    dataset = await tracker.dataset()
    for _ in range(2):
        await tracker.put_rows(dataset, [copy(f"q{n}") for n in range(200)])
    assert len(langsmith.requests) < 30


async def test_row_can_be_withdrawn_and_sent_repeatedly(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    """LangSmith never accepts an id twice, so each return needs a new id."""
    dataset = await tracker.dataset()
    for _ in range(MAX_RETURNS):
        await tracker.put_rows(dataset, [copy("a"), copy("b")])
        await tracker.put_rows(dataset, [copy("a", "人事"), copy("b")])
        assert categories(langsmith) == {"a": "人事", "b": "労務"}
        await tracker.withdraw_rows(dataset, ["a", "never-sent"])
        await tracker.withdraw_rows(dataset, ["a"])
        assert categories(langsmith) == {"b": "労務"}
    with pytest.raises(TrackerRefused) as refused:
        await tracker.put_rows(dataset, [copy("a")])
    assert refused.value.reason is TrackerReason.NOT_TAKEN
    await tracker.put_rows(dataset, [copy("b"), copy("c")])
    assert categories(langsmith) == {"b": "労務", "c": "労務"}


async def test_erased_row_is_in_no_version(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    await tracker.withdraw_rows(dataset, ["a"])
    await tracker.put_rows(dataset, [copy("a")])
    versions = [at.isoformat() for at in langsmith.datasets.by_id[dataset].versions]
    await tracker.withdraw_rows(dataset, ["a", "unknown"], erase=True)
    texts = json.dumps([langsmith.datasets.by_id[dataset].at(as_of) for as_of in versions], ensure_ascii=False)
    assert "有給は何日前？ a" not in texts
    assert "有給は何日前？ b" in texts
    await tracker.withdraw_rows(dataset, ["a"], erase=True)
    await tracker.put_rows(dataset, [copy("a")])
    assert categories(langsmith) == {"a": "労務", "b": "労務"}


async def test_frozen_version_never_changes(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.freeze(dataset, "of-nothing", ["a"])
    await tracker.put_rows(dataset, [copy("a"), copy("b"), copy("c")])
    await tracker.freeze(dataset, "ft-1", ["a", "b", "gone"])
    await tracker.put_rows(dataset, [copy("a", "人事"), copy("d")])
    await tracker.withdraw_rows(dataset, ["b"])
    await tracker.freeze(dataset, "ft-1", ["d"])
    frozen = examples_by_row(langsmith, "ft-1")
    assert categories(langsmith, "ft-1") == {"a": "労務", "b": "労務", "c": "労務"}
    assert {row_id for row_id, one in frozen.items() if "ft-1" in one["metadata"]["dataset_split"]} == {"a", "b"}
    assert categories(langsmith) == {"a": "人事", "c": "労務", "d": "労務"}


# --- edits by people ---


def outputs(category: str, reason: str = "手で直した") -> dict[str, str]:
    return {"category": category, "reason": reason}


async def test_edits_are_reported_once_without_our_own(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    empty = await tracker.edits(dataset, None)
    assert empty.edits == ()
    await tracker.put_rows(dataset, [copy("a"), copy("b"), copy("c")])
    langsmith.people.edit(examples_by_row(langsmith)["a"]["id"], outputs=outputs(" 人事 "))
    for found in (await tracker.edits(dataset, None), await tracker.edits(dataset, empty.upto)):
        (edit,) = found.edits
        assert (edit.row_id, edit.category, edit.reason, edit.by) == ("a", "人事", "手で直した", None)
        assert edit.at <= found.upto <= datetime.fromtimestamp(LATER.timestamp(), UTC)
    seen = (await tracker.edits(dataset, None)).upto
    assert await tracker.edits(dataset, seen) == empty.model_copy(update={"upto": seen})
    await tracker.put_rows(dataset, [copy("b", "人事"), copy("d")])
    langsmith.people.edit(examples_by_row(langsmith)["c"]["id"], outputs={})
    langsmith.people.edit(examples_by_row(langsmith)["d"]["id"], split=["train", "mine"])
    later = await tracker.edits(dataset, seen)
    assert [(edit.row_id, edit.category) for edit in later.edits] == [("c", None)]


async def test_added_example_is_not_an_edit(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    langsmith.people.add("madoguchi", inputs={"q": 1}, outputs={"category": "人事"})
    assert (await tracker.edits(dataset, None)).edits == ()


async def test_run_added_to_dataset_is_an_edit(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    """In an annotation queue, people correct an answer and add the run to the dataset."""
    asked = trace("q1")
    dataset = await tracker.dataset()
    await tracker.trace([asked])
    langsmith.people.add_run("madoguchi", str(asked.id), outputs=outputs("人事"))
    (edit,) = (await tracker.edits(dataset, None)).edits
    assert (edit.trace_id, edit.row_id, edit.category, edit.reason) == (asked.id, None, "人事", "手で直した")
    # Our own copy is added beside theirs, which stays unchanged.
    await tracker.put_rows(dataset, [copy("q1", "総務")])
    assert [one.category for one in (await tracker.edits(dataset, None)).edits] == ["人事"]


async def test_frozen_split_leaves_out_edited_rows(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    langsmith.people.edit(examples_by_row(langsmith)["a"]["id"], outputs=outputs("人事"))
    before = (await tracker.edits(dataset, None)).edits
    await tracker.freeze(dataset, "ft-1", ["a", "b"])
    splits = {row_id: one["metadata"]["dataset_split"] for row_id, one in examples_by_row(langsmith, "ft-1").items()}
    assert splits == {"a": ["train"], "b": ["train", "ft-1"]}
    assert (await tracker.edits(dataset, None)).edits == before


async def test_only_older_edits_are_overwritten(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    for row_id in ("a", "b"):
        langsmith.people.edit(examples_by_row(langsmith)[row_id]["id"], outputs=outputs("人事"))
    await tracker.put_rows(dataset, [copy("a"), copy("b", "総務", settled_at=LATER)])
    assert categories(langsmith) == {"a": "人事", "b": "総務"}
    assert [edit.row_id for edit in (await tracker.edits(dataset, None)).edits] == ["a"]


async def test_many_edits_are_read_without_their_prompts(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy(f"q{n}") for n in range(250)])
    seen = (await tracker.edits(dataset, None)).upto
    for one in examples_by_row(langsmith).values():
        langsmith.people.edit(one["id"], outputs=outputs("人事"))
    assert len((await tracker.edits(dataset, seen)).edits) == 250
    assert all("inputs" not in got.ids("select") for got in langsmith.sent("GET /examples"))


# --- a dataset that was deleted at LangSmith ---


async def test_deleted_dataset_is_reported_and_created_anew(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a")])
    langsmith.people.delete_dataset("madoguchi")
    for verb in (
        lambda: tracker.put_rows(dataset, [copy("a"), copy("b")]),
        lambda: tracker.withdraw_rows(dataset, ["a"]),
        lambda: tracker.freeze(dataset, "ft-1", ["a"]),
        lambda: tracker.edits(dataset, None),
    ):
        with pytest.raises(TrackerRefused) as refused:
            await verb()
        assert refused.value.reason is TrackerReason.DATASET_GONE
    again = await tracker.dataset()
    assert again != dataset
    await tracker.put_rows(again, [copy("a")])
    assert categories(langsmith) == {"a": "労務"}


async def test_retry_after_a_lost_answer_changes_nothing(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    langsmith.fail(ServerFault(taken=True), on="(POST|PATCH) /platform", times=1)
    with pytest.raises(TrackerDown):
        await tracker.put_rows(dataset, [copy("a")])
    await tracker.put_rows(dataset, [copy("a")])
    assert categories(langsmith) == {"a": "労務"}
    langsmith.fail(ServerFault(taken=True), on="DELETE /examples", times=1)
    with pytest.raises(TrackerDown):
        await tracker.withdraw_rows(dataset, ["a"])
    await tracker.withdraw_rows(dataset, ["a"])
    assert categories(langsmith) == {}


async def test_rows_reach_an_older_server_without_multipart(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    langsmith.info["instance_flags"] = {}
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    await tracker.put_rows(dataset, [copy("a", "人事")])
    assert categories(langsmith) == {"a": "人事", "b": "労務"}
