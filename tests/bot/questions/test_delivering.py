"""Delivery of outbox entries: at least once and in order, despite Slack's faults."""

import asyncio

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.finetune import FinetuneState
from bot.questions.delivering import DELIVERY_LEASE, LONGEST_DELIVERY_WAIT
from bot.releases.releasing import Releasing, add_candidate
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.delivery_desk import DeliveryDesk
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, FakeTrainer, Fault
from tests.kits.finetune_bench import FinetuneBench


@pytest.fixture
def desk(store: SqlStore, board: FakeAnnouncer, clock: StepClock) -> DeliveryDesk:
    return DeliveryDesk(store, board, clock)


@pytest.fixture
async def card(store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock) -> Card:
    await AnswerDesk(store, model, board, clock).ask(arrival())
    ((card,),) = board.cards.values()
    return card


@pytest.fixture
def correcting(store: SqlStore, clock: StepClock) -> Correcting:
    return Correcting(store, MemoryNeighbours(), clock)


def press(card: Card, category: str, seen: int = 0) -> Press:
    """Return a press by the asker, who needs no message about it: only the card is delivered."""
    return Press(question_id=card.question.id, category=category, seen=seen, by=card.question.asker)


async def test_card_shows_the_settlement(desk: DeliveryDesk, card: Card, correcting: Correcting) -> None:
    settled = await correcting.settle(press(card, "it"))
    assert await desk.deliver() == 1
    shown = desk.board.cards[card.question.id][-1]
    assert (shown.settled, shown.seen) == (settled.settled, 1)
    assert await desk.delivering.deliver_next() is False


async def test_older_entry_delivers_the_newest_state(desk: DeliveryDesk, card: Card, correcting: Correcting) -> None:
    await correcting.settle(press(card, "it"))
    await correcting.settle(press(card, "other", seen=1))
    assert await desk.delivering.deliver_next()
    shown = desk.board.cards[card.question.id][-1]
    assert shown.settled is not None
    assert shown.settled.category == "other"


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_failed_update_is_retried_until_it_succeeds(
    desk: DeliveryDesk, card: Card, correcting: Correcting, fault: Fault
) -> None:
    await correcting.settle(press(card, "it"))
    desk.board.faults.add("update_card", fault, 7)
    assert await desk.deliver() == 8
    assert desk.board.cards[card.question.id][-1].seen == 1


async def test_backoff_doubles_up_to_its_limit(desk: DeliveryDesk, card: Card, correcting: Correcting) -> None:
    await correcting.settle(press(card, "it"))
    desk.board.faults.add("update_card", Fault.DOWN, 12)
    assert await desk.delivering.deliver_next()
    for delay in (2, 4, 8, 16, 32, 64, 128, 256, *[LONGEST_DELIVERY_WAIT.total_seconds()] * 4):
        desk.clock.advance(seconds=delay - 1)
        assert not await desk.delivering.deliver_next()
        desk.clock.advance(seconds=1)
        assert await desk.delivering.deliver_next()
    assert (await desk.lag())[0] == 0


async def test_entry_that_slack_refuses_is_dropped(
    desk: DeliveryDesk, card: Card, correcting: Correcting, caplog: pytest.LogCaptureFixture
) -> None:
    await correcting.settle(press(card, "it"))
    desk.board.faults.add("update_card", Fault.REFUSED)
    assert await desk.deliver() == 1
    assert "never take it" in caplog.text


async def test_our_own_error_is_logged_and_retried(
    desk: DeliveryDesk, card: Card, correcting: Correcting, caplog: pytest.LogCaptureFixture
) -> None:
    await correcting.settle(press(card, "it"))
    shown = desk.board.cards.pop(card.question.id)
    assert await desk.delivering.deliver_next()
    assert "KeyError" in caplog.text
    desk.board.cards[card.question.id] = shown
    await desk.deliver()
    assert shown[-1].seen == 1


async def test_next_worker_delivers_after_a_crash(desk: DeliveryDesk, card: Card, correcting: Correcting) -> None:
    await correcting.settle(press(card, "it"))
    desk.board.faults.add("update_card", Fault.KILLED)
    with pytest.raises(asyncio.CancelledError):
        await desk.worker().deliver_next()
    assert not await desk.delivering.deliver_next()
    desk.clock.advance(seconds=DELIVERY_LEASE.total_seconds())
    assert await desk.deliver() == 1


async def test_switch_is_announced_with_its_author(desk: DeliveryDesk) -> None:
    async with desk.store.transaction() as tx:
        candidate = await add_candidate(tx, desk.clock.now(), BASE, prompt_id=PROMPT.id, by="U9", why="test")
    await Releasing(desk.store, desk.clock).switch(candidate.id, "U9")
    await desk.deliver()
    assert desk.board.switches == [(candidate.id, "U9")]


async def test_switch_with_a_reused_entry_number_is_announced(desk: DeliveryDesk) -> None:
    """SQLite numbers entries from one again once the outbox was empty."""
    async with desk.store.transaction() as tx:
        candidate = await add_candidate(tx, desk.clock.now(), BASE, prompt_id=PROMPT.id, by="U9", why="test")
    releasing = Releasing(desk.store, desk.clock)
    await releasing.switch(candidate.id, "U9")
    await desk.deliver()
    desk.clock.advance(seconds=1)
    await releasing.rollback("U8")
    desk.board.faults.add("announce_switch", Fault.DOWN)
    await desk.deliver()
    assert [by for _, by in desk.board.switches] == ["U9", "U8"]


# --- fine-tunes


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


async def test_progress_and_end_are_separate_messages(desk: DeliveryDesk, bench: FinetuneBench) -> None:
    finetune = await bench.running()
    await desk.deliver()
    for status in ("queued", "running"):
        bench.trainer.set_status("job-0", status)
        await bench.acts.following.follow()
        await desk.deliver()
    assert desk.board.announced == []
    bench.trainer.set_status("job-0", "succeeded", "ft:base:1")
    await bench.acts.following.follow()
    await desk.deliver()
    (shown,) = desk.board.finetunes.values()
    (announced,) = desk.board.announced
    assert shown.state is announced.state is FinetuneState.SUCCEEDED
    assert str(announced.model) == "local/ft:base:1"
    assert (announced.requested_by, announced.id) == ("U9", finetune.id)
    stored = await bench.reload(finetune)
    assert (stored.channel, stored.channel_ts) == ("C9", "0.finetune")
    assert stored.state is FinetuneState.SUCCEEDED, "storing the message's ts changes nothing else"


async def test_end_of_a_finetune_is_retried(desk: DeliveryDesk, bench: FinetuneBench) -> None:
    await bench.running()
    bench.trainer.set_status("job-0", "failed", error="bad data")
    await bench.acts.following.follow()
    desk.board.faults.add("announce_finetune", Fault.DOWN, 2)
    await desk.deliver()
    (announced,) = desk.board.announced
    assert announced.error == "bad data"
    assert len(desk.board.finetunes) == 1
