"""Answers and thresholds of another revision of the embedded model are never taken for the present one's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest
from sqlalchemy import insert

from bot.app.encoding import EmbeddedModel
from bot.domain.batch import BatchState
from bot.domain.dataset import Split, text_key
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName, Release
from bot.domain.scorecard import Result
from bot.domain.similar import Example
from bot.embedded import LocalModel
from bot.finetunes.budget import Spending
from bot.finetunes.status import Reporting
from bot.ports import Answer, Embedded
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from bot.releases.batching import Batching
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing, add_candidate
from bot.releases.threshold import Thresholding
from handlers.texts.words import LANGUAGES, Words
from handlers.views import unsure
from handlers.views.status import attention
from storage.database import Database
from storage.store import SqlStore
from storage.tables import results
from tests.bot.things import BASE, PROMPT, arrival, no_attacks, rows_of
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer, MemoryShelf
from tests.kits.fakes_batcher import LABOR, KeepingBatcher
from tests.kits.tiny_encoder import TINY_ENCODER

ROWS = [*rows_of(Split.HELD_OUT, "labor", 3), *rows_of(Split.HELD_OUT, "it", 2)]


class Replica:
    """A replica with the real embedded model: what it asked, and what it finds."""

    def __init__(self, store: SqlStore, clock: StepClock, providers: Providers, embedded: Embedded) -> None:
        self.asked: list[str] = []
        self._model = OpenAIModel(providers)
        self.embedded = embedded
        self.evaluating = evaluating_of(store, self, clock, embedded)
        self.thresholding = Thresholding(store, self.evaluating, clock)

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        self.asked.append(text)
        return await self._model.classify(model, prompt, text, examples, explain=explain)

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        return await self._model.reason(model, prompt, text, category)


class Revision:
    """An embedded model whose revision a test sets."""

    def __init__(self) -> None:
        self.now: str | None = "fp_1_none"

    def revision(self, model: ModelName) -> str | None:
        return self.now if model.provider == "local" else None

    def reads_here(self, model: ModelName) -> bool:
        return model.provider == "local"

    async def other_encoder(self, model: ModelName) -> str | None:
        return None

    async def read_ahead(self, model: ModelName, questions: Sequence[str], examples: Sequence[str]) -> None:
        pass


class RevisedModel(RuleModel):
    """A model that tells its revision with each answer, and is not sure of any."""

    def __init__(self, revision: Revision) -> None:
        super().__init__({"labor": "labor", "it": "it", "有給": "labor"}, 0.4)
        self.revision = revision

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        answer = await super().classify(model, prompt, text, examples, explain=explain)
        return answer.model_copy(update={"revision": self.revision.revision(model)})


def evaluating_of(store: SqlStore, model: RuleModel | Replica, clock: StepClock, embedded: Embedded) -> Evaluating:
    return Evaluating(
        store,
        model,
        clock,
        attacks=no_attacks,
        neighbours=MemoryNeighbours(),
        estimator=CountingEstimator(),
        per_second={"local": 1e6, "acme": 1e6},
        embedded=embedded,
    )


@asynccontextmanager
async def replica(store: SqlStore, clock: StepClock, encoder: str) -> AsyncIterator[Replica]:
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(LocalModel(MemoryShelf(), encoder=encoder))
        transport = httpx2.ASGITransport(app=local.app, raise_app_exceptions=False)
        providers = Providers([Provider("local", "http://local/v1", kind="compatible", transport=transport)])
        stack.push_async_callback(providers.aclose)
        yield Replica(store, clock, providers, EmbeddedModel(local))


@pytest.fixture
async def release(store: SqlStore, clock: StepClock) -> Release:
    async with store.transaction() as tx:
        await tx.rows.put(*ROWS)
    return await Releasing(store, clock).serving()


@pytest.fixture
def revision() -> Revision:
    return Revision()


@pytest.fixture
def revised(revision: Revision) -> RevisedModel:
    return RevisedModel(revision)


async def test_answers_of_another_encoder_are_asked_anew(store: SqlStore, clock: StepClock, release: Release) -> None:
    async with replica(store, clock, "") as plain, replica(store, clock, TINY_ENCODER) as other:
        for one in (plain, other, plain, other):
            found = await one.evaluating.evaluate(release)
            assert found.card.rows == len(ROWS)
        assert sorted(plain.asked) == sorted(other.asked) == sorted(row.text for row in ROWS)
        revisions = {one.embedded.revision(BASE) for one in (plain, other)}
        assert len(revisions) == 2
        for revision in revisions:
            async with store.transaction() as tx:
                kept = await tx.results.of(release.id, revision)
            assert {result.revision for result in kept.values()} == {revision}
            assert set(kept) == {text_key(row.text) for row in ROWS}
        assert not await other.evaluating.unanswered(release)


def old_result(release: Release, text: str) -> Result:
    return Result(
        release_id=release.id,
        text_key=text_key(text),
        category="other",
        confidence=0.9,
        latency_ms=1,
        tokens_in=1,
        tokens_out=1,
        at=release.created_at,
    )


@pytest.mark.parametrize(("provider", "valid"), [("local", False), ("acme", True)])
async def test_results_without_revision_count_elsewhere_only(
    store: SqlStore,
    clock: StepClock,
    release: Release,
    revised: RevisedModel,
    provider: str,
    valid: bool,  # noqa: FBT001 - a case of the table above
) -> None:
    name = ModelName(provider=provider, model="m")
    async with store.transaction() as tx:
        new = await add_candidate(tx, clock.now(), name, prompt_id=PROMPT.id, by="U9", why="a test")
        await tx.results.put([old_result(new, row.text) for row in ROWS])
    evaluating = evaluating_of(store, revised, clock, revised.revision)
    judged = await evaluating.judge(new, ROWS)
    assert len(revised.asked) == (0 if valid else len(ROWS))
    assert {one.result.category for one in judged} == ({"other"} if valid else {"labor", "it"})


async def test_older_replica_overwrites_no_newer_answer(
    store: SqlStore, database: Database, clock: StepClock, release: Release, revised: RevisedModel
) -> None:
    evaluating = evaluating_of(store, revised, clock, revised.revision)
    await evaluating.judge(release, ROWS)
    old = old_result(release, ROWS[0].text).model_dump(exclude={"revision"})
    async with database.begin() as connection:
        await connection.execute(insert(results).values(old))
    judged = await evaluating.judge(release, ROWS)
    assert judged[0].result.category == "labor"
    assert len(revised.asked) == len(ROWS)


async def test_batch_answers_keep_the_revision_asked(
    store: SqlStore, clock: StepClock, release: Release, revised: RevisedModel, revision: Revision
) -> None:
    evaluating, batcher = evaluating_of(store, revised, clock, revision), KeepingBatcher()
    batching = Batching(store, evaluating, batcher, clock)
    batch = await batching.start(release, "U9", "en", "C1")
    assert batch
    assert batch.revision == "fp_1_none"
    batcher.ended[batch.id] = dict.fromkeys(batcher.batches[batch.id], LABOR)
    revision.now = "fp_2_none"
    ((ended, _),) = await batching.follow()
    assert ended.state is BatchState.ANSWERED
    assert len(await evaluating.unanswered(release)) == len(ROWS)
    revision.now = "fp_1_none"
    assert await evaluating.unanswered(release) == []


async def test_threshold_of_another_revision_is_not_applied(
    store: SqlStore,
    clock: StepClock,
    board: FakeAnnouncer,
    release: Release,
    revised: RevisedModel,
    revision: Revision,
) -> None:
    thresholding = Thresholding(store, evaluating_of(store, revised, clock, revision), clock)
    classifying = Classifying(store, revised, MemoryNeighbours(), clock)
    answering = Answering(store, classifying, board, clock)
    reporting = Reporting(store, clock, Spending(CountingEstimator(), clock), MemoryNeighbours(), embedded=revision)

    async def is_unsure(n: int) -> bool:
        await answering.receive(arrival(n=n))
        await answering.answer_next()
        return list(board.cards.values())[-1][-1].unsure

    await thresholding.set(release, 0.6, "U9")
    assert await is_unsure(1)
    assert (await reporting.status()).stale_threshold is None
    revision.now = "fp_2_none"
    assert not await is_unsure(2)
    stale = await Releasing(store, clock).serving()
    assert thresholding.applied(stale).unsure_below is None
    report, status = await thresholding.report(stale), await reporting.status()
    for language in LANGUAGES:
        words = Words(language)
        for said in (str(unsure.table(report, words).blocks), str(attention(status, words))):
            assert release.name in said
            assert "`/finetune unsure auto`" in said
        assert "60%" in str(unsure.paragraphs(report, words))
    await thresholding.set(stale, 0.6, "U9")
    assert await is_unsure(3)
    assert (await reporting.status()).serving.unsure_below == 0.6
