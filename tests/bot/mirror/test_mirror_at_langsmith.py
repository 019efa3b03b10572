"""The mirror over the real SDK and HTTP: our record arrives there, and people's changes come back."""

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
from bot.domain.audience import Audience
from bot.domain.correction import Correction
from bot.domain.dataset import Split, example
from bot.langsmith import LangSmithTracker
from bot.mirror.inbound import ANYBODY, MirrorInbound
from bot.mirror.outbound import FEEDBACK_TRIES, WAIT, MirrorOutbound
from storage.store import SqlStore
from tests.bot.things import PROMPT, rows_of
from tests.kits.fakes import MemoryNeighbours, StepClock
from tests.kits.fakes_acts import CountingEstimator
from tests.kits.langsmith_server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY
from tests.kits.mirror_desk import MirrorDesk

SECONDS = 0.5
"""Deadline of one request in these tests, in seconds."""


@dataclass
class Both:
    """A mirrored store, and a LangSmith server with the same clock."""

    here: MirrorDesk
    there: LangSmithServer
    tracker: LangSmithTracker
    inbound: MirrorInbound

    @property
    def examples(self) -> dict[str, dict[str, Any]]:
        """Return the example of each row, by row id."""
        examples = [one for one in self.there.datasets.named("madoguchi").at(None) if one["metadata"].get("row")]
        found = {one["metadata"]["row"]: one for one in examples}
        assert len(found) == len(examples)
        return found

    async def corrections_of(self, question_id: str) -> list[Correction]:
        async with self.here.store.transaction() as tx:
            return await tx.corrections.of(question_id)

    async def sync(self) -> None:
        """Mirror both ways until nothing changes any more."""
        for _ in range(5):
            self.here.clock.advance(seconds=WAIT.longest.total_seconds())
            await self.here.mirror_all()
            if not await self.inbound.receive() and not await self.here.unsent():
                return
        pytest.fail("it never ends")


@pytest.fixture
async def both(mirror: MirrorDesk, clock: StepClock) -> AsyncIterator[Both]:
    async with LangSmithServer(clock=clock.now).running() as server:
        tracker = LangSmithTracker(KEY, "madoguchi", endpoint=server.url, seconds=SECONDS)
        mirror.outbound = MirrorOutbound(mirror.store, tracker, mirror.evaluating, CountingEstimator(), clock)
        correcting = Correcting(mirror.store, MemoryNeighbours(), clock)
        yield Both(mirror, server, tracker, MirrorInbound(mirror.store, tracker, correcting, clock, [ANYBODY]))
        await tracker.aclose()


async def test_answer_correction_and_row_are_sent(both: Both) -> None:
    question, verdict = await both.here.ask()
    await both.here.press(question, "it")
    await both.sync()
    run = both.there.traces.runs[str(verdict.trace)]
    assert (run["outputs"]["category"], run["extra"]["metadata"]["about"]) == ("労務", question.id)
    (said,) = both.there.traces.feedback.values()
    assert (said["run_id"], said["score"], said["correction"]) == (run["id"], 0, {"category": "情シス"})
    assert "U2" not in json.dumps(said)
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_edit_comes_back_once_and_never_echoes(both: Both) -> None:
    question, _ = await both.here.ask()
    await both.here.press(question, "labor")
    await both.sync()
    both.here.clock.advance(seconds=1)
    both.there.people.edit(both.examples[question.id]["id"], outputs={"reason": "PCの話だから", "category": "情シス"})
    both.here.clock.advance(seconds=1)
    await both.sync()
    assert [one.category for one in await both.corrections_of(question.id)] == ["labor", "it"]
    sent = len([got for got in both.there.requests if not got.route.startswith("GET")])
    for _ in range(3):
        await both.sync()
    assert [one.category for one in await both.corrections_of(question.id)] == ["labor", "it"]
    assert len([got for got in both.there.requests if not got.route.startswith("GET")]) == sent
    assert both.examples[question.id]["outputs"] == {"reason": "PCの話だから", "category": "情シス"}


async def test_newer_correction_from_slack_is_not_overwritten(both: Both) -> None:
    question, _ = await both.here.ask()
    await both.here.press(question, "labor")
    await both.sync()
    both.here.clock.advance(seconds=1)
    both.there.people.edit(both.examples[question.id]["id"], outputs={"reason": "r", "category": "その他"})
    both.here.clock.advance(seconds=1)
    await both.here.press(question, "it", seen=1, by="U3")
    await both.sync()
    assert [one.category for one in await both.corrections_of(question.id)] == ["labor", "it"]
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_late_version_does_not_make_edit_newer(both: Both) -> None:
    """Adding a split updates an example's modification time, but the person's edit is as old as before."""
    question, _ = await both.here.ask()
    await both.here.press(question, "labor")
    await both.sync()
    both.here.clock.advance(seconds=1)
    both.there.people.edit(both.examples[question.id]["id"], outputs={"reason": "r", "category": "その他"})
    both.here.clock.advance(seconds=1)
    await both.here.press(question, "it", seen=1, by="U3")
    both.here.clock.advance(seconds=1)
    dataset = both.there.datasets.named("madoguchi").id
    await both.tracker.freeze(dataset, "ft-1", [question.id])  # it was queued before the press
    await both.sync()
    assert [one.category for one in await both.corrections_of(question.id)] == ["labor", "it"]
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_annotation_becomes_correction_by_its_author(both: Both) -> None:
    question, verdict = await both.here.ask()
    await both.sync()
    both.here.clock.advance(seconds=1)
    both.there.people.annotate("Hanako", str(verdict.trace), "category", value="情シス", comment="VPN の話")
    both.here.clock.advance(seconds=1)
    await both.sync()
    (said,) = await both.corrections_of(question.id)
    assert (said.category, said.reason, said.by) == ("it", "VPN の話", "langsmith:user-of-Hanako")
    assert both.examples[question.id]["outputs"]["category"] == "情シス"


async def test_run_added_to_dataset_comes_back_once(both: Both) -> None:
    question, verdict = await both.here.ask()
    await both.sync()
    both.here.clock.advance(seconds=1)
    both.there.people.add_run("madoguchi", str(verdict.trace), outputs={"reason": "VPN の話", "category": "情シス"})
    both.here.clock.advance(seconds=1)
    await both.sync()
    assert [(one.category, one.reason) for one in await both.corrections_of(question.id)] == [("it", "VPN の話")]
    assert both.examples[question.id]["outputs"] == {"reason": "VPN の話", "category": "情シス"}
    both.here.clock.advance(seconds=1)
    await both.here.press(question, "labor", seen=1, by="U3")
    await both.sync()
    assert [one.category for one in await both.corrections_of(question.id)] == ["it", "labor"]
    assert both.examples[question.id]["outputs"]["category"] == "労務"


NAMES = {"labor": "労務", "it": "情シス", "other": "その他"}


@pytest.mark.parametrize("seed", [3, 5])
async def test_newest_change_wins_on_both_sides(both: Both, seed: int) -> None:
    chance = Random(seed)
    asked = [await both.here.ask(n=n) for n in range(1, 4)]
    newest: dict[str, str] = {}
    await both.sync()
    for n in range(24):
        both.here.clock.advance(seconds=1)
        question, verdict = chance.choice(asked)
        category = chance.choice([one for one in NAMES if one != newest.get(question.id)])
        example = both.examples.get(question.id)
        match chance.choice(["press", "press", "edit", "edit", "annotate", "add", "freeze", "send", "receive", "fail"]):
            case "press":
                await both.here.press(question, category, seen=len(await both.corrections_of(question.id)), by=f"U{n}")
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
            case "send":
                await both.here.outbound.mirror()
            case "receive":
                await both.inbound.receive()
            case "fail":
                both.there.fail(
                    chance.choice([ServerFault(500), ServerFault(taken=True)]), chance.choice(["POST", "GET"]), times=1
                )
                await both.here.outbound.mirror()
                await both.inbound.receive()
                both.there.heal()
            case _:
                pass  # the example to edit does not exist yet
    both.here.clock.advance(seconds=1)
    await both.sync()
    async with both.here.store.transaction() as tx:
        kept = {row_id: row.category for row_id, row in (await tx.rows.some(list(newest))).items()}
    assert kept == newest
    assert {row_id: one["outputs"]["category"] for row_id, one in both.examples.items()} == {
        row_id: NAMES[category] for row_id, category in newest.items()
    }
    written = len([got for got in both.there.requests if not got.route.startswith("GET")])
    said = [await both.corrections_of(question.id) for question, _ in asked]
    await both.sync()
    assert [await both.corrections_of(question.id) for question, _ in asked] == said
    assert len([got for got in both.there.requests if not got.route.startswith("GET")]) == written


async def test_deleted_dataset_is_filled_again(both: Both) -> None:
    async with both.here.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.TRAIN, "labor", 120))
    await both.sync()
    assert len(both.examples) == 120
    both.there.people.delete_dataset("madoguchi")
    question, _ = await both.here.ask()
    await both.here.press(question, "it")
    await both.here.outbound.mirror()
    assert await both.here.trouble() == "dataset_gone"
    await both.sync()
    assert len(both.examples) == 121
    assert await both.here.trouble() is None


@pytest.mark.parametrize(
    "fault",
    [
        ServerFault(429, headers={"retry-after": "1"}),
        ServerFault(500),
        ServerFault(lost=True),
        ServerFault(half=True),
        ServerFault(taken=True),
        ServerFault(silent=True),
        ServerFault(401),
        ServerFault(403),
    ],
    ids=["429", "500", "lost", "half", "taken", "black hole", "wrong key", "wrong workspace"],
)
async def test_everything_arrives_once_after_any_fault(both: Both, fault: ServerFault) -> None:
    asked = [await both.here.ask(n=n) for n in range(1, 6)]
    for question, _ in asked:
        await both.here.press(question, "it")
    for on in ("GET", "POST /runs", "POST|PATCH /platform", "POST /feedback", ""):
        both.there.fail(fault, on=on, times=2)
    for _ in range(12):
        both.here.clock.advance(seconds=WAIT.longest.total_seconds())
        await both.here.outbound.mirror()
    both.there.heal()
    await both.sync()
    assert set(both.there.traces.runs) == {str(verdict.trace) for _, verdict in asked}
    assert len(both.there.traces.feedback) == 5
    assert set(both.examples) == {question.id for question, _ in asked}
    assert await both.here.trouble() is None


async def test_download_matches_export_and_imports_unchanged(both: Both) -> None:
    """The lines are compared as parsed JSON. The import of a row that was sent changes nothing."""
    importing = Importing(both.here.store, MemoryNeighbours(), both.here.clock)
    lines = "text,category,reason\n有給はいつ取れますか,労務,休暇の話\nPCが動きません,情シス,\n"
    assert (await importing.load(lines.encode(), "history.csv")).added == 2
    await both.sync()
    client = Client(both.there.url, api_key=KEY, auto_batch_tracing=False)
    dataset = both.there.datasets.named("madoguchi").id
    downloaded = await asyncio.to_thread(client.read_dataset_openai_finetuning, dataset_id=dataset)
    client.close(timeout=0)
    async with both.here.store.transaction() as tx:
        rows = [row async for row in tx.rows.all()]
    ours = [example(PROMPT, row, category) for row in rows if (category := PROMPT.category(row.category))]
    assert sorted(map(json.dumps, downloaded)) == sorted(json.dumps(json.loads(line)) for line in ours)
    again = "\n".join(json.dumps(line, ensure_ascii=False) for line in downloaded)
    report = await importing.load(again.encode(), "openai_ft.jsonl")
    assert (report.added, report.bad) == (0, ())
    assert (report.same, report.changed) == (2, 0)
    async with both.here.store.transaction() as tx:
        assert [(row.id, row.category) async for row in tx.rows.all()] == [(row.id, row.category) for row in rows]


async def test_evaluation_becomes_an_experiment(both: Both) -> None:
    async with both.here.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.HELD_OUT, "labor", 10))
        release = await tx.releases.serving()
    assert release
    await both.here.evaluating.evaluate(release)
    await both.here.outbound.evaluated(release)
    await both.sync()
    (experiment,) = [one for one in both.there.traces.sessions.values() if one["reference_dataset_id"]]
    runs = both.there.traces.of_session(experiment["name"])
    judged = [one for one in both.there.traces.feedback.values() if one["key"] == "correct"]
    assert len(runs) == len(judged) > 0
    about = experiment["extra"]["metadata"]
    (split,) = about["dataset_splits"]
    assert about["dataset_version"] == both.there.datasets.named("madoguchi").tags[split].isoformat()


TRACES_FULL = ServerFault(
    429,
    {"error": "Too many requests: tenant exceeded usage limits: Monthly unique traces usage limit exceeded"},
    headers={"retry-after": "86400"},
)


async def test_quota_on_traces_lets_rows_pass(both: Both) -> None:
    both.there.fail(TRACES_FULL, on="POST /runs")
    asked = [await both.here.ask(n=n) for n in range(1, 4)]
    await both.here.press(asked[0][0], "it")
    await both.here.mirror_all()
    assert await both.here.trouble() == "trace_quota"
    assert set(both.examples) == {asked[0][0].id}
    both.here.clock.advance(seconds=1)
    await both.here.press(asked[1][0], "labor")
    await both.here.mirror_all()
    assert set(both.examples) == {asked[0][0].id, asked[1][0].id}
    assert (both.there.traces.runs, both.there.traces.feedback) == ({}, {})
    assert len(both.there.sent("POST /runs/multipart")) == 1
    assert await both.here.operators() == ["tracker.trace_quota"]
    both.there.heal()
    both.here.clock.advance(days=1)
    await both.sync()
    assert len(both.there.traces.runs) == 3
    assert len(both.there.traces.feedback) == 2
    assert await both.here.trouble() is None


async def test_limit_on_everything_is_no_trace_quota(both: Both) -> None:
    await both.here.ask()
    await both.here.mirror_all()
    both.there.fail(ServerFault(429))
    question, _ = await both.here.ask(n=2)
    await both.here.press(question, "it")
    await both.here.mirror_all()
    assert await both.here.trouble() == "down"
    assert await both.here.operators() == []


async def test_traces_held_for_weeks_lose_no_feedback(both: Both) -> None:
    mirrored, both.here.store = both.here.store, SqlStore(both.here.store._database)
    question, _ = await both.here.ask()  # before there was a mirror
    both.here.store = mirrored
    await both.here.press(question, "it")
    both.there.fail(TRACES_FULL, on="POST /runs")
    for _ in range(FEEDBACK_TRIES + 5):
        both.here.clock.advance(days=1)
        await both.here.mirror_all()
    both.there.heal()
    both.here.clock.advance(days=1)
    await both.sync()
    assert len(both.there.traces.feedback) == 1


async def test_address_of_web_pages_is_told_to_operators(both: Both) -> None:
    both.there.fail(ServerFault(200, "<!doctype html><title>LangSmith</title>"))
    await both.here.ask()
    for _ in range(3):
        both.here.clock.advance(seconds=WAIT.longest.total_seconds())
        await both.here.outbound.mirror()
        await both.inbound.receive()
    assert await both.here.trouble() == "web_address"
    assert await both.here.operators() == ["tracker.web_address"]


MARKED = "社外秘ホオジロザメ計画の休暇"


async def test_nothing_private_is_sent(both: Both) -> None:
    asked = [
        await both.here.ask(f"{MARKED} {n}", n, audience)
        for n, audience in enumerate([Audience.PRIVATE, Audience.UNKNOWN, Audience.DIRECT], start=1)
    ]
    for question, _ in asked[:2]:
        await both.here.press(question, "it")
    async with both.here.store.transaction() as tx:
        private = [one.model_copy(update={"audience": Audience.PRIVATE}) for one in rows_of(Split.HELD_OUT, "it", 3)]
        await tx.rows.put(*rows_of(Split.HELD_OUT, "labor", 10), *private)
        release = await tx.releases.serving()
    assert release
    await both.here.evaluating.evaluate(release)
    await both.here.outbound.evaluated(release)
    await both.sync()
    assert MARKED not in str(both.there.traces.runs) + str(both.examples)
    assert private[0].text not in str(both.there.traces.runs) + str(both.examples)
    assert len(both.examples) == 10
    assert (await both.here.state()).private == 5


async def test_what_turns_out_to_be_public_is_sent(both: Both) -> None:
    question, verdict = await both.here.ask(audience=Audience.UNKNOWN)
    await both.here.press(question, "it")
    await both.sync()
    assert (both.examples, both.there.traces.runs) == ({}, {})
    async with both.here.store.transaction() as tx:
        await tx.audiences.learn("C1", Audience.PUBLIC, 10, both.here.clock.now())
    await both.sync()
    assert set(both.examples) == {question.id}
    assert set(both.there.traces.runs) == {str(verdict.trace)}
    assert (await both.here.state()).private == 0


async def test_private_rows_of_before_are_withdrawn(both: Both) -> None:
    """They also leave the older versions of the dataset, and so do the traces of their questions."""
    open_to_all = MirrorOutbound(
        both.here.store, both.tracker, both.here.evaluating, CountingEstimator(), both.here.clock, private_rows=True
    )
    careful, both.here.outbound = both.here.outbound, open_to_all
    question, _ = await both.here.ask(MARKED, audience=Audience.PRIVATE)
    public, _ = await both.here.ask(n=2)
    await both.here.press(question, "it")
    await both.here.press(public, "it")
    await both.sync()
    assert set(both.examples) == {question.id, public.id}
    assert MARKED in str(both.there.traces.runs)
    both.here.outbound = careful
    await both.sync()
    assert set(both.examples) == {public.id}
    assert MARKED not in str(both.there.traces.runs)
    assert [one["comment"] for one in both.there.traces.feedback.values() if MARKED in str(one)] == []
    assert len(both.there.traces.runs) == len(both.there.traces.feedback) == 1
    assert MARKED not in str(both.there.datasets.named("madoguchi").examples)
    both.here.outbound = open_to_all
    await both.sync()
    assert set(both.examples) == {question.id, public.id}
