"""A worker that was paused beyond its lease answers nothing a second time: on both databases, at the wire."""

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
from tests.kits.postgres import make_database
from tests.kits.slack_desk import MODEL, PROMPT, Json, SlackDesk, eventually, open_desk, texts

GENERAL, WATCHED, OPS = "C0GENERAL01", "C0HELPDESK1", "C0OPS000001"
POST, UPDATE = "chat.postMessage", "chat.update"


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    database = Database(make_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/desk.db")
    await database.migrate()
    yield SqlStore(database)
    await database.close()


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    """Nobody works at it until a test says so."""
    async with open_desk(store) as desk:
        await desk.answerers.stop(5)
        await desk.deliverers.stop(5)
        yield desk


class SlowModel(RuleModel):
    """It thinks until it is told to answer."""

    def __init__(self) -> None:
        super().__init__({"laptop": "it"})
        self.thinking, self.go_on = asyncio.Event(), asyncio.Event()

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        self.thinking.set()
        await self.go_on.wait()
        return await super().classify(model, prompt, text, examples)


async def asked(desk: SlackDesk, text: str = "my laptop is broken") -> str:
    """A question that is written down and that nobody works on yet; its ts."""
    ts = await (await desk.emily()).say(WATCHED, text)

    async def written() -> bool:
        async with desk.store.transaction() as tx:
            return await tx.inbox.open() > 0

    await eventually(written)
    return ts


def paused_worker(desk: SlackDesk, model: RuleModel | None = None) -> asyncio.Task[bool]:
    """A worker of another replica, which will be paused on its way."""
    classifying = Classifying(desk.store, model or desk.model, desk.neighbours, desk.clock)
    answering = Answering(desk.store, classifying, desk.announcer, desk.clock)
    return asyncio.create_task(answering.answer_next())


async def met(desk: SlackDesk, method: str) -> None:
    """Wait until a call has come to the fault that waits for it."""

    async def taken() -> bool:
        return desk.server.workspace.faults.waiting(method) == 0

    await eventually(taken)


async def replies(desk: SlackDesk, ts: str) -> list[Json]:
    return [m for m in await (await desk.emily()).replies(WATCHED, ts) if "bot_id" in m]


async def one_card(desk: SlackDesk, ts: str) -> Json:
    """All work is done; the one card, which the record knows."""

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


async def test_a_worker_that_slept_while_the_model_thought_posts_nothing(desk: SlackDesk) -> None:
    ts, model = await asked(desk), SlowModel()
    late = paused_worker(desk, model)
    await model.thinking.wait()
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    posts = desk.server.workspace.faults.hold(POST, before=True)
    model.go_on.set()
    assert await late
    assert desk.server.workspace.faults.waiting(POST) == 1, "it did not try to post"
    posts.set()
    await one_card(desk, ts)
    question = await desk.question(WATCHED, ts)
    assert question is not None
    async with desk.store.transaction() as tx:
        assert len(await tx.questions.tokens(desk.clock.now() - ANSWER_LEASE * 2)) == 1
        verdict = await tx.questions.verdict(question.id)
    assert verdict is not None
    assert verdict.reason == "'laptop' stands in it"


async def test_a_post_that_slack_takes_after_another_worker_answered_is_taken_back(desk: SlackDesk) -> None:
    ts = await asked(desk)
    gate = desk.server.workspace.faults.hold(POST, before=True)
    late = paused_worker(desk)
    await met(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    (first,) = await replies(desk, ts)
    gate.set()
    assert await late
    assert len(await replies(desk, ts)) == 2, "both stand there for a moment"
    assert (await one_card(desk, ts))["ts"] == first["ts"]


async def test_a_post_between_the_others_look_and_post_is_the_one_that_stays(desk: SlackDesk) -> None:
    ts = await asked(desk)
    faults = desk.server.workspace.faults
    late_gate = faults.hold(POST, before=True)
    late = paused_worker(desk)
    await met(desk, POST)
    other_gate = faults.hold(POST, before=True)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await met(desk, POST)
    late_gate.set()
    assert await late
    desk.deliverers.start()
    (first,) = await replies(desk, ts)
    await asyncio.sleep(0.2)
    other_gate.set()
    await desk.settled()
    assert (await one_card(desk, ts))["ts"] == first["ts"]


async def test_a_post_that_was_made_before_the_pause_is_found(desk: SlackDesk) -> None:
    ts = await asked(desk)
    gate = desk.server.workspace.faults.hold(POST)
    late = paused_worker(desk)
    await met(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    gate.set()
    assert await late
    await one_card(desk, ts)


async def test_a_notice_of_a_worker_that_overslept_is_taken_back(desk: SlackDesk) -> None:
    ts = await (await desk.emily()).say(WATCHED, "@madoguchi")
    await eventually(lambda: opened(desk))
    gate = desk.server.workspace.faults.hold(POST, before=True)
    late = paused_worker(desk)
    await met(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.answerers.start()
    await desk.settled()
    gate.set()
    assert await late
    desk.deliverers.start()

    async def one() -> bool:
        return len(await replies(desk, ts)) == 1

    await eventually(one)


async def opened(desk: SlackDesk) -> bool:
    async with desk.store.transaction() as tx:
        return await tx.inbox.open() > 0


# --- what the outbox tells


def paused_deliverer(desk: SlackDesk) -> asyncio.Task[bool]:
    return asyncio.create_task(Delivering(desk.store, desk.announcer, desk.clock).deliver_next())


async def delivered(desk: SlackDesk) -> None:
    async def done() -> bool:
        async with desk.store.transaction() as tx:
            return not (await tx.outbox.lag(desk.clock.now()))[0]

    await eventually(done)


async def test_an_old_state_that_reaches_a_card_late_is_replaced_by_what_holds(desk: SlackDesk) -> None:
    ts = await asked(desk)
    desk.answerers.start()
    await desk.settled()
    (card,) = await replies(desk, ts)
    priya = await desk.priya()
    await priya.press(card, "correct.agree")
    gate = desk.server.workspace.faults.hold(UPDATE, before=True)
    late = paused_deliverer(desk)
    await met(desk, UPDATE)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.deliverers.start()
    settled = await priya.message(lambda m: m["ts"] == card["ts"] and "confirmed by" in texts(m))
    await priya.press(settled, "correct.undo")
    await delivered(desk)
    await desk.deliverers.stop(5)
    assert "confirmed by" not in texts((await replies(desk, ts))[0])
    gate.set()
    assert await late
    assert "confirmed by" in texts((await replies(desk, ts))[0]), "the late worker wrote what it knew"
    desk.deliverers.start()
    await delivered(desk)
    assert "confirmed by" not in texts((await replies(desk, ts))[0])


@pytest.mark.parametrize("before", [True, False])
async def test_a_switch_is_told_once_though_a_worker_overslept(desk: SlackDesk, *, before: bool) -> None:
    async with desk.store.transaction() as tx:
        release = await add_candidate(tx, desk.clock.now(), MODEL, prompt_id=PROMPT.id, by="U1", why="x", recall=3)
    await Releasing(desk.store, desk.clock).switch(release.id, "U0YUKO00001")
    gate = desk.server.workspace.faults.hold(POST, before=before)
    late = paused_deliverer(desk)
    await met(desk, POST)
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    desk.deliverers.start()
    await delivered(desk)
    gate.set()
    assert await late
    await delivered(desk)
    yuko = await desk.window(desk.server.people.admin)
    assert len([m for m in await yuko.history(OPS) if "bot_id" in m]) == 1
