import asyncio
import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.domain.dataset import Manifest
from bot.domain.finetune import Estimate, FinetuneState
from bot.domain.fold import OutOfFold
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.ports import Store
from tests.storage.things import NOW, PROMPT, finetune, manifest


@pytest.fixture
async def prepared(store: Store) -> Store:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.datasets.put(manifest(), NOW)
    return store


async def test_finetune_is_read_as_written(prepared: Store) -> None:
    full = finetune("f2", FinetuneState.SUCCEEDED).model_copy(
        update={
            "estimate": Estimate(rows=1, tokens=2, epochs=3, usd=None, price_date=None),
            "file_id": "file-1",
            "job_id": "job-1",
            "model": ModelName.parse("other/ft:small/model:1"),
            "error": "none \0",
            "progress": "step 3 of 9",
            "searched": 2,
            "channel": "C1",
            "channel_ts": "5.1",
        }
    )
    async with prepared.transaction() as transaction:
        await transaction.finetunes.add(finetune())
        await transaction.finetunes.add(full)
        assert await transaction.finetunes.get("f1") == finetune()
        assert await transaction.finetunes.get("f2") == full.model_copy(
            update={"error": "none \N{REPLACEMENT CHARACTER}"}
        )
        assert await transaction.finetunes.get("unknown") is None


async def test_newest_and_under_way_select_by_state(prepared: Store) -> None:
    async with prepared.transaction() as transaction:
        for n, state in enumerate(FinetuneState):
            await transaction.finetunes.add(finetune(f"f{n}", state))
        newest = [kept.state for kept in await transaction.finetunes.newest()]
        assert newest == [*reversed(FinetuneState)][:-1], "all but the planned one"
        assert [kept.state for kept in await transaction.finetunes.newest(2)] == newest[:2]
        assert [kept.state for kept in await transaction.finetunes.under_way()] == [
            FinetuneState.CONFIRMED,
            FinetuneState.CREATING,
            FinetuneState.RUNNING,
        ]


async def test_concurrent_confirmations_have_one_winner(prepared: Store) -> None:
    async with prepared.transaction() as transaction:
        await transaction.finetunes.add(finetune())

    async def confirm(n: int) -> bool:
        confirmed = finetune(state=FinetuneState.CONFIRMED).model_copy(
            update={"updated_at": NOW + timedelta(seconds=n), "progress": f"by {n}"}
        )
        async with prepared.transaction() as transaction:
            return await transaction.finetunes.advance(confirmed, FinetuneState.PLANNED)

    won = await asyncio.gather(*(confirm(n) for n in range(5)))
    assert won.count(True) == 1
    async with prepared.transaction() as transaction:
        kept = await transaction.finetunes.get("f1")
        assert kept is not None
        assert kept.progress == f"by {won.index(True)}"
        assert not await transaction.finetunes.advance(finetune("unknown"), FinetuneState.PLANNED)


async def take(turns: Iterator[int]) -> None:
    while True:
        next(turns)
        await asyncio.sleep(0)


async def test_many_trained_rows_are_kept(prepared: Store) -> None:
    many = {f"row{n}": f"質問{n}" for n in range(2500)}
    async with prepared.transaction() as transaction:
        await transaction.finetunes.add(finetune())
        await transaction.finetunes.add(finetune("f2"))
        turns = itertools.count()
        others = asyncio.create_task(take(turns))
        await transaction.finetunes.save_rows("f1", many)
        others.cancel()
        assert next(turns) >= 2, "others get their turns while many rows are written"
        await transaction.finetunes.save_rows("f2", {})
        assert await transaction.finetunes.trained_rows("f1") == many
        assert await transaction.finetunes.trained_rows("f2") == {}


async def test_out_of_fold_answers_are_kept_by_row(prepared: Store) -> None:
    answer = OutOfFold(finetune_id="f1", row_id="b", fold=2, category="it", confidence=0.75, apart=True)
    other = answer.model_copy(update={"row_id": "a", "confidence": None, "apart": False})
    async with prepared.transaction() as transaction:
        await transaction.finetunes.add(finetune())
        await transaction.finetunes.add(finetune("f2").model_copy(update={"model": ModelName.parse("local/ft:x")}))
        await transaction.finetunes.save_out_of_fold([answer, other])
        await transaction.finetunes.save_out_of_fold([answer])
        await transaction.finetunes.save_out_of_fold([])
        assert await transaction.finetunes.out_of_fold("f1") == [other, answer]
        assert await transaction.finetunes.out_of_fold("f2") == []
        assert [one.id for one in await transaction.finetunes.that_made(ModelName.parse("local/ft:x"))] == ["f2"]
        assert await transaction.finetunes.that_made(ModelName.parse("local/base")) == []


async def test_stored_prompt_takes_over_a_new_owner(store: Store) -> None:
    owned: Prompt = PROMPT.with_default_owner("S9")
    assert owned != PROMPT
    async with store.transaction() as transaction:
        assert await transaction.prompts.get(PROMPT.id) is None
        await transaction.prompts.put(PROMPT)
        assert await transaction.prompts.get(PROMPT.id) == PROMPT
        await transaction.prompts.put(owned)
        assert await transaction.prompts.get(PROMPT.id) == owned


async def test_first_manifest_of_a_dataset_stays(prepared: Store) -> None:
    async with prepared.transaction() as transaction:
        await transaction.datasets.put(manifest().model_copy(update={"held_out": 99}), NOW)
        kept = await transaction.datasets.get("d1")
        assert kept == manifest()
        assert isinstance(kept, Manifest)
        assert list(kept.per_category) == ["other", "labor"]
        assert await transaction.datasets.get("unknown") is None
