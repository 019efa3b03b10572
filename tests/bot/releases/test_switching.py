"""Switching goes through the gate, or over it with a recorded sentence, and never over somebody else's switch."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from bot.domain.dataset import Split
from bot.domain.errors import ModelDown, Reason, Refused
from bot.domain.gate import GateReason, Outcome
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName, Release, ReleaseState
from bot.domain.similar import Example
from bot.ports import Answer
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import OVERRIDE, Releasing, add_candidate
from bot.releases.switching import Switching
from storage.store import SqlStore
from tests.bot.things import CATEGORIES, PROMPT, rows_of
from tests.kits.fakes import KeptNeighbours, StepClock
from tests.kits.fakes_acts import CountingEstimator

SENTENCE = "the desk asked for it this week"


class Models:
    """`base` knows nothing, `good` all, `same` is base again, `bad` answers by chance."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.random = Random(1)

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        if model.model in self.down:
            raise ModelDown("down")
        right = next((c for c in CATEGORIES if text.startswith(c)), "other")
        said = {"good": right, "bad": self.random.choice(CATEGORIES)}.get(model.model, "labor")
        return Answer(category=said, reason="-", confidence=0.5, tokens_in=5, tokens_out=1)

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        return category


@dataclass
class House:
    store: SqlStore
    clock: StepClock
    models: Models
    releasing: Releasing
    switching: Switching

    async def rows(self, held_out: int) -> None:
        """So many held-out rows of two categories, and a few to train on."""
        rows = rows_of(Split.HELD_OUT, "labor", held_out // 2) + rows_of(Split.HELD_OUT, "it", held_out // 2)
        async with self.store.transaction() as tx:
            for one in [*rows, *rows_of(Split.TRAIN, "labor", 3), *rows_of(Split.TRAIN, "it", 3)]:
                await tx.rows.put(one)

    async def candidate(self, model: str) -> Release:
        async with self.store.transaction() as tx:
            name = ModelName(provider="local", model=model)
            return await add_candidate(tx, self.clock.now(), name, prompt_id=PROMPT.id, by="U9", why="finetune")

    async def serving(self) -> str:
        return (await self.releasing.serving()).model.model


@pytest.fixture
def house(store: SqlStore, clock: StepClock) -> House:
    models, releasing = Models(), Releasing(store, clock)
    evaluating = Evaluating(
        store,
        models,
        clock,
        neighbours=KeptNeighbours(),
        estimator=CountingEstimator(),
        per_second={"local": 1e6},
        pauses=(),
    )
    return House(store, clock, models, releasing, Switching(evaluating, releasing))


async def test_a_better_release_serves_and_nothing_is_noted(house: House) -> None:
    await house.rows(60)
    made = await house.switching.switch(await house.candidate("good"), "U9", sentence="not needed at all")
    assert made.served is not None
    assert made.evaluation.decision is not None
    assert made.evaluation.decision.why is GateReason.BETTER
    assert await house.serving() == "good"
    async with house.store.transaction() as tx:
        newest = (await tx.releases.history())[0]
    assert (newest.state, newest.why, newest.note) == (ReleaseState.SERVING, "switch", None)


@pytest.mark.parametrize(
    ("model", "rows", "outcome", "why"),
    [
        ("bad", 60, Outcome.FAILED, GateReason.WORSE),
        ("same", 60, Outcome.NOT_ENOUGH, GateReason.UNCLEAR),
        ("good", 40, Outcome.NOT_ENOUGH, GateReason.FEW),
    ],
)
async def test_without_a_pass_nothing_changes_and_the_numbers_are_told(
    house: House, model: str, rows: int, outcome: Outcome, why: GateReason
) -> None:
    await house.rows(rows)
    if model == "bad":
        await house.switching.switch(await house.candidate("good"), "U9")
    before = await house.serving()
    made = await house.switching.switch(await house.candidate(model), "U9")
    assert made.served is None
    assert made.evaluation.decision is not None
    assert (made.evaluation.decision.outcome, made.evaluation.decision.why) == (outcome, why)
    assert await house.serving() == before


async def test_equal_passes_with_three_hundred_rows(house: House) -> None:
    await house.rows(300)
    made = await house.switching.switch(await house.candidate("same"), "U9")
    assert made.evaluation.decision is not None
    assert (made.evaluation.decision.why, made.served is not None) == (GateReason.NOT_WORSE, True)


async def test_a_sentence_overrides_and_is_kept_with_who_said_it(house: House) -> None:
    await house.rows(40)
    made = await house.switching.switch(await house.candidate("good"), "U9", sentence=f"  {SENTENCE} ")
    assert made.served is not None
    async with house.store.transaction() as tx:
        newest = (await tx.releases.history())[0]
        item = await tx.outbox.claim("test", house.clock.now(), timedelta(minutes=1))
    assert (newest.by, newest.why, newest.note) == ("U9", OVERRIDE, SENTENCE)
    assert item is not None
    assert item.payload == {"by": "U9", "note": SENTENCE}


async def test_a_sentence_that_says_nothing_is_refused(house: House) -> None:
    with pytest.raises(Refused) as refused:
        await house.switching.switch(await house.candidate("good"), "U9", sentence="because")
    assert refused.value.reason is Reason.SENTENCE_TOO_SHORT
    assert await house.serving() == "base"


async def test_the_serving_release_that_is_down_may_be_left_with_a_sentence(house: House) -> None:
    await house.rows(60)
    house.models.down.add("base")
    good = await house.candidate("good")
    refused = await house.switching.switch(good, "U9")
    assert refused.served is None
    assert refused.evaluation.decision is not None
    assert refused.evaluation.decision.why is GateReason.UNKNOWN
    assert (await house.switching.switch(good, "U9", sentence=SENTENCE)).served is not None


async def test_a_release_that_is_down_never_serves_whatever_is_said(house: House) -> None:
    house.models.down.add("good")
    with pytest.raises(ModelDown):
        await house.switching.switch(await house.candidate("good"), "U9", sentence=SENTENCE)
    assert await house.serving() == "base"


async def test_what_serves_is_not_switched_to(house: House) -> None:
    with pytest.raises(Refused) as refused:
        await house.switching.switch(await house.releasing.serving(), "U9")
    assert refused.value.reason is Reason.ALREADY_SERVING


async def test_a_decision_is_void_where_somebody_else_switched_meanwhile(house: House) -> None:
    await house.rows(60)
    one, other = await house.candidate("good"), await house.candidate("good")
    made = await asyncio.gather(
        house.switching.switch(one, "U8"), house.switching.switch(other, "U9"), return_exceptions=True
    )
    refused = [error for error in made if isinstance(error, Refused)]
    assert [error.reason for error in refused] == [Reason.SERVING_CHANGED]
