"""Reasons that a model copies from somebody else's question: nobody reads them, wherever reasons are shown."""

from collections.abc import AsyncIterator, Sequence

import pytest

from bot.domain.audience import Audience
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer, Store
from handlers.views.ids import CORRECT_OPEN
from tests.bot.things import row
from tests.kits.fakes import RuleModel
from tests.kits.slack_desk import SlackDesk, asked, card, kept, open_desk, texts, whispered

SECRET = "the merger with Hammerhead Shark Ltd is announced in May"
WHY = "why_this_answer"


class Parrot(RuleModel):
    """A model that gives as its reason what it was trained on."""

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        answer = await super().classify(model, prompt, text, examples, explain=explain)
        return answer.model_copy(update={"reason": f"As somebody asked before: {SECRET.upper()}"})

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        return f"Similar laptop question, {SECRET}"


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[SlackDesk]:
    parrot = Parrot({"laptop": "it"})
    async with open_desk(store, model=parrot, judged=parrot) as desk:
        secret = row(SECRET, "labor").model_copy(update={"audience": Audience.PRIVATE, "channel": "G0SECRET"})
        async with store.transaction() as tx:
            await tx.rows.put(secret)
        yield desk


async def test_copied_reason_becomes_neutral_everywhere(desk: SlackDesk) -> None:
    ts, emily, priya = await asked(desk), await desk.emily(), await desk.priya()
    shown = await card(emily, ts)
    assert "hammerhead" not in texts(shown).casefold()
    question = await kept(desk, ts)
    async with desk.store.transaction() as tx:
        verdict = await tx.questions.verdict(question.id)
    assert verdict is not None
    assert verdict.reason == "computers", "the rule of the category"
    for person in (emily, priya):
        await person.shortcut(WHY, shown)
        assert "hammerhead" not in texts(await person.message(whispered("Why IT?"))).casefold()


async def test_copied_draft_is_not_suggested(desk: SlackDesk) -> None:
    ts = await asked(desk)
    drafted = await desk.acts.drafting.reason((await kept(desk, ts)).id, "labor")
    assert drafted == "leave", "the rule of the category"
    priya = await desk.priya()
    await priya.press(await card(priya, ts), CORRECT_OPEN)
    assert "hammerhead" not in texts(await priya.view()).casefold()
