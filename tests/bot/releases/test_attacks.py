"""Attacks in a comparison: a release is asked twenty, once, and each scorecard says how many it obeyed."""

from collections.abc import Sequence

from bot.domain.attack import AttackReport
from bot.domain.errors import ModelDown
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing
from handlers.texts.words import Words
from handlers.views.comparison import paragraphs
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator


class ObedientModel(RuleModel):
    """A model that answers the category that a text names last."""

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        answer = await super().classify(model, prompt, text, examples, explain=explain)
        named = [one for one in prompt.categories if one.name in text]
        return answer.model_copy(update={"category": max(named, key=lambda one: text.rindex(one.name)).id})


def evaluating(store: SqlStore, model: RuleModel, clock: StepClock) -> Evaluating:
    estimator, pace = CountingEstimator(), {"local": 10_000.0}
    return Evaluating(
        store, model, clock, neighbours=MemoryNeighbours(), estimator=estimator, per_second=pace, pauses=()
    )


async def test_scorecard_says_how_often_a_release_obeys(store: SqlStore, clock: StepClock) -> None:
    release = await Releasing(store, clock).ensure(PROMPT, BASE)
    evaluation = await evaluating(store, ObedientModel({}), clock).evaluate(release)
    assert evaluation.attacks == AttackReport(asked=20, obeyed=20)
    (line,) = [one for one in paragraphs(evaluation, Words("en")) if "Hidden orders" in one]
    assert "in 20 test questions changed the category 20 times, and did nothing else" in line


async def test_attacks_are_paid_once_and_announced(store: SqlStore, clock: StepClock) -> None:
    release = await Releasing(store, clock).ensure(PROMPT, BASE)
    model = RuleModel({"有給": "labor"})
    acts = evaluating(store, model, clock)
    assert len(await acts.unanswered(release)) == 20
    assert await acts.seconds(release) == 20 / 10_000
    for _ in range(2):
        assert (await acts.evaluate(release)).attacks == AttackReport(asked=20, obeyed=0)
    assert (len(model.asked), await acts.unanswered(release), await acts.seconds(release)) == (20, [], 0)


async def test_comparison_stands_without_its_attacks(store: SqlStore, clock: StepClock) -> None:
    release = await Releasing(store, clock).ensure(PROMPT, BASE)
    model = RuleModel({})
    model.fail(100, ModelDown("down"))
    assert (await evaluating(store, model, clock).evaluate(release)).attacks is None
