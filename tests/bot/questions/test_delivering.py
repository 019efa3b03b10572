"""What the outbox holds reaches people: at least once, in order, however often Slack fails."""

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
from tests.kits.fakes import KeptNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import Board, Fault, KeepingTrainer
from tests.kits.finetune_bench import FinetuneBench
from tests.kits.post import DeliveryDesk


@pytest.fixture
def post(store: SqlStore, board: Board, clock: StepClock) -> DeliveryDesk:
    return DeliveryDesk(store, board, clock)


@pytest.fixture
async def card(store: SqlStore, model: RuleModel, board: Board, clock: StepClock) -> Card:
    await AnswerDesk(store, model, board, clock).ask(arrival())
    ((card,),) = board.cards.values()
    return card


@pytest.fixture
def correcting(store: SqlStore, clock: StepClock) -> Correcting:
    return Correcting(store, KeptNeighbours(), clock)


def press(card: Card, category: str, seen: int = 0) -> Press:
    return Press(question_id=card.question.id, category=category, seen=seen, by="U2")


async def test_a_card_shows_what_was_settled(post: DeliveryDesk, card: Card, correcting: Correcting) -> None:
    settled = await correcting.settle(press(card, "it"))
    assert await post.deliver() == 1
    shown = post.board.cards[card.question.id][-1]
    assert (shown.settled, shown.seen) == (settled.settled, 1)
    assert await post.delivering.deliver_next() is False


async def test_the_newest_is_shown_whichever_entry_brings_it(
    post: DeliveryDesk, card: Card, correcting: Correcting
) -> None:
    await correcting.settle(press(card, "it"))
    await correcting.settle(press(card, "other", seen=1))
    assert await post.delivering.deliver_next()
    shown = post.board.cards[card.question.id][-1]
    assert shown.settled is not None
    assert shown.settled.category == "other"


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_an_update_that_fails_is_tried_until_it_succeeds(
    post: DeliveryDesk, card: Card, correcting: Correcting, fault: Fault
) -> None:
    await correcting.settle(press(card, "it"))
    post.board.faults.add("update_card", fault, 7)
    assert await post.deliver() == 8
    assert post.board.cards[card.question.id][-1].seen == 1


async def test_waits_grow_and_never_beyond_the_longest(post: DeliveryDesk, card: Card, correcting: Correcting) -> None:
    await correcting.settle(press(card, "it"))
    post.board.faults.add("update_card", Fault.DOWN, 12)
    assert await post.delivering.deliver_next()
    for wait in (2, 4, 8, 16, 32, 64, 128, 256, *[LONGEST_DELIVERY_WAIT.total_seconds()] * 4):
        post.clock.advance(seconds=wait - 1)
        assert not await post.delivering.deliver_next()
        post.clock.advance(seconds=1)
        assert await post.delivering.deliver_next()
    assert (await post.lag())[0] == 0


async def test_what_slack_will_never_take_is_let_go(
    post: DeliveryDesk, card: Card, correcting: Correcting, caplog: pytest.LogCaptureFixture
) -> None:
    await correcting.settle(press(card, "it"))
    post.board.faults.add("update_card", Fault.REFUSED)
    assert await post.deliver() == 1
    assert "never take it" in caplog.text


async def test_a_fault_of_ours_loses_nothing(
    post: DeliveryDesk, card: Card, correcting: Correcting, caplog: pytest.LogCaptureFixture
) -> None:
    await correcting.settle(press(card, "it"))
    shown = post.board.cards.pop(card.question.id)
    assert await post.delivering.deliver_next()
    assert "KeyError" in caplog.text
    post.board.cards[card.question.id] = shown
    await post.deliver()
    assert shown[-1].seen == 1


async def test_a_worker_that_died_is_followed_by_another(
    post: DeliveryDesk, card: Card, correcting: Correcting
) -> None:
    await correcting.settle(press(card, "it"))
    post.board.faults.add("update_card", Fault.KILLED)
    with pytest.raises(asyncio.CancelledError):
        await post.worker().deliver_next()
    assert not await post.delivering.deliver_next()
    post.clock.advance(seconds=DELIVERY_LEASE.total_seconds())
    assert await post.deliver() == 1


async def test_a_switch_is_announced_with_who_did_it(post: DeliveryDesk) -> None:
    async with post.store.transaction() as tx:
        candidate = await add_candidate(tx, post.clock.now(), BASE, prompt_id=PROMPT.id, by="U9", why="test")
    await Releasing(post.store, post.clock).switch(candidate.id, "U9")
    await post.deliver()
    assert post.board.switches == [(candidate.id, "U9")]


async def test_a_switch_is_not_taken_for_an_earlier_one_whose_number_came_again(post: DeliveryDesk) -> None:
    """SQLite counts from one again when the outbox was empty."""
    async with post.store.transaction() as tx:
        candidate = await add_candidate(tx, post.clock.now(), BASE, prompt_id=PROMPT.id, by="U9", why="test")
    releasing = Releasing(post.store, post.clock)
    await releasing.switch(candidate.id, "U9")
    await post.deliver()
    post.clock.advance(seconds=1)
    await releasing.rollback("U8")
    post.board.faults.add("announce_switch", Fault.DOWN)
    await post.deliver()
    assert [by for _, by in post.board.switches] == ["U9", "U8"]


# --- fine-tunes


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: KeepingTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


async def test_progress_is_one_message_and_the_end_another(post: DeliveryDesk, bench: FinetuneBench) -> None:
    finetune = await bench.running()
    await post.deliver()
    for status in ("queued", "running"):
        bench.trainer.say("job-0", status)
        await bench.acts.following.follow()
        await post.deliver()
    assert post.board.announced == []
    bench.trainer.say("job-0", "succeeded", "ft:base:1")
    await bench.acts.following.follow()
    await post.deliver()
    (shown,) = post.board.finetunes.values()
    (told,) = post.board.announced
    assert shown.state is told.state is FinetuneState.SUCCEEDED
    assert str(told.model) == "local/ft:base:1"
    assert (told.requested_by, told.id) == ("U9", finetune.id)
    kept = await bench.now(finetune)
    assert (kept.channel, kept.channel_ts) == ("C9", "0.finetune")
    assert kept.state is FinetuneState.SUCCEEDED, "where it is shown changes nothing else"


async def test_an_end_that_could_not_be_told_is_told_later(post: DeliveryDesk, bench: FinetuneBench) -> None:
    await bench.running()
    bench.trainer.say("job-0", "failed", error="bad data")
    await bench.acts.following.follow()
    post.board.faults.add("announce_finetune", Fault.DOWN, 2)
    await post.deliver()
    (told,) = post.board.announced
    assert told.error == "bad data"
    assert len(post.board.finetunes) == 1
