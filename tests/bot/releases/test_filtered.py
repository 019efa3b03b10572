"""Rows that a provider's content filter stops: the evaluation goes on, counts them as wrong, and names them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.domain.audience import Audience
from bot.domain.dataset import Split
from bot.domain.release import ModelName, Release
from bot.providers.batching import OpenAIBatcher
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from bot.releases.batching import Batching
from bot.releases.evaluating import FILTERED_KEPT, Evaluating
from bot.releases.releasing import add_candidate
from bot.releases.threshold import Thresholding
from handlers.texts.words import Words
from handlers.views.comparison import paragraphs
from handlers.views.evaluation import changes_table
from handlers.views.gate import compared
from handlers.views.unsure import paragraphs as threshold_details
from storage.store import SqlStore
from tests.bot.things import PROMPT, no_attacks, rows_of
from tests.kits.fakes import MemoryNeighbours, StepClock
from tests.kits.fakes_acts import CountingEstimator
from tests.kits.openai_server import CHAT, FILES, OpenAIServer, ReceivedRequest, Reply, completion, refusal, said

OPENAI = refusal(400, "The response was filtered.", code="content_filter")
AZURE = Reply(
    {
        "error": {
            "message": "The response was filtered due to the prompt triggering the content management policy.",
            "code": "content_filter",
            "param": "prompt",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"hate": {"filtered": True}},
            },
        }
    },
    400,
)
ENDED = completion(None, finish_reason="content_filter")
PUBLIC, PRIVATE, *WELL = rows_of(Split.HELD_OUT, "labor", 5)
PRIVATE = PRIVATE.model_copy(update={"audience": Audience.PRIVATE})
ROWS = [PUBLIC, PRIVATE, *WELL]
STOPPED = {PUBLIC.text, PRIVATE.text}


class FilteringServer(OpenAIServer):
    """A provider whose content filter stops some questions."""

    def __init__(self, filtered: Reply) -> None:
        super().__init__()
        self.filtered = filtered
        self.stopped = STOPPED

    def choose(self, got: ReceivedRequest) -> Reply:
        if got.route == CHAT and got.json["messages"][-1]["content"] in self.stopped:
            return self.filtered
        return super().choose(got)

    def asked(self) -> set[str]:
        return {one.json["messages"][-1]["content"] for one in self.sent(CHAT)}


class FilterDesk:
    """A candidate at a provider with a content filter."""

    def __init__(self, store: SqlStore, clock: StepClock, server: FilteringServer, providers: Providers) -> None:
        self.store, self.clock, self.server = store, clock, server
        model = OpenAIModel(providers)
        self.evaluating = Evaluating(
            *(store, model, clock),
            private_rows=True,
            attacks=no_attacks,
            neighbours=MemoryNeighbours(),
            estimator=CountingEstimator(),
            per_second={"there": 1e6, "local": 1e6},
            pauses=(),
        )
        self.batching = Batching(store, self.evaluating, OpenAIBatcher(providers, model), clock)

    async def release(self) -> Release:
        async with self.store.transaction() as tx:
            await tx.rows.put(*ROWS)
            name = ModelName(provider="there", model="new")
            return await add_candidate(tx, self.clock.now(), name, prompt_id=PROMPT.id, by="U9", why="test")


@asynccontextmanager
async def opened(store: SqlStore, clock: StepClock, filtered: Reply) -> AsyncIterator[FilterDesk]:
    server = FilteringServer(filtered)
    async with server.running():
        providers = Providers([Provider("there", server.url, "sk-secret", kind="compatible")])
        server.on(CHAT, said("労務", p=0.9))
        try:
            yield FilterDesk(store, clock, server, providers)
        finally:
            await providers.aclose()


@pytest.mark.parametrize("filtered", [OPENAI, AZURE, ENDED])
async def test_filtered_rows_are_wrong_named_and_asked_once(store: SqlStore, clock: StepClock, filtered: Reply) -> None:
    async with opened(store, clock, filtered) as desk:
        release = await desk.release()
        judged = await desk.evaluating.judge(release, ROWS)
        assert [one.right for one in judged] == [False, False, True, True, True]
        found = await desk.evaluating.evaluate(release)
        assert (found.card.rows, found.card.right, list(found.card.categories)) == (5, 3, ["labor"])
        assert {row.id for row in found.filtered} == {PUBLIC.id, PRIVATE.id}
        asked = len(desk.server.sent(CHAT))
        assert await desk.evaluating.unanswered(release) == []
        await desk.evaluating.probe(release)
        desk.clock.advance(seconds=FILTERED_KEPT.total_seconds() + 1)
        desk.server.stopped = set()
        assert (await desk.evaluating.evaluate(release)).card.right == 5, "the filter was changed meanwhile"
        assert len(desk.server.sent(CHAT)) == asked + 3, "the probe and the two stopped questions"

    for words in (Words("en"), Words("ja")):
        assert words("evaluate.filtered", n=2) in str(compared(found, words).blocks)
        assert PUBLIC.text not in str(compared(found, words).blocks), "everybody in the ops channel reads it"
        details = "\n".join(paragraphs(found, words))
        assert PUBLIC.text in details
        assert PRIVATE.text not in details
    lines = [line for line in changes_table(found).decode().splitlines() if line.startswith("filtered,")]
    assert len(lines) == 2
    assert PUBLIC.text in "".join(lines)
    assert PRIVATE.text not in "".join(lines)


async def test_filtered_probe_does_not_stop_a_switch(store: SqlStore, clock: StepClock) -> None:
    async with opened(store, clock, AZURE) as desk:
        release = await desk.release()
        desk.server.stopped = {next(iter(PROMPT.categories[0].examples), PROMPT.categories[0].name)}
        await desk.evaluating.probe(release)
        assert desk.server.asked() == desk.server.stopped


async def test_batch_goes_on_without_filtered_rows(store: SqlStore, clock: StepClock) -> None:
    async with opened(store, clock, AZURE) as desk:
        release, server = await desk.release(), desk.server
        server.stopped = {(await desk.evaluating.unanswered(release))[0].text}  # which is asked directly
        server.on(FILES, Reply({"id": "file-1"}))
        server.on("GET /v1/batches", Reply({"data": []}))
        server.on("POST /v1/batches", Reply({"id": "batch_1", "status": "validating"}))
        assert await desk.batching.start(release, "U9", "ja", "C1")
        (file,) = server.sent(FILES)
        keys = [json.loads(line)["custom_id"] for line in file.body.split(b"\n") if line.startswith(b'{"custom_id"')]
        assert len(keys) == 3, "two were asked directly"
        replies = [(AZURE, 400), (ENDED, 200), (said("労務"), 200)]
        lines = [
            json.dumps({"custom_id": key, "response": {"status_code": status, "body": reply.body}})
            for key, (reply, status) in zip(keys, replies, strict=True)
        ]
        server.on(
            "GET /v1/batches/batch_1",
            Reply({"id": "batch_1", "status": "completed", "output_file_id": "out", "error_file_id": "err"}),
        )
        server.on("GET /v1/files/err/content", Reply(lines[0]))
        server.on("GET /v1/files/out/content", Reply("\n".join(lines[1:])))
        ((_, error),) = await desk.batching.follow()
        asked = len(server.sent(CHAT))
        found = await desk.evaluating.evaluate(release)
    assert error is None
    assert (found.card.rows, found.card.right, len(found.filtered)) == (5, 2, 3)
    assert len(server.sent(CHAT)) == asked, "the batch answered everything"


async def test_threshold_is_told_without_filtered_rows(store: SqlStore, clock: StepClock) -> None:
    async with opened(store, clock, OPENAI) as desk:
        found = await Thresholding(store, desk.evaluating, clock).report(await desk.release())
    assert (found.rows, found.filtered) == (3, 2)
    words = Words("en")
    assert words("evaluate.filtered", n=2) in "\n".join(threshold_details(found, words))
