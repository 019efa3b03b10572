"""Rows as examples: the same ones however often they are sent, and what people change there."""

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
from bot.langsmith.dataset_copy import RETURNS
from tests.bot.langsmith.things import LATER, copy, trace
from tests.bot.things import PROMPT, row
from tests.kits.langsmith_server import Fault, LangSmithServer
from tests.kits.langsmith_server.server import KEY


def there(server: LangSmithServer, as_of: str | None = None) -> dict[str, dict[str, Any]]:
    """Row id → its example."""
    (dataset,) = server.datasets.by_id.values()
    found = {one["metadata"]["row"]: one for one in dataset.at(as_of)}
    assert len(found) == len(dataset.at(as_of))
    return found


def categories(server: LangSmithServer, as_of: str | None = None) -> dict[str, str]:
    return {row_id: one["outputs"]["category"] for row_id, one in there(server, as_of).items()}


async def test_the_dataset_is_made_once_and_says_nothing_of_the_machine(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    assert await tracker.dataset() == await tracker.dataset() == langsmith.datasets.named("madoguchi").id
    (made,) = langsmith.sent("POST /datasets")
    assert made.json["extra"]["metadata"] == {"runtime": {}}


async def test_two_that_make_the_dataset_at_once_have_one(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    assert len(set(await asyncio.gather(tracker.dataset(), tracker.dataset(), tracker.dataset()))) == 1
    assert len(langsmith.datasets.by_id) == 1


async def test_a_row_is_shown_as_its_line_of_the_training_file(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    settled = [row(f"有給は何日前？{n}", row_id=f"q{n}", reason=None if n else "r") for n in range(3)]
    category = PROMPT.category("labor")
    assert category
    await tracker.put_rows(dataset, [row_copy(one, PROMPT, category) for one in settled])
    shown = there(langsmith)["q0"]
    assert shown["metadata"]["dataset_split"] == [settled[0].split.value]
    assert list(shown["outputs"]) == ["reason", "category"]
    client = Client(langsmith.url, api_key=KEY, auto_batch_tracing=False)
    downloaded = await asyncio.to_thread(client.read_dataset_openai_finetuning, dataset_id=dataset)
    client.close(timeout=0)
    assert downloaded == [json.loads(example(PROMPT, one, category)) for one in settled]


async def test_what_is_sent_again_is_there_once_as_it_was_sent_last(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    first = there(langsmith)["a"]["id"]
    await tracker.put_rows(dataset, [copy("a", "人事", split=Split.HELD_OUT), copy("c")])
    assert categories(langsmith) == {"a": "人事", "b": "労務", "c": "労務"}
    assert there(langsmith)["a"]["id"] == first
    assert there(langsmith)["a"]["metadata"]["dataset_split"] == ["held_out"]


async def test_many_rows_go_in_pages(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy(f"q{n}") for n in range(1_000)])
    assert len(there(langsmith)) == 1_000
    assert len(langsmith.sent("POST /platform/datasets/.*/examples")) == 10
    await tracker.withdraw_rows(dataset, [f"q{n}" for n in range(500)])
    assert len(there(langsmith)) == 500


async def test_reading_examples_costs_a_request_a_page_and_not_one_an_example(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    """Where there is no project yet, the SDK asks for one with each example."""
    dataset = await tracker.dataset()
    for _ in range(2):
        await tracker.put_rows(dataset, [copy(f"q{n}") for n in range(200)])
    assert len(langsmith.requests) < 30


async def test_a_row_goes_and_comes_back_as_often_as_people_change_their_minds(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    """The service never gives an id again, so each return has one of its own."""
    dataset = await tracker.dataset()
    for _ in range(RETURNS):
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


async def test_an_erased_row_is_in_no_version(langsmith: LangSmithServer, tracker: LangSmithTracker) -> None:
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


async def test_a_frozen_version_stays_whatever_happens_later(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.freeze(dataset, "of-nothing", ["a"])
    await tracker.put_rows(dataset, [copy("a"), copy("b"), copy("c")])
    await tracker.freeze(dataset, "ft-1", ["a", "b", "gone"])
    await tracker.put_rows(dataset, [copy("a", "人事"), copy("d")])
    await tracker.withdraw_rows(dataset, ["b"])
    await tracker.freeze(dataset, "ft-1", ["d"])
    frozen = there(langsmith, "ft-1")
    assert categories(langsmith, "ft-1") == {"a": "労務", "b": "労務", "c": "労務"}
    assert {row_id for row_id, one in frozen.items() if "ft-1" in one["metadata"]["dataset_split"]} == {"a", "b"}
    assert categories(langsmith) == {"a": "人事", "c": "労務", "d": "労務"}


# --- the other way ---


def outputs(category: str, reason: str = "手で直した") -> dict[str, str]:
    return {"category": category, "reason": reason}


async def test_what_a_person_changes_there_is_told_once_and_what_we_sent_is_not(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    empty = await tracker.edits(dataset, None)
    assert empty.edits == ()
    await tracker.put_rows(dataset, [copy("a"), copy("b"), copy("c")])
    langsmith.people.edit(there(langsmith)["a"]["id"], outputs=outputs(" 人事 "))
    for found in (await tracker.edits(dataset, None), await tracker.edits(dataset, empty.upto)):
        (edit,) = found.edits
        assert (edit.row_id, edit.category, edit.reason, edit.by) == ("a", "人事", "手で直した", None)
        assert edit.at <= found.upto <= datetime.fromtimestamp(LATER.timestamp(), UTC)
    seen = (await tracker.edits(dataset, None)).upto
    assert await tracker.edits(dataset, seen) == empty.model_copy(update={"upto": seen})
    await tracker.put_rows(dataset, [copy("b", "人事"), copy("d")])
    langsmith.people.edit(there(langsmith)["c"]["id"], outputs={})
    langsmith.people.edit(there(langsmith)["d"]["id"], split=["train", "mine"])
    later = await tracker.edits(dataset, seen)
    assert [(edit.row_id, edit.category) for edit in later.edits] == [("c", None)]


async def test_what_a_person_adds_there_is_none_of_our_rows(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    langsmith.people.add("madoguchi", inputs={"q": 1}, outputs={"category": "人事"})
    assert (await tracker.edits(dataset, None)).edits == ()


async def test_a_run_that_a_person_adds_to_the_dataset_is_their_word_on_it(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    """From a queue: they mend the answer, and add the run to the dataset."""
    asked = trace("q1")
    dataset = await tracker.dataset()
    await tracker.trace([asked])
    langsmith.people.add_run("madoguchi", str(asked.id), outputs=outputs("人事"))
    (edit,) = (await tracker.edits(dataset, None)).edits
    assert (edit.trace_id, edit.row_id, edit.category, edit.reason) == (asked.id, None, "人事", "手で直した")
    # Its own copy stands beside theirs, which stays as they made it.
    await tracker.put_rows(dataset, [copy("q1", "総務")])
    assert [one.category for one in (await tracker.edits(dataset, None)).edits] == ["人事"]


async def test_a_version_holds_rows_as_they_were_sent_and_none_that_a_person_changed(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    langsmith.people.edit(there(langsmith)["a"]["id"], outputs=outputs("人事"))
    before = (await tracker.edits(dataset, None)).edits
    await tracker.freeze(dataset, "ft-1", ["a", "b"])
    splits = {row_id: one["metadata"]["dataset_split"] for row_id, one in there(langsmith, "ft-1").items()}
    assert splits == {"a": ["train"], "b": ["train", "ft-1"]}
    assert (await tracker.edits(dataset, None)).edits == before


async def test_a_newer_change_over_there_is_not_written_over_and_an_older_one_is(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    for row_id in ("a", "b"):
        langsmith.people.edit(there(langsmith)[row_id]["id"], outputs=outputs("人事"))
    await tracker.put_rows(dataset, [copy("a"), copy("b", "総務", settled_at=LATER)])
    assert categories(langsmith) == {"a": "人事", "b": "総務"}
    assert [edit.row_id for edit in (await tracker.edits(dataset, None)).edits] == ["a"]


async def test_edits_of_many_rows_are_read_in_pages_and_without_their_prompts(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy(f"q{n}") for n in range(250)])
    seen = (await tracker.edits(dataset, None)).upto
    for one in there(langsmith).values():
        langsmith.people.edit(one["id"], outputs=outputs("人事"))
    assert len((await tracker.edits(dataset, seen)).edits) == 250
    assert all("inputs" not in got.ids("select") for got in langsmith.sent("GET /examples"))


# --- a dataset that was deleted over there ---


async def test_a_deleted_dataset_is_told_as_such_by_each_verb_and_the_next_one_is_another(
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


async def test_what_was_taken_though_nobody_was_told_is_there_once_after_the_next_try(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    dataset = await tracker.dataset()
    langsmith.fail(Fault(taken=True), on="(POST|PATCH) /platform", times=1)
    with pytest.raises(TrackerDown):
        await tracker.put_rows(dataset, [copy("a")])
    await tracker.put_rows(dataset, [copy("a")])
    assert categories(langsmith) == {"a": "労務"}
    langsmith.fail(Fault(taken=True), on="DELETE /examples", times=1)
    with pytest.raises(TrackerDown):
        await tracker.withdraw_rows(dataset, ["a"])
    await tracker.withdraw_rows(dataset, ["a"])
    assert categories(langsmith) == {}


async def test_an_older_server_without_multipart_takes_rows_too(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    langsmith.info["instance_flags"] = {}
    dataset = await tracker.dataset()
    await tracker.put_rows(dataset, [copy("a"), copy("b")])
    await tracker.put_rows(dataset, [copy("a", "人事")])
    assert categories(langsmith) == {"a": "人事", "b": "労務"}
