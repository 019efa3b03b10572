"""The end of the month's budget at the wire: the embedded model answers, and the admins hear of it once."""

from collections.abc import Sequence

import pytest

from bot.domain.fallback import Fallback
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer, Store
from tests.kits.fakes import RuleModel
from tests.kits.slack_desk import MODEL, WATCHED, SlackDesk, eventually, open_desk, texts

OPS = "C0OPS000001"
PAID = ModelName(provider="openai", model="gpt-6-luna")
USED_UP = "budget of $1.00 is used up"


class PricedModel(RuleModel):
    """A model whose paid answers cost a dollar each. `models` holds the names that were asked."""

    def __init__(self) -> None:
        super().__init__({"laptop": "it"})
        self.models: list[ModelName] = []

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        self.models.append(model)
        answer = await super().classify(model, prompt, text, examples, explain=explain)
        return answer.model_copy(update={"tokens_in": 10_000_000, "tokens_out": 0})


async def ask(desk: SlackDesk, n: int) -> str:
    """Ask a question that memory does not know, and return what its card says."""
    emily = await desk.emily()
    card = await emily.answer(await emily.say(WATCHED, f"my laptop is broken {chr(97 + n) * 6}"))
    await desk.settled()
    return texts(card)


async def told(desk: SlackDesk) -> list[str]:
    yuko = await desk.window(desk.server.people.admin)
    return [said for m in await yuko.history(OPS) if USED_UP in (said := texts(m))]


async def test_free_model_answers_once_the_budget_is_spent(store: Store) -> None:
    model = PricedModel()
    rule = Fallback(model=MODEL, finetuned=True)
    async with open_desk(store, model=model, serving=PAID, fallback=rule, budget_usd=1.0) as desk:
        assert "Provisional" not in await ask(desk, 0)
        desk.clock.advance(seconds=31)
        assert ["Provisional" in await ask(desk, n) for n in (1, 2, 3)] == [True] * 3
        assert model.models == [PAID, MODEL, MODEL, MODEL]
        await eventually(lambda: told(desk))
        assert len(await told(desk)) == 1
        assert "`BOT_BUDGET_USD`" in (await told(desk))[0]

        # Rechecks wait for money, and the next month brings it.
        desk.clock.advance(minutes=5)
        assert "Provisional" in await ask(desk, 4)
        assert model.models.count(PAID) == 1
        desk.clock.advance(days=9)
        await eventually(lambda: rechecked(model))


async def rechecked(model: PricedModel) -> bool:
    return model.models.count(PAID) > 1


async def test_usual_model_goes_on_without_a_fallback(store: Store) -> None:
    model = PricedModel()
    async with open_desk(store, model=model, serving=PAID, budget_usd=1.0) as desk:
        for n in range(3):
            assert "Provisional" not in await ask(desk, n)
            desk.clock.advance(seconds=31)
        assert model.models == [PAID] * 3
        await eventually(lambda: told(desk))
        assert "`BOT_FALLBACK=none`" in (await told(desk))[0]


@pytest.mark.parametrize("fallback", [ModelName(provider="acme", model="other"), MODEL])
async def test_fallback_at_the_end_is_the_embedded_model(store: Store, fallback: ModelName) -> None:
    model = PricedModel()
    rule = Fallback(model=fallback)
    async with open_desk(store, model=model, serving=PAID, fallback=rule, budget_usd=1.0) as desk:
        await ask(desk, 0)
        desk.clock.advance(seconds=31)
        assert "Provisional" in await ask(desk, 1)
        assert model.models == [PAID, MODEL]


async def test_free_model_is_never_replaced(store: Store) -> None:
    model = PricedModel()
    async with open_desk(store, model=model, serving=MODEL, budget_usd=0.0) as desk:
        assert "Provisional" not in await ask(desk, 0)
        assert await told(desk) == []
