import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from bot.domain.release import ReleaseEvent, ReleaseState
from bot.ports import Store
from storage.database import Database
from storage.store import SqlStore
from storage.tables import releases
from tests.storage.conftest import MakeDatabase
from tests.storage.things import NOW, PROMPT, finetune, manifest, release

LATER = NOW + timedelta(hours=1)


async def test_release_is_read_as_written(store: Store) -> None:
    tuned = release("r2").model_copy(update={"finetune_id": "f1", "state": ReleaseState.SHADOW})
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.datasets.put(manifest(), NOW)
        await transaction.finetunes.add(finetune())
        await transaction.finetunes.save_rows("f1", {"q1": "one", "q2": "two"})
        first = await transaction.releases.add(release(), "U3", "first")
        second = await transaction.releases.add(tuned, "U3", "trained")
        assert first == release().model_copy(update={"version": 1})
        assert second == tuned.model_copy(update={"version": 2, "examples": 2})
        assert await transaction.releases.get("r1") == first
        assert await transaction.releases.get("r2") == second
        assert await transaction.releases.get("unknown") is None
        assert await transaction.releases.all() == [second, first]
        assert await transaction.releases.serving() is None


async def test_switch_changes_states_and_writes_history(store: Store) -> None:
    serving = release(state=ReleaseState.SERVING)
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        serving = await transaction.releases.add(serving, "U3", "first")
        candidate = await transaction.releases.add(release("r2"), "U3", "trained")
        assert await transaction.releases.serving(lock=True) == serving
        await transaction.releases.enter("r1", ReleaseState.RETIRED, "U4", "switch", LATER)
        await transaction.releases.enter("r2", ReleaseState.SERVING, "U4", "switch", LATER)
        assert await transaction.releases.serving() == candidate.model_copy(update={"state": ReleaseState.SERVING})

        def switch_event(release_id: str, state: ReleaseState) -> ReleaseEvent:
            return ReleaseEvent(release_id=release_id, state=state, by="U4", why="switch", at=LATER)

        history = await transaction.releases.history()
        assert history[:2] == [switch_event("r2", ReleaseState.SERVING), switch_event("r1", ReleaseState.RETIRED)]
        assert [(event.release_id, event.state, event.at) for event in history[2:]] == [
            ("r2", ReleaseState.CANDIDATE, NOW),
            ("r1", ReleaseState.SERVING, NOW),
        ]
        assert await transaction.releases.history(1) == history[:1]


async def test_asked_releases_are_read_with_prompts(store: Store) -> None:
    other = PROMPT.model_copy(update={"id": "p2", "text": "Answer in one word."})
    async with store.transaction() as transaction:
        for prompt in (PROMPT, other):
            await transaction.prompts.put(prompt)
        await transaction.releases.add(release("r0"), "U3", "first")
        assert await transaction.releases.asked() == {}
        serving = await transaction.releases.add(release(state=ReleaseState.SERVING), "U3", "first")
        assert await transaction.releases.asked() == {ReleaseState.SERVING: (serving, PROMPT)}
        tried = release("r2", ReleaseState.SHADOW).model_copy(update={"prompt_id": other.id})
        shadow = await transaction.releases.add(tried, "U3", "tried")
        assert await transaction.releases.asked() == {
            ReleaseState.SERVING: (serving, PROMPT),
            ReleaseState.SHADOW: (shadow, other),
        }


async def test_database_refuses_a_second_serving_release(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.releases.add(release(state=ReleaseState.SERVING), "U3", "first")
        await transaction.releases.add(release("r2"), "U3", "trained")
    with pytest.raises(IntegrityError):
        async with store.transaction() as transaction:
            await transaction.releases.enter("r2", ReleaseState.SERVING, "U4", "switch", LATER)
    with pytest.raises(IntegrityError):
        async with store.transaction() as transaction:
            await transaction.releases.add(release("r3", ReleaseState.SERVING), "U4", "switch")
    async with store.transaction() as transaction:
        assert len(await transaction.releases.history()) == 2


async def test_unknown_release_cannot_change_its_state(store: Store) -> None:
    with pytest.raises(IntegrityError):
        async with store.transaction() as transaction:
            await transaction.releases.enter("unknown", ReleaseState.SHADOW, "U4", "switch", LATER)


@pytest.mark.parametrize("served_before", [False, True])
async def test_concurrent_switches_run_one_after_another(make_migrated: MakeDatabase, *, served_before: bool) -> None:
    url = make_migrated()
    replicas = [Database(url), Database(url)]
    async with SqlStore(replicas[0]).transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        for n in range(6):
            serves = served_before and n == 5
            state = ReleaseState.SERVING if serves else ReleaseState.CANDIDATE
            await transaction.releases.add(release(f"r{n}", state), "U3", "made")

    async def switch(n: int) -> None:
        async with SqlStore(replicas[n % 2]).transaction() as transaction:
            serving = await transaction.releases.serving(lock=True)
            await asyncio.sleep(0.005)
            if serving:
                await transaction.releases.enter(serving.id, ReleaseState.RETIRED, "U4", "switch", LATER)
            await transaction.releases.enter(f"r{n}", ReleaseState.SERVING, "U4", "switch", LATER)

    await asyncio.gather(*(switch(n) for n in range(5)))
    async with SqlStore(replicas[0]).transaction() as transaction:
        states = [kept.state for kept in await transaction.releases.all()]
    assert states.count(ReleaseState.SERVING) == 1
    assert states.count(ReleaseState.RETIRED) == (5 if served_before else 4)
    for replica in replicas:
        await replica.close()


async def test_concurrent_releases_never_share_a_version(make_migrated: MakeDatabase) -> None:
    url = make_migrated()
    replicas = [Database(url), Database(url)]
    async with SqlStore(replicas[0]).transaction() as transaction:
        await transaction.prompts.put(PROMPT)

    async def add(n: int) -> str:
        async with SqlStore(replicas[n % 2]).transaction() as transaction:
            added = await transaction.releases.add(release(f"r{n}"), "U3", "made")
            await asyncio.sleep(0.005)
            return added.name

    names = await asyncio.gather(*(add(n) for n in range(6)))
    assert sorted(names) == [f"v{n}" for n in range(1, 7)]
    for replica in replicas:
        await replica.close()


async def test_shadow_is_the_release_in_that_state(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        added = await transaction.releases.add(release(), "U3", "first")
        assert await transaction.releases.shadow() is None
        await transaction.releases.enter("r1", ReleaseState.SHADOW, "U4", "shadow", LATER)
        assert await transaction.releases.shadow() == added.model_copy(update={"state": ReleaseState.SHADOW})


async def test_threshold_keeps_its_revision_until_it_changes(store: Store, database: Database) -> None:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.releases.add(release(), "U3", "first")
        for threshold, revision in (
            (0.62, "fp_2_acme/m@1"),
            (0.1 + 0.2, "fp_2_none"),
            (0.5, None),
            (None, "fp_2_none"),
        ):
            await transaction.releases.set_unsure_below("r1", threshold, revision)
            kept = await transaction.releases.get("r1")
            assert kept
            assert (kept.unsure_below, kept.unsure_revision) == (threshold, revision if threshold else None)
        await transaction.releases.set_unsure_below("r1", 0.62, "fp_2_none")
    async with database.begin() as connection:  # as a replica of an earlier version does
        await connection.execute(update(releases).values(unsure_below=0.4))
    async with store.transaction() as transaction:
        kept = await transaction.releases.get("r1")
        assert kept
        assert (kept.unsure_below, kept.unsure_revision) == (0.4, None)
        full = release("r2").model_copy(update={"unsure_below": 0.7, "unsure_revision": "fp_3"})
        added = await transaction.releases.add(full, "U3", "again")
        assert await transaction.releases.get("r2") == added
