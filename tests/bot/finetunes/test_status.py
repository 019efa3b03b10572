"""The status: the serving release, its training rows, and open work."""

from datetime import timedelta

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.correction import Press
from bot.domain.dataset import Split
from bot.domain.release import ReleaseState
from bot.finetunes.budget import Spending
from bot.finetunes.status import Reporting
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, PROMPT, arrival, row, rows_of
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer, FakeTrainer
from tests.kits.finetune_bench import ENOUGH_ROWS, FinetuneBench


@pytest.fixture
def reporting(store: SqlStore, clock: StepClock) -> Reporting:
    return Reporting(store, clock, Spending(CountingEstimator(), clock), RowNeighbours(store))


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


async def test_status_of_a_new_database(reporting: Reporting, clock: StepClock) -> None:
    status = await reporting.status()
    assert (status.serving.model, status.serving_since, status.prompt) == (BASE, clock.now(), PROMPT)
    assert (status.questions, status.rows, status.trained, status.untrained) == (0, {}, 0, 0)
    assert (status.finetunes, status.inbox_open, status.outbox_open, status.outbox_age) == ([], 0, 0, timedelta())


async def test_status_fails_before_a_release_serves(fresh: Fresh, clock: StepClock) -> None:
    database = Database(fresh())
    try:
        store = SqlStore(database)
        reporting = Reporting(store, clock, Spending(CountingEstimator(), clock), RowNeighbours(store))
        with pytest.raises(LookupError):
            await reporting.status()
    finally:
        await database.close()


async def test_questions_and_open_work_are_counted(
    reporting: Reporting, store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock
) -> None:
    desk = AnswerDesk(store, model, board, clock)
    await desk.ask(arrival())
    assert await desk.answering.receive(arrival(n=2))
    (question,) = board.cards
    await Correcting(store, MemoryNeighbours(), clock).settle(
        Press(question_id=question, category=None, seen=0, by="U2")
    )
    clock.advance(minutes=3)
    status = await reporting.status()
    assert (status.questions, status.inbox_open) == (1, 1)
    assert (status.outbox_open, status.outbox_age) == (1, timedelta(minutes=3))
    assert sum(map(sum, status.rows.values())) == 1


async def test_trained_and_untrained_rows_are_counted_apart(
    reporting: Reporting, bench: FinetuneBench, clock: StepClock
) -> None:
    clock.advance(minutes=1)
    await bench.running()
    bench.trainer.set_status("job-0", "succeeded", "ft:base:1")
    await bench.acts.following.follow()
    before = await reporting.status()
    assert (before.trained, before.untrained) == (0, 12)
    (candidate,) = await bench.candidates()
    clock.advance(minutes=1)
    await Releasing(bench.store, clock).switch(candidate.id, "U9")
    after = await reporting.status()
    assert (after.trained, after.untrained) == (12, 0)
    assert after.serving == candidate.model_copy(update={"state": ReleaseState.SERVING})
    assert after.serving_since == clock.now()
    assert after.rows == {"it": (6, 0), "labor": (6, 0), "other": (0, 2)}
    assert [finetune.id for finetune in after.finetunes] == [candidate.finetune_id]
    clock.advance(minutes=1)
    settled_again = ENOUGH_ROWS[0].model_copy(update={"settled_at": clock.now(), "category": "other"})
    await bench.add([settled_again, *rows_of(Split.TRAIN, "labor", 7)[6:], row("一つ", row_id="new")])
    later = await reporting.status()
    assert later.trained == 11
    assert later.trained + later.untrained == sum(train for train, _ in later.rows.values())


async def test_repeated_question_is_counted_once(reporting: Reporting, bench: FinetuneBench, clock: StepClock) -> None:
    """Only the newest of equal questions is exported, so an older one would count as untrained for ever."""
    clock.advance(minutes=1)
    await bench.add([ENOUGH_ROWS[0].model_copy(update={"id": "asked again", "text": ENOUGH_ROWS[0].text + "？"})])
    await bench.running()
    bench.trainer.set_status("job-0", "succeeded", "ft:base:1")
    await bench.acts.following.follow()
    await Releasing(bench.store, clock).switch((await bench.candidates())[0].id, "U9")
    status = await reporting.status()
    assert (status.trained, status.untrained) == (12, 0)


async def test_disagreements_are_counted_per_category_pair(
    reporting: Reporting, store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock
) -> None:
    """Disagreements are corrections of one question by two people, and open conflicts between questions."""
    desk, correcting = AnswerDesk(store, model, board, clock), Correcting(store, MemoryNeighbours(), clock)
    assert (await reporting.status()).disagreements == []
    await desk.ask(arrival())
    (question,) = board.cards
    for seen, (category, by) in enumerate([("labor", "U2"), ("it", "U3"), ("labor", "U2"), ("it", "U2")]):
        await correcting.settle(Press(question_id=question, category=category, seen=seen, by=by))
    assert (await reporting.status()).disagreements == [("it", "labor", 2)], (
        "changing one's own mind is no disagreement"
    )
    async with store.transaction() as tx:
        for n, category in enumerate(["other", "labor", "labor"]):
            await tx.rows.put(row("同じ質問" + "？" * n, category, row_id=f"r{n}"))
    assert (await reporting.status()).disagreements == [("it", "labor", 2), ("labor", "other", 1)]
