from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.batch import OPEN_BATCHES, Batch, BatchState
from bot.domain.release import Release, ReleaseState
from bot.ports import Store
from tests.storage.things import BASE, NOW, PROMPT

BATCH = Batch(
    id="b1",
    release_id="r1",
    state=BatchState.CREATING,
    requested_by="U1",
    language="ja",
    channel="C1",
    created_at=NOW,
    updated_at=NOW,
)


@pytest.fixture
async def prepared(store: Store) -> Store:
    async with store.transaction() as tx:
        await tx.prompts.put(PROMPT)
        for name in ("r1", "r2"):
            release = Release(id=name, model=BASE, prompt_id=PROMPT.id, state=ReleaseState.CANDIDATE, created_at=NOW)
            await tx.releases.add(release, by="U1", why="test")
    return store


async def test_batch_is_read_as_written_and_advances_once(prepared: Store) -> None:
    later = BATCH.model_copy(
        update={
            "state": BatchState.RUNNING,
            "batch_id": "batch_1",
            "searched": 2,
            "updated_at": NOW + timedelta(seconds=1),
        }
    )
    async with prepared.transaction() as tx:
        await tx.batches.add(BATCH)
        assert await tx.batches.get("b1") == BATCH
        assert await tx.batches.get("unknown") is None
        assert await tx.batches.advance(later, BATCH)
        assert not await tx.batches.advance(BATCH, BATCH)
        assert await tx.batches.get("b1") == later
        assert await tx.batches.open() == [later]


@pytest.mark.parametrize("state", BatchState)
async def test_release_has_one_open_batch(prepared: Store, state: BatchState) -> None:
    async with prepared.transaction() as tx:
        await tx.batches.add(BATCH.model_copy(update={"state": state}))
        await tx.batches.add(BATCH.model_copy(update={"id": "b2", "release_id": "r2"}))
        assert [batch.id for batch in await tx.batches.open()] == (["b1", "b2"] if state in OPEN_BATCHES else ["b2"])
    second = BATCH.model_copy(update={"id": "b3"})
    if state in OPEN_BATCHES:
        with pytest.raises(IntegrityError):
            async with prepared.transaction() as tx:
                await tx.batches.add(second)
    else:
        async with prepared.transaction() as tx:
            await tx.batches.add(second)
