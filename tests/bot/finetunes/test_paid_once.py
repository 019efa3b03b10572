"""One `/finetune start` is one paid job at most: over HTTP to a provider that keeps jobs, on both databases."""

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
from tests.kits.openai_server import FILES, JOBS, Got, OpenAIServer, Reply
from tests.kits.postgres import make_database

STUDENT = ModelName(provider="there", model="small")
ONE = re.compile(r"GET /v1/fine_tuning/jobs/([\w-]+)(/events)?")


class JobProvider(OpenAIServer):
    """It makes a job of each creation that reaches it, whatever it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[dict[str, Any]] = []
        self.answers: list[Reply] = []
        """What it says of the next creations instead of the job."""
        self.listed_late = 0
        """So many lists do not show a new job yet."""

    def choose(self, got: Got) -> Reply:
        if got.route == FILES:
            return Reply({"id": f"file-{len(self.sent(FILES))}", "status": "processed"})
        if got.route == JOBS:
            metadata = got.json["metadata"]
            self.jobs.append({"id": f"job-{len(self.jobs)}", "status": "running", "metadata": metadata})
            return self.answers.pop(0) if self.answers else Reply(self.jobs[-1])
        if got.route == "GET /v1/fine_tuning/jobs":
            self.listed_late -= 1
            return Reply({"data": [] if self.listed_late >= 0 else self.jobs, "has_more": False})
        found = ONE.fullmatch(got.route)
        if found and found[2]:
            return Reply({"data": []})
        return Reply(next(job for job in self.jobs if found and job["id"] == found[1]))


class Company:
    """A record, a provider, and as many replicas as a test wants."""

    def __init__(self, url: str, provider: JobProvider) -> None:
        self.url = url
        self.provider = provider
        self.clock = StepClock()
        self.databases: list[Database] = []
        self.providers = Providers([Provider("there", provider.url, "k", kind="compatible")])
        self.providers["there"].timeout = 2.0
        self.first = self.replica()

    def replica(self, trainer: type[OpenAITrainer] = OpenAITrainer) -> FinetuneActs:
        database = Database(self.url)
        self.databases.append(database)
        store, estimator = SqlStore(database), CountingEstimator()
        return finetune_acts(
            store,
            DatabaseShelf(database),
            trainer(self.providers, pauses_s=()),
            Spending(estimator, self.clock, None),
            RowNeighbours(store),
            self.clock,
            student=STUDENT,
        )

    @property
    def store(self) -> SqlStore:
        return SqlStore(self.databases[0])

    async def keep(self) -> None:
        """Rows to train on."""
        async with self.store.transaction() as tx:
            await tx.rows.put(*rows_of(Split.TRAIN, "labor", 8), *rows_of(Split.TRAIN, "it", 8))

    async def confirmed(self) -> Finetune:
        await self.keep()
        finetune, _ = await self.first.planning.plan("U9", "en")
        return await self.first.starting.confirm(finetune.id, "U9")

    async def now(self, finetune: Finetune) -> Finetune:
        async with self.store.transaction() as tx:
            found = await tx.finetunes.get(finetune.id)
        assert found is not None
        return found

    async def follow(self, acts: FinetuneActs) -> None:
        """For as long as a job is looked for."""
        for _ in range(JOB_SEARCHES + 1):
            await acts.following.follow()
            self.clock.advance(seconds=CREATION_UNANSWERED / timedelta(seconds=1))

    @property
    def creations(self) -> int:
        return len(self.provider.sent(JOBS))


@pytest.fixture(params=["sqlite", "postgresql"])
async def company(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Company]:
    url = make_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/company.db"
    provider = JobProvider()
    async with provider.running():
        company = Company(url, provider)
        await company.databases[0].migrate()
        await Releasing(company.store, company.clock).ensure(PROMPT, BASE)
        yield company
        await company.providers.aclose()
        for database in company.databases:
            await database.close()


LOST_ANSWERS: dict[str, Callable[[], Reply]] = {
    "500": lambda: Reply({"error": {"message": "oh"}}, 500),
    "502 of a gateway": lambda: Reply("<html>", 502),
    "dropped connection": lambda: Reply(lost=True),
    "no answer in time": lambda: Reply(wait_s=5),
    "half a job": lambda: Reply('{"id": "jo'),
}


@pytest.mark.parametrize("listed_late", [0, 2])
@pytest.mark.parametrize("answer", LOST_ANSWERS)
async def test_a_job_that_was_made_and_not_told_is_found_by_its_metadata(
    company: Company, answer: str, listed_late: int
) -> None:
    finetune = await company.confirmed()
    company.provider.answers.append(LOST_ANSWERS[answer]())
    company.provider.listed_late = 2 * listed_late  # with the filter and without
    await company.follow(company.first)
    found = await company.now(finetune)
    assert (found.state, found.job_id) == (FinetuneState.RUNNING, "job-0")
    assert company.creations == 1
    assert company.provider.jobs[0]["metadata"] == {JOB_METADATA_KEY: finetune.id}


async def test_a_replica_that_dies_while_its_creation_is_on_its_way_is_followed_by_another(company: Company) -> None:
    finetune = await company.confirmed()
    company.provider.answers.append(Reply(wait_s=5))
    dying = asyncio.create_task(company.first.following.follow())
    async with asyncio.timeout(10):
        while not company.provider.jobs:  # noqa: ASYNC110 - what it waits for is in another server
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    await company.follow(company.replica())
    assert (await company.now(finetune)).job_id == "job-0"
    assert company.creations == 1


class Dying(OpenAITrainer):
    """Its replica falls right before the creation is sent."""

    async def create(self, *_: object, **__: object) -> Job:
        raise asyncio.CancelledError


async def test_a_replica_that_dies_before_its_creation_is_sent_costs_nothing(company: Company) -> None:
    finetune = await company.confirmed()
    with pytest.raises(asyncio.CancelledError):
        await company.replica(Dying).following.follow()
    assert (await company.now(finetune)).state is FinetuneState.CREATING
    await company.follow(company.first)
    assert (await company.now(finetune)).state is FinetuneState.FAILED
    assert company.creations == 0, "nobody knows that it was not sent, so it is not sent again"
    another = await company.confirmed()
    await company.follow(company.first)
    assert (await company.now(another)).state is FinetuneState.RUNNING
    assert company.creations == 1


async def test_replicas_that_follow_at_once_send_one_creation(company: Company) -> None:
    finetune = await company.confirmed()
    replicas = [company.first, company.replica(), company.replica()]
    await asyncio.gather(*(replica.following.follow() for replica in replicas))
    for replica in replicas:
        await company.follow(replica)
    assert (await company.now(finetune)).state is FinetuneState.RUNNING
    assert company.creations == 1


async def test_a_confirm_that_is_pressed_twice_at_once_is_one_job(company: Company) -> None:
    await company.keep()
    finetune, _ = await company.first.planning.plan("U9", "en")
    other = company.replica()
    pressed = await asyncio.gather(
        company.first.starting.confirm(finetune.id, "U8"),
        other.starting.confirm(finetune.id, "U9"),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Finetune) for one in pressed) == 1, pressed
    await asyncio.gather(company.follow(company.first), company.follow(other))
    assert company.creations == 1


async def test_two_plans_that_are_confirmed_at_once_are_one_job(company: Company) -> None:
    await company.keep()
    other = company.replica()
    plans = [(await acts.planning.plan("U9", "en"))[0] for acts in (company.first, other)]
    pressed = await asyncio.gather(
        company.first.starting.confirm(plans[0].id, "U8"),
        other.starting.confirm(plans[1].id, "U9"),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Finetune) for one in pressed) == 1, pressed
