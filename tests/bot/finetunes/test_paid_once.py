"""One confirmed fine-tune is at most one paid job: over HTTP to a provider that keeps jobs, on both databases."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.dataset import Split
from bot.domain.finetune import Finetune, FinetuneState, Job
from bot.domain.release import ModelName
from bot.finetunes.budget import Spending
from bot.finetunes.starting import CREATION_UNANSWERED, JOB_SEARCHES
from bot.providers.providers import Provider, Providers
from bot.providers.training import JOB_METADATA_KEY, OpenAITrainer
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, rows_of
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import CountingEstimator
from tests.kits.finetune_bench import FinetuneActs, finetune_acts
from tests.kits.migrated import migrated_postgresql, migrated_sqlite
from tests.kits.openai_server import FILES, JOBS, OpenAIServer, ReceivedRequest, Reply

STUDENT = ModelName(provider="there", model="small")
JOB_ROUTE = re.compile(r"GET /v1/fine_tuning/jobs/([\w-]+)(/events)?")


class JobProvider(OpenAIServer):
    """A provider that makes a job of each creation that it receives, whatever it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[dict[str, Any]] = []
        self.creation_replies: list[Reply] = []
        """Replies to the next creations, in place of the job."""
        self.lists_without_job = 0
        """Number of the next lists that do not show the jobs yet."""

    def choose(self, got: ReceivedRequest) -> Reply:
        if got.route == FILES:
            return Reply({"id": f"file-{len(self.sent(FILES))}", "status": "processed"})
        if got.route.startswith("GET /v1/files/"):
            return Reply({"id": got.route.rpartition("/")[2], "status": "processed"})
        if got.route == JOBS:
            metadata = got.json["metadata"]
            self.jobs.append({"id": f"job-{len(self.jobs)}", "status": "running", "metadata": metadata})
            return self.creation_replies.pop(0) if self.creation_replies else Reply(self.jobs[-1])
        if got.route == "GET /v1/fine_tuning/jobs":
            self.lists_without_job -= 1
            return Reply({"data": [] if self.lists_without_job >= 0 else self.jobs, "has_more": False})
        found = JOB_ROUTE.fullmatch(got.route)
        if found and found[2]:
            return Reply({"data": []})
        return Reply(next(job for job in self.jobs if found and job["id"] == found[1]))


class Cluster:
    """A database and a provider, with any number of replicas."""

    def __init__(self, url: str, provider: JobProvider) -> None:
        self.url = url
        self.provider = provider
        self.clock = StepClock()
        self.databases: list[Database] = []
        self.providers = Providers([Provider("there", provider.url, "k", kind="compatible")])
        self.providers["there"].timeout = 2.0
        self.first = self.replica()

    def replica(self, trainer: type[OpenAITrainer] = OpenAITrainer) -> FinetuneActs:
        """Return the acts of a new replica, with a database connection of its own."""
        database = Database(self.url)
        self.databases.append(database)
        store, estimator = SqlStore(database), CountingEstimator()
        return finetune_acts(
            store,
            DatabaseShelf(database),
            trainer(self.providers),
            Spending(estimator, self.clock, None),
            RowNeighbours(store),
            self.clock,
            student=STUDENT,
        )

    @property
    def store(self) -> SqlStore:
        return SqlStore(self.databases[0])

    async def add_rows(self) -> None:
        """Add training rows."""
        async with self.store.transaction() as tx:
            await tx.rows.put(*rows_of(Split.TRAIN, "labor", 8), *rows_of(Split.TRAIN, "it", 8))

    async def confirmed(self) -> Finetune:
        await self.add_rows()
        finetune, _ = await self.first.planning.plan("U9", "en")
        return await self.first.starting.confirm(finetune.id, "U9")

    async def reload(self, finetune: Finetune) -> Finetune:
        async with self.store.transaction() as tx:
            found = await tx.finetunes.get(finetune.id)
        assert found is not None
        return found

    async def follow(self, acts: FinetuneActs) -> None:
        """Follow until a search for a job would have been given up."""
        for _ in range(JOB_SEARCHES + 1):
            await acts.following.follow()
            self.clock.advance(seconds=CREATION_UNANSWERED / timedelta(seconds=1))

    @property
    def creations(self) -> int:
        return len(self.provider.sent(JOBS))


@pytest.fixture(params=["sqlite", "postgresql"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    url = migrated_postgresql() if request.param == "postgresql" else migrated_sqlite(tmp_path / "cluster.db")
    provider = JobProvider()
    async with provider.running():
        cluster = Cluster(url, provider)
        await Releasing(cluster.store, cluster.clock).ensure(PROMPT, BASE)
        yield cluster
        await cluster.providers.aclose()
        for database in cluster.databases:
            await database.close()


LOST_ANSWERS: dict[str, Callable[[], Reply]] = {
    "500": lambda: Reply({"error": {"message": "oh"}}, 500),
    "502 of a gateway": lambda: Reply("<html>", 502),
    "dropped connection": lambda: Reply(lost=True),
    "no answer in time": lambda: Reply(wait_s=5),
    "half a job": lambda: Reply('{"id": "jo'),
}


@pytest.mark.parametrize("empty_searches", [0, 2])
@pytest.mark.parametrize("answer", LOST_ANSWERS)
async def test_job_of_lost_answer_is_found_by_metadata(cluster: Cluster, answer: str, empty_searches: int) -> None:
    finetune = await cluster.confirmed()
    cluster.provider.creation_replies.append(LOST_ANSWERS[answer]())
    cluster.provider.lists_without_job = 2 * empty_searches  # a search lists with the filter and without
    await cluster.follow(cluster.first)
    found = await cluster.reload(finetune)
    assert (found.state, found.job_id) == (FinetuneState.RUNNING, "job-0")
    assert cluster.creations == 1
    assert cluster.provider.jobs[0]["metadata"] == {JOB_METADATA_KEY: finetune.id}


async def test_other_replica_finds_the_job_after_a_crash(cluster: Cluster) -> None:
    finetune = await cluster.confirmed()
    cluster.provider.creation_replies.append(Reply(wait_s=5))
    dying = asyncio.create_task(cluster.first.following.follow())
    async with asyncio.timeout(10):
        while not cluster.provider.jobs:  # noqa: ASYNC110 - the awaited change is in another server
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    await cluster.follow(cluster.replica())
    assert (await cluster.reload(finetune)).job_id == "job-0"
    assert cluster.creations == 1


class CrashingTrainer(OpenAITrainer):
    """A trainer whose replica dies right before the creation is sent."""

    async def create(self, *_: object, **__: object) -> Job:
        raise asyncio.CancelledError


async def test_crash_before_the_creation_costs_nothing(cluster: Cluster) -> None:
    finetune = await cluster.confirmed()
    with pytest.raises(asyncio.CancelledError):
        await cluster.replica(CrashingTrainer).following.follow()
    assert (await cluster.reload(finetune)).state is FinetuneState.CREATING
    await cluster.follow(cluster.first)
    assert (await cluster.reload(finetune)).state is FinetuneState.FAILED
    assert cluster.creations == 0, "nobody knows that the creation was not sent, so it is not sent again"
    another = await cluster.confirmed()
    await cluster.follow(cluster.first)
    assert (await cluster.reload(another)).state is FinetuneState.RUNNING
    assert cluster.creations == 1


async def test_concurrent_replicas_send_one_creation(cluster: Cluster) -> None:
    finetune = await cluster.confirmed()
    replicas = [cluster.first, cluster.replica(), cluster.replica()]
    await asyncio.gather(*(replica.following.follow() for replica in replicas))
    for replica in replicas:
        await cluster.follow(replica)
    assert (await cluster.reload(finetune)).state is FinetuneState.RUNNING
    assert cluster.creations == 1


async def test_concurrent_confirmations_of_a_plan_make_one_job(cluster: Cluster) -> None:
    await cluster.add_rows()
    finetune, _ = await cluster.first.planning.plan("U9", "en")
    other = cluster.replica()
    results = await asyncio.gather(
        cluster.first.starting.confirm(finetune.id, "U8"),
        other.starting.confirm(finetune.id, "U9"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Finetune) for result in results) == 1, results
    await asyncio.gather(cluster.follow(cluster.first), cluster.follow(other))
    assert cluster.creations == 1


async def test_concurrent_confirmations_of_two_plans_confirm_one(cluster: Cluster) -> None:
    await cluster.add_rows()
    other = cluster.replica()
    plans = [(await acts.planning.plan("U9", "en"))[0] for acts in (cluster.first, other)]
    results = await asyncio.gather(
        cluster.first.starting.confirm(plans[0].id, "U8"),
        other.starting.confirm(plans[1].id, "U9"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Finetune) for result in results) == 1, results
