"""A worker that was paused beyond its lease leaves no second answer: on both databases, through Slack."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.questions.answering import Answering
from bot.questions.arrivals import ANSWER_LEASE
from bot.questions.classifying import Classifying
from bot.questions.delivering import Delivering
from bot.releases.releasing import Releasing, add_candidate
from storage.database import Database
from storage.store import SqlStore
from tests.kits.fakes import RuleModel
from tests.kits.migrated import migrated_postgresql, migrated_sqlite
from tests.kits.slack_desk import MODEL, PROMPT, Json, SlackDesk, eventually, open_desk, texts

GENERAL, WATCHED, OPS = "C0GENERAL01", "C0HELPDESK1", "C0OPS000001"
POST, UPDATE = "chat.postMessage", "chat.update"


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    database = Database(
        migrated_postgresql() if request.param == "postgresql" else migrated_sqlite(tmp_path / "desk.db")
    )
    yield SqlStore(database)
    await database.close()


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    """Open a desk whose workers are stopped until a test starts them."""
    async with open_desk(store) as desk:
        await desk.answerers.stop(5)
        await desk.deliverers.stop(5)
        yield desk


class SlowModel(RuleModel):
    """A model that answers only after `go_on` is set."""

    def __init__(self) -> None:
        super().__init__({"laptop": "it"})
        self.thinking, self.go_on = asyncio.Event(), asyncio.Event()

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        self.thinking.set()
        await self.go_on.wait()
        return await super().classify(model, prompt, text, examples, explain=explain)


async def asked(desk: SlackDesk, text: str = "my laptop is broken") -> str:
    """Ask a question, wait until it is stored, and return its ts. No worker is on it yet."""
    ts = await (await desk.emily()).say(WATCHED, text)

    async def is_stored() -> bool:
        async with desk.store.transaction() as tx:
            return await tx.inbox.open() > 0

    await eventually(is_stored)
    return ts


def paused_worker(desk: SlackDesk, model: RuleModel | None = None) -> asyncio.Task[bool]:
    """Start a worker of another replica, which the test will pause."""
    classifying = Classifying(desk.store, model or desk.model, desk.neighbours, desk.clock)
    answering = Answering(desk.store, classifying, desk.announcer, desk.clock)
    return asyncio.create_task(answering.answer_next())


async def wait_for_hold(desk: SlackDesk, method: str) -> None:
    """Wait until a call of this method is held."""

    async def taken() -> bool:
        return desk.server.workspace.faults.waiting(method) == 0

    await eventually(taken)


async def replies(desk: SlackDesk, ts: str) -> list[Json]:
    return [m for m in await (await desk.emily()).replies(WATCHED, ts) if "bot_id" in m]


async def one_card(desk: SlackDesk, ts: str) -> Json:
    """Finish all work and return the only card. Check that the database stores its ts."""

    async def done() -> bool:
        async with desk.store.transaction() as tx:
            return not await tx.inbox.open() and not (await tx.outbox.lag(desk.clock.now()))[0]

    desk.deliverers.start()
    await eventually(done)
    (card,) = await replies(desk, ts)
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert question.card_ts == card["ts"]
    return card


async def test_worker_that_lost_lease_posts_nothing(desk: SlackDesk) -> None:
    ts, model = await asked(desk), SlowModel()
    late = paused_worker(desk, model)
    await model.thinking.wait()
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    posts = desk.server.workspace.faults.hold(POST, before=True)
    model.go_on.set()
    assert await late
    assert desk.server.workspace.faults.waiting(POST) == 1, "the late worker did not try to post"
    posts.set()
    await one_card(desk, ts)
    question = await desk.question(WATCHED, ts)
    assert question is not None
    async with desk.store.transaction() as tx:
        assert len(await tx.questions.tokens(desk.clock.now() - ANSWER_LEASE * 2)) == 1
        verdict = await tx.questions.verdict(question.id)
    assert verdict is not None
    assert verdict.reason == "'laptop' stands in it"


async def test_late_post_is_deleted_after_another_answer(desk: SlackDesk) -> None:
    ts = await asked(desk)
    gate = desk.server.workspace.faults.hold(POST, before=True)
    late = paused_worker(desk)
    await wait_for_hold(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    (first,) = await replies(desk, ts)
    gate.set()
    assert await late
    assert len(await replies(desk, ts)) == 2, "both posts exist for a moment"
    assert (await one_card(desk, ts))["ts"] == first["ts"]


async def test_earlier_of_two_concurrent_posts_is_kept(desk: SlackDesk) -> None:
    ts = await asked(desk)
    faults = desk.server.workspace.faults
    late_gate = faults.hold(POST, before=True)
    late = paused_worker(desk)
    await wait_for_hold(desk, POST)
    other_gate = faults.hold(POST, before=True)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await wait_for_hold(desk, POST)
    late_gate.set()
    assert await late
    desk.deliverers.start()
    (first,) = await replies(desk, ts)
    await asyncio.sleep(0.2)
    other_gate.set()
    await desk.settled()
    assert (await one_card(desk, ts))["ts"] == first["ts"]


async def test_post_made_before_pause_is_found(desk: SlackDesk) -> None:
    ts = await asked(desk)
    gate = desk.server.workspace.faults.hold(POST)
    late = paused_worker(desk)
    await wait_for_hold(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    gate.set()
    assert await late
    await one_card(desk, ts)


async def test_late_notice_is_deleted(desk: SlackDesk) -> None:
    ts = await (await desk.emily()).say(WATCHED, "@madoguchi")
    await eventually(lambda: inbox_is_open(desk))
    gate = desk.server.workspace.faults.hold(POST, before=True)
    late = paused_worker(desk)
    await wait_for_hold(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    gate.set()
    assert await late
    desk.deliverers.start()

    async def is_single() -> bool:
        return len(await replies(desk, ts)) == 1

    await eventually(is_single)


async def inbox_is_open(desk: SlackDesk) -> bool:
    async with desk.store.transaction() as tx:
        return await tx.inbox.open() > 0


# --- deliveries from the outbox


def paused_deliverer(desk: SlackDesk) -> asyncio.Task[bool]:
    return asyncio.create_task(Delivering(desk.store, desk.announcer, desk.clock).deliver_next())


async def delivered(desk: SlackDesk) -> None:
    async def done() -> bool:
        async with desk.store.transaction() as tx:
            return not (await tx.outbox.lag(desk.clock.now()))[0]

    await eventually(done)


async def test_outdated_card_update_is_replaced_by_current_state(desk: SlackDesk) -> None:
    ts = await asked(desk)
    desk.answerers.start()
    await desk.settled()
    (card,) = await replies(desk, ts)
    priya = await desk.priya()
    await priya.press(card, "correct.agree")
    gate = desk.server.workspace.faults.hold(UPDATE, before=True)
    late = paused_deliverer(desk)
    await wait_for_hold(desk, UPDATE)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.deliverers.start()
    settled = await priya.message(lambda m: m["ts"] == card["ts"] and "Confirmed by" in texts(m))
    await priya.press(settled, "correct.undo")
    await delivered(desk)
    await desk.deliverers.stop(5)
    assert "Confirmed by" not in texts((await replies(desk, ts))[0])
    gate.set()
    assert await late
    assert "Confirmed by" in texts((await replies(desk, ts))[0]), "the late worker wrote the old state"
    desk.deliverers.start()
    await delivered(desk)
    assert "Confirmed by" not in texts((await replies(desk, ts))[0])


@pytest.mark.parametrize("before", [True, False])
async def test_late_worker_does_not_announce_switch_twice(desk: SlackDesk, *, before: bool) -> None:
    async with desk.store.transaction() as tx:
        release = await add_candidate(tx, desk.clock.now(), MODEL, prompt_id=PROMPT.id, by="U1", why="x", recall=3)
    await Releasing(desk.store, desk.clock).switch(release.id, "U0YUKO00001")
    gate = desk.server.workspace.faults.hold(POST, before=before)
    late = paused_deliverer(desk)
    await wait_for_hold(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.deliverers.start()
    await delivered(desk)
    gate.set()
    assert await late
    await delivered(desk)
    yuko = await desk.window(desk.server.people.admin)
    assert len([m for m in await yuko.history(OPS) if "bot_id" in m]) == 1
