"""Switching: with a pass of the gate or a recorded sentence, and never over somebody else's switch."""

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
from bot.releases.releasing import OVERRIDE, Attempt, Releasing, add_candidate
from storage.store import SqlStore
from tests.bot.things import CATEGORIES, PROMPT, rows_of
from tests.kits.fakes import MemoryNeighbours, StepClock
from tests.kits.fakes_acts import CountingEstimator

SENTENCE = "the desk asked for it this week"


class Models:
    """Models by name: `base` and `same` always say labor, `good` is always right, and `bad` answers at random."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.random = Random(1)

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        if model.model in self.down:
            raise ModelDown("down")
        right = next((c for c in CATEGORIES if text.startswith(c)), "other")
        said = {"good": right, "bad": self.random.choice(CATEGORIES)}.get(model.model, "labor")
        return Answer(category=said, reason="-", confidence=0.5, tokens_in=5, tokens_out=1)

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        return category


@dataclass
class SwitchDesk:
    """A store with releases, the models behind them, and the acts on them."""

    store: SqlStore
    clock: StepClock
    models: Models
    releasing: Releasing
    evaluating: Evaluating

    async def rows(self, held_out: int) -> None:
        """Store held-out rows of two categories, and a few rows to train on."""
        rows = rows_of(Split.HELD_OUT, "labor", held_out // 2) + rows_of(Split.HELD_OUT, "it", held_out // 2)
        async with self.store.transaction() as tx:
            for one in [*rows, *rows_of(Split.TRAIN, "labor", 3), *rows_of(Split.TRAIN, "it", 3)]:
                await tx.rows.put(one)

    async def candidate(self, model: str) -> Release:
        async with self.store.transaction() as tx:
            name = ModelName(provider="local", model=model)
            return await add_candidate(tx, self.clock.now(), name, prompt_id=PROMPT.id, by="U9", why="finetune")

    async def switch(self, release: Release, by: str, sentence: str | None = None) -> Attempt:
        return await self.releasing.switch_if_better(self.evaluating, release, by, sentence=sentence)

    async def serving(self) -> str:
        return (await self.releasing.serving()).model.model


@pytest.fixture
def desk(store: SqlStore, clock: StepClock) -> SwitchDesk:
    models, releasing = Models(), Releasing(store, clock)
    evaluating = Evaluating(
        store,
        models,
        clock,
        neighbours=MemoryNeighbours(),
        estimator=CountingEstimator(),
        per_second={"local": 1e6},
        pauses=(),
    )
    return SwitchDesk(store, clock, models, releasing, evaluating)


async def test_better_release_serves_without_a_note(desk: SwitchDesk) -> None:
    await desk.rows(60)
    made = await desk.switch(await desk.candidate("good"), "U9", sentence="not needed at all")
    assert made.served is not None
    assert made.evaluation.decision is not None
    assert made.evaluation.decision.why is GateReason.BETTER
    assert await desk.serving() == "good"
    async with desk.store.transaction() as tx:
        newest = (await tx.releases.history())[0]
    assert (newest.state, newest.why, newest.note) == (ReleaseState.SERVING, "switch", None)


@pytest.mark.parametrize(
    ("model", "rows", "outcome", "why"),
    [
        ("bad", 60, Outcome.FAILED, GateReason.WORSE),
        ("same", 60, Outcome.NOT_ENOUGH, GateReason.UNCLEAR),
        ("good", 4, Outcome.NOT_ENOUGH, GateReason.UNCLEAR),
        ("good", 0, Outcome.NOT_ENOUGH, GateReason.FEW),
    ],
)
async def test_without_a_pass_nothing_changes(
    desk: SwitchDesk, model: str, rows: int, outcome: Outcome, why: GateReason
) -> None:
    await desk.rows(rows)
    if model == "bad":
        await desk.switch(await desk.candidate("good"), "U9")
    before = await desk.serving()
    made = await desk.switch(await desk.candidate(model), "U9")
    assert made.served is None
    assert made.evaluation.decision is not None
    assert (made.evaluation.decision.outcome, made.evaluation.decision.why) == (outcome, why)
    assert await desk.serving() == before


async def test_equal_release_passes_with_three_hundred_rows(desk: SwitchDesk) -> None:
    await desk.rows(300)
    made = await desk.switch(await desk.candidate("same"), "U9")
    assert made.evaluation.decision is not None
    assert (made.evaluation.decision.why, made.served is not None) == (GateReason.NOT_WORSE, True)


async def test_sentence_overrides_and_is_stored_with_author(desk: SwitchDesk) -> None:
    await desk.rows(4)
    made = await desk.switch(await desk.candidate("good"), "U9", sentence=f"  {SENTENCE} ")
    assert made.served is not None
    async with desk.store.transaction() as tx:
        newest = (await tx.releases.history())[0]
        item = await tx.outbox.claim("test", desk.clock.now(), timedelta(minutes=1))
    assert (newest.by, newest.why, newest.note) == ("U9", OVERRIDE, SENTENCE)
    assert item is not None
    assert item.payload == {"by": "U9", "note": SENTENCE}


async def test_short_sentence_is_refused(desk: SwitchDesk) -> None:
    with pytest.raises(Refused) as refused:
        await desk.switch(await desk.candidate("good"), "U9", sentence="because")
    assert refused.value.reason is Reason.SENTENCE_TOO_SHORT
    assert await desk.serving() == "base"


async def test_sentence_allows_switch_when_serving_is_down(desk: SwitchDesk) -> None:
    await desk.rows(60)
    desk.models.down.add("base")
    good = await desk.candidate("good")
    refused = await desk.switch(good, "U9")
    assert refused.served is None
    assert refused.evaluation.decision is not None
    assert refused.evaluation.decision.why is GateReason.UNKNOWN
    assert (await desk.switch(good, "U9", sentence=SENTENCE)).served is not None


async def test_release_that_is_down_never_serves(desk: SwitchDesk) -> None:
    desk.models.down.add("good")
    with pytest.raises(ModelDown):
        await desk.switch(await desk.candidate("good"), "U9", sentence=SENTENCE)
    assert await desk.serving() == "base"


async def test_switch_to_serving_release_is_refused(desk: SwitchDesk) -> None:
    with pytest.raises(Refused) as refused:
        await desk.switch(await desk.releasing.serving(), "U9")
    assert refused.value.reason is Reason.ALREADY_SERVING


async def test_decision_is_void_after_another_switch(desk: SwitchDesk) -> None:
    await desk.rows(60)
    one, other = await desk.candidate("good"), await desk.candidate("good")
    made = await asyncio.gather(desk.switch(one, "U8"), desk.switch(other, "U9"), return_exceptions=True)
    refused = [error for error in made if isinstance(error, Refused)]
    assert [error.reason for error in refused] == [Reason.SERVING_CHANGED]
