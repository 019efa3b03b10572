"""A score is of all held-out rows or of none, and is never paid for twice."""

import asyncio
from typing import Any

import pytest

from bot.domain.dataset import Split
from bot.domain.errors import ModelDown, ModelRefused
from bot.domain.release import Release
from bot.evaluating import Evaluating
from bot.ports import Answer
from bot.releasing import Releasing
from storage.store import SqlStore
from tests.bot.things import row, rows_of
from tests.fakes import RuleModel, StepClock

HELD_OUT = [*rows_of(Split.HELD_OUT, "labor", 3), *rows_of(Split.HELD_OUT, "it", 2)]


@pytest.fixture
def model() -> RuleModel:
    return RuleModel({"labor": "labor"})


@pytest.fixture
async def release(store: SqlStore, clock: StepClock) -> Release:
    async with store.transaction() as tx:
        for one in [*HELD_OUT, *rows_of(Split.TRAIN, "labor", 4)]:
            await tx.rows.put(one)
    return await Releasing(store, clock).serving()


@pytest.fixture
def evaluating(store: SqlStore, model: RuleModel, clock: StepClock) -> Evaluating:
    return Evaluating(store, model, clock)


async def test_a_score_counts_the_held_out_rows_that_are_right(
    evaluating: Evaluating, release: Release, model: RuleModel
) -> None:
    card = await evaluating.score(release)
    assert (card.rows, card.right, card.release_id) == (5, 3, release.id)
    assert card.accuracy == pytest.approx(0.6)
    assert sorted(model.asked) == sorted(one.text for one in HELD_OUT)


async def test_the_same_rows_are_not_paid_for_twice(
    evaluating: Evaluating, release: Release, model: RuleModel, store: SqlStore
) -> None:
    first = await evaluating.score(release)
    assert await evaluating.score(release) == first
    assert len(model.asked) == 5
    async with store.transaction() as tx:
        await tx.rows.put(HELD_OUT[0].model_copy(update={"category": "it"}))
    second = await evaluating.score(release)
    assert (second.rows, second.right) == (5, 2)
    assert second.rows_key != first.rows_key


async def test_a_question_that_stands_twice_counts_once_as_it_was_settled_last(
    evaluating: Evaluating, release: Release, store: SqlStore
) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(row(HELD_OUT[0].text + "？", "other", at=60, row_id="again"))
    card = await evaluating.score(release)
    assert (card.rows, card.right) == (5, 2)


async def test_a_model_that_fails_once_gives_no_score(
    evaluating: Evaluating, release: Release, model: RuleModel
) -> None:
    model.fail(1)
    with pytest.raises(ModelDown):
        await evaluating.score(release)
    assert (await evaluating.score(release)).rows == 5


class SlowModel(RuleModel):
    """A model that lets others have a turn before it answers."""

    async def classify(self, *asked: Any, **more: Any) -> Answer:
        await asyncio.sleep(0)
        return await super().classify(*asked, **more)


async def test_a_score_that_failed_asks_nothing_more(store: SqlStore, release: Release, clock: StepClock) -> None:
    many = rows_of(Split.HELD_OUT, "it", 30)
    async with store.transaction() as tx:
        for one in many:
            await tx.rows.put(one)
    model = SlowModel({})
    model.fail(1)
    with pytest.raises(ModelDown):
        await Evaluating(store, model, clock).score(release)
    asked = len(model.asked)
    for _ in range(len(many) * 2):
        await asyncio.sleep(0)
    assert len(model.asked) == asked < len(many)


async def test_without_held_out_rows_the_score_is_of_nothing(
    store: SqlStore, model: RuleModel, clock: StepClock
) -> None:
    card = await Evaluating(store, model, clock).score(await Releasing(store, clock).serving())
    assert (card.rows, card.accuracy, model.asked) == (0, 0.0, [])


async def test_a_probe_asks_once_and_tells_what_is_wrong(
    evaluating: Evaluating, release: Release, model: RuleModel
) -> None:
    await evaluating.probe(release)
    assert len(model.asked) == 1
    model.fail(1, ModelRefused("no such model"))
    with pytest.raises(ModelRefused, match="no such model"):
        await evaluating.probe(release)
    with pytest.raises(ModelRefused, match="has no prompt"):
        await evaluating.probe(release.model_copy(update={"prompt_id": "gone"}))
    with pytest.raises(ModelRefused, match="has no prompt"):
        await evaluating.score(release.model_copy(update={"id": "new", "prompt_id": "gone"}))
