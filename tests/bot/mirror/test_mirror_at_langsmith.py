"""The mirror over the real SDK and HTTP: what is in the record is there, and what is said there comes home."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from langsmith import Client

from bot.corrections.correcting import Correcting
from bot.dataset.importing import Importing
from bot.domain.correction import Correction
from bot.domain.dataset import Split, example
from bot.langsmith import LangSmithTracker
from bot.mirror.inbound import ANYBODY, MirrorInbound
from bot.mirror.outbound import LONGEST_WAIT, MirrorOutbound
from tests.bot.things import PROMPT, rows_of
from tests.kits.fakes import KeptNeighbours, StepClock
from tests.kits.fakes_acts import CountingEstimator
from tests.kits.langsmith_server import Fault, LangSmithServer
from tests.kits.langsmith_server.server import KEY
from tests.kits.mirror_desk import MirrorDesk

SECONDS = 0.5
"""Of one request here."""


@dataclass
class Both:
    """A mirrored house and a LangSmith that keeps the same time."""

    here: MirrorDesk
    there: LangSmithServer
    tracker: LangSmithTracker
    receiving: MirrorInbound

    @property
    def examples(self) -> dict[str, dict[str, Any]]:
        """Row id → its example."""
        examples = [one for one in self.there.datasets.named("madoguchi").at(None) if one["metadata"].get("row")]
        found = {one["metadata"]["row"]: one for one in examples}
        assert len(found) == len(examples)
        return found

    async def said(self, question_id: str) -> list[Correction]:
        async with self.here.store.transaction() as tx:
            return await tx.corrections.of(question_id)

    async def in_step(self) -> None:
        """Both ways until nothing changes any more."""
        for _ in range(5):
            self.here.clock.advance(seconds=LONGEST_WAIT.total_seconds())
            await self.here.rounds()
            if not await self.receiving.receive() and not await self.here.lag():
                return
        pytest.fail("it never ends")


@pytest.fixture
async def both(mirror: MirrorDesk, clock: StepClock) -> AsyncIterator[Both]:
    async with LangSmithServer(clock=clock.now).running() as server:
        tracker = LangSmithTracker(KEY, "madoguchi", endpoint=server.url, seconds=SECONDS)
        mirror.mirroring = MirrorOutbound(mirror.store, tracker, mirror.judges, CountingEstimator(), clock)
        correcting = Correcting(mirror.store, KeptNeighbours(), clock)
        yield Both(mirror, server, tracker, MirrorInbound(mirror.store, tracker, correcting, clock, [ANYBODY]))
        await tracker.aclose()


async def test_an_answer_its_correction_and_its_row_are_shown(both: Both) -> None:
    question, verdict = await both.here.asked()
    await both.here.pressed(question, "it")
    await both.in_step()
    run = both.there.traces.runs[str(verdict.trace)]
    assert (run["outputs"]["category"], run["extra"]["metadata"]["about"]) == ("労務", question.id)
    (said,) = both.there.traces.feedback.values()
    assert (said["run_id"], said["score"], said["correction"]) == (run["id"], 0, {"category": "情シス"})
    assert "U2" not in json.dumps(said)
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_what_is_changed_there_comes_home_once_and_never_echoes(both: Both) -> None:
    question, _ = await both.here.asked()
    await both.here.pressed(question, "labor")
    await both.in_step()
    both.here.clock.advance(seconds=1)
    both.there.people.edit(both.examples[question.id]["id"], outputs={"reason": "PCの話だから", "category": "情シス"})
    both.here.clock.advance(seconds=1)
    await both.in_step()
    assert [one.category for one in await both.said(question.id)] == ["labor", "it"]
    sent = len([got for got in both.there.requests if not got.route.startswith("GET")])
    for _ in range(3):
        await both.in_step()
    assert [one.category for one in await both.said(question.id)] == ["labor", "it"]
    assert len([got for got in both.there.requests if not got.route.startswith("GET")]) == sent
    assert both.examples[question.id]["outputs"] == {"reason": "PCの話だから", "category": "情シス"}


async def test_a_newer_word_from_slack_is_not_overwritten(both: Both) -> None:
    question, _ = await both.here.asked()
    await both.here.pressed(question, "labor")
    await both.in_step()
    both.here.clock.advance(seconds=1)
    both.there.people.edit(both.examples[question.id]["id"], outputs={"reason": "r", "category": "その他"})
    both.here.clock.advance(seconds=1)
    await both.here.pressed(question, "it", seen=1, by="U3")
    await both.in_step()
    assert [one.category for one in await both.said(question.id)] == ["labor", "it"]
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_a_version_that_is_made_late_makes_no_older_edit_newer(both: Both) -> None:
    """A split that we add moves the time of an example's last change; the person's word is as old as it was."""
    question, _ = await both.here.asked()
    await both.here.pressed(question, "labor")
    await both.in_step()
    both.here.clock.advance(seconds=1)
    both.there.people.edit(both.examples[question.id]["id"], outputs={"reason": "r", "category": "その他"})
    both.here.clock.advance(seconds=1)
    await both.here.pressed(question, "it", seen=1, by="U3")
    both.here.clock.advance(seconds=1)
    dataset = both.there.datasets.named("madoguchi").id
    await both.tracker.freeze(dataset, "ft-1", [question.id])  # as it waited before the press
    await both.in_step()
    assert [one.category for one in await both.said(question.id)] == ["labor", "it"]
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_an_annotation_there_is_a_correction_by_who_made_it(both: Both) -> None:
    question, verdict = await both.here.asked()
    await both.in_step()
    both.here.clock.advance(seconds=1)
    both.there.people.annotate("Hanako", str(verdict.trace), "category", value="情シス", comment="VPN の話")
    both.here.clock.advance(seconds=1)
    await both.in_step()
    (said,) = await both.said(question.id)
    assert (said.category, said.reason, said.by) == ("it", "VPN の話", "langsmith:user-of-Hanako")
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_a_run_that_was_mended_in_a_queue_and_added_to_the_dataset_comes_home_once(both: Both) -> None:
    question, verdict = await both.here.asked()
    await both.in_step()
    both.here.clock.advance(seconds=1)
    both.there.people.add_run("madoguchi", str(verdict.trace), outputs={"reason": "VPN の話", "category": "情シス"})
    both.here.clock.advance(seconds=1)
    await both.in_step()
    assert [(one.category, one.reason) for one in await both.said(question.id)] == [("it", "VPN の話")]
    assert both.examples[question.id]["outputs"] == {"reason": "VPN の話", "category": "情シス"}
    both.here.clock.advance(seconds=1)
    await both.here.pressed(question, "labor", seen=1, by="U3")
    await both.in_step()
    assert [one.category for one in await both.said(question.id)] == ["it", "labor"]
    assert both.examples[question.id]["outputs"]["category"] == "労務"


NAMES = {"labor": "労務", "it": "情シス", "other": "その他"}


@pytest.mark.parametrize("seed", [3, 5])
async def test_whoever_says_what_on_either_side_the_newest_word_stays_and_nothing_echoes(both: Both, seed: int) -> None:
    chance = Random(seed)
    asked = [await both.here.asked(n=n) for n in range(1, 4)]
    newest: dict[str, str] = {}
    await both.in_step()
    for n in range(24):
        both.here.clock.advance(seconds=1)
        question, verdict = chance.choice(asked)
        category = chance.choice([one for one in NAMES if one != newest.get(question.id)])
        example = both.examples.get(question.id)
        match chance.choice(["press", "press", "edit", "edit", "annotate", "add", "freeze", "tell", "hear", "fail"]):
            case "press":
                await both.here.pressed(question, category, seen=len(await both.said(question.id)), by=f"U{n}")
                newest[question.id] = category
            case "edit" if example:
                both.there.people.edit(example["id"], outputs={"reason": f"reason {n}", "category": NAMES[category]})
                newest[question.id] = category
            case "annotate":
                both.there.people.annotate("Hanako", str(verdict.trace), "category", value=NAMES[category])
                newest[question.id] = category
            case "add":
                outputs = {"reason": f"reason {n}", "category": NAMES[category]}
                both.there.people.add_run("madoguchi", str(verdict.trace), outputs=outputs)
                newest[question.id] = category
            case "freeze":
                await both.tracker.freeze(both.there.datasets.named("madoguchi").id, f"ft-{n}", list(newest))
            case "tell":
                await both.here.mirroring.mirror()
            case "hear":
                await both.receiving.receive()
            case "fail":
                both.there.fail(chance.choice([Fault(500), Fault(taken=True)]), chance.choice(["POST", "GET"]), times=1)
                await both.here.mirroring.mirror()
                await both.receiving.receive()
                both.there.heal()
            case _:
                pass  # an edit of what is not there yet
    both.here.clock.advance(seconds=1)
    await both.in_step()
    async with both.here.store.transaction() as tx:
        kept = {row_id: row.category for row_id, row in (await tx.rows.some(list(newest))).items()}
    assert kept == newest
    assert {row_id: one["outputs"]["category"] for row_id, one in both.examples.items()} == {
        row_id: NAMES[category] for row_id, category in newest.items()
    }
    written = len([got for got in both.there.requests if not got.route.startswith("GET")])
    said = [await both.said(question.id) for question, _ in asked]
    await both.in_step()
    assert [await both.said(question.id) for question, _ in asked] == said
    assert len([got for got in both.there.requests if not got.route.startswith("GET")]) == written


async def test_a_dataset_that_was_deleted_there_is_filled_again(both: Both) -> None:
    async with both.here.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.TRAIN, "labor", 120))
    await both.in_step()
    assert len(both.examples) == 120
    both.there.people.delete_dataset("madoguchi")
    question, _ = await both.here.asked()
    await both.here.pressed(question, "it")
    await both.here.mirroring.mirror()
    assert await both.here.trouble() == "dataset_gone"
    await both.in_step()
    assert len(both.examples) == 121
    assert await both.here.trouble() is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, headers={"retry-after": "1"}),
        Fault(500),
        Fault(lost=True),
        Fault(half=True),
        Fault(taken=True),
        Fault(silent=True),
        Fault(401),
        Fault(403),
    ],
    ids=["429", "500", "lost", "half", "taken", "black hole", "wrong key", "wrong workspace"],
)
async def test_whatever_fails_there_everything_arrives_once(both: Both, fault: Fault) -> None:
    asked = [await both.here.asked(n=n) for n in range(1, 6)]
    for question, _ in asked:
        await both.here.pressed(question, "it")
    for on in ("GET", "POST /runs", "POST|PATCH /platform", "POST /feedback", ""):
        both.there.fail(fault, on=on, times=2)
    for _ in range(12):
        both.here.clock.advance(seconds=LONGEST_WAIT.total_seconds())
        await both.here.mirroring.mirror()
    both.there.heal()
    await both.in_step()
    assert set(both.there.traces.runs) == {str(verdict.trace) for _, verdict in asked}
    assert len(both.there.traces.feedback) == 5
    assert set(both.examples) == {question.id for question, _ in asked}
    assert await both.here.trouble() is None


async def test_a_download_from_there_is_an_export_of_ours_and_comes_back_by_an_import(both: Both) -> None:
    """Parsed message by message. A row that an import brought back is the row that went out."""
    imported = Importing(both.here.store, KeptNeighbours(), both.here.clock)
    lines = "text,category,reason\n有給はいつ取れますか,労務,休暇の話\nPCが動きません,情シス,\n"
    assert (await imported.load(lines.encode(), "history.csv")).added == 2
    await both.in_step()
    client = Client(both.there.url, api_key=KEY, auto_batch_tracing=False)
    dataset = both.there.datasets.named("madoguchi").id
    downloaded = await asyncio.to_thread(client.read_dataset_openai_finetuning, dataset_id=dataset)
    client.close(timeout=0)
    async with both.here.store.transaction() as tx:
        rows = [row async for row in tx.rows.all()]
    ours = [example(PROMPT, row, category) for row in rows if (category := PROMPT.category(row.category))]
    assert sorted(map(json.dumps, downloaded)) == sorted(json.dumps(json.loads(line)) for line in ours)
    again = "\n".join(json.dumps(line, ensure_ascii=False) for line in downloaded)
    report = await imported.load(again.encode(), "openai_ft.jsonl")
    assert (report.added, report.bad) == (0, ())
    assert (report.same, report.changed) == (2, 0)
    async with both.here.store.transaction() as tx:
        assert [(row.id, row.category) async for row in tx.rows.all()] == [(row.id, row.category) for row in rows]


async def test_an_evaluation_is_an_experiment(both: Both) -> None:
    async with both.here.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.HELD_OUT, "labor", 10))
        release = await tx.releases.serving()
    assert release
    await both.here.judges.evaluate(release)
    await both.here.mirroring.evaluated(release)
    await both.in_step()
    (experiment,) = [one for one in both.there.traces.sessions.values() if one["reference_dataset_id"]]
    runs = both.there.traces.of_session(experiment["name"])
    judged = [one for one in both.there.traces.feedback.values() if one["key"] == "correct"]
    assert len(runs) == len(judged) > 0
    about = experiment["extra"]["metadata"]
    (split,) = about["dataset_splits"]
    assert about["dataset_version"] == both.there.datasets.named("madoguchi").tags[split].isoformat()
