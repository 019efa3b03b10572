from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.prompt import PromptEvent, PromptWhy
from bot.ports import Store
from tests.storage.things import NOW, PROMPT


async def test_prompt_history_is_read_newest_first(store: Store) -> None:
    first = PromptEvent(prompt_id=PROMPT.id, why=PromptWhy.CONFIGURED, by="madoguchi", at=NOW, folder="hash")
    second = PromptEvent(prompt_id=PROMPT.id, why=PromptWhy.EDITED, by="U9", at=NOW + timedelta(seconds=1))
    async with store.transaction() as transaction:
        assert await transaction.prompts.history() == []
        await transaction.prompts.put(PROMPT)
        await transaction.prompts.enter(second.model_copy(update={"at": NOW}))
        await transaction.prompts.enter(first)
        await transaction.prompts.enter(second)
        history = await transaction.prompts.history()
    assert history == [second, first, second.model_copy(update={"at": NOW})]


async def test_unstored_prompt_cannot_become_current(store: Store) -> None:
    with pytest.raises(IntegrityError):
        async with store.transaction() as transaction:
            await transaction.prompts.enter(PromptEvent(prompt_id="0" * 64, why=PromptWhy.EDITED, by="U9", at=NOW))
