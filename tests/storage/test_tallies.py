"""Counts by the database equal the counts of all rows read, on both databases."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.dataset.guarding import Guarding, read_aside
from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source, Split, settled_by, usable_rows
from bot.domain.finetune import Finetune
from bot.domain.shares import Look, WhyAside, set_aside
from bot.domain.tally import Counted, count_usable, settlers_of
from bot.ports import Store
from storage import tallies
from storage.database import Database
from storage.store import SqlTransaction
from tests.kits.fakes import StepClock
from tests.storage.plans import plans_of
from tests.storage.things import NOW, PROMPT, finetune, manifest, row

PEOPLE = {"UA": 120, "UB": 30, "UC": 25, "UD": 5}
TEXTS = ("How many days?", "how many days", "HOW MANY DAYS!", "Who pays?", "who pays")


def some_rows(chance: random.Random) -> Iterator[Row]:
    """Yield rows of several people on several days, of which some are imports, private, repeated or alike."""
    for person, n in PEOPLE.items():
        for i in range(n):
            alone = chance.random() < 0.6
            text = f"{person} asks {i}" if alone else chance.choice(TEXTS)
            group = f"{person}{i}" if alone else f"g{'days' in text.lower()}"
            if alone and i % 4 == 0:
                text, group = f"Pair {i}?", f"pair{i}"  # a few people ask it
            late = timedelta(hours=chance.choice([0, 1, 14, 15, 40, 300]), microseconds=chance.choice([0, 7]))
            yield row(f"{person}{i}", chance.choice(["labor", "other"])).model_copy(
                update={
                    "text": text,
                    "group": group,
                    "by": person,
                    "settled_at": NOW + late,
                    "split": Split.HELD_OUT if alone and i % 5 == 0 else Split.TRAIN,
                    "source": Source.IMPORT if chance.random() < 0.1 else Source.AGREE,
                    "audience": chance.choice([Audience.PUBLIC, Audience.PUBLIC, Audience.PRIVATE, Audience.UNKNOWN]),
                    "channel": chance.choice(["C1", None, "D1"]),
                }
            )


async def fill(store: Store, chance: random.Random) -> list[Row]:
    """Store rows, of which some were withdrawn, looked at, learned or never sent; return those that count."""
    made = [*some_rows(chance)]
    async with store.transaction() as tx:
        await tx.rows.put(*made)
        for one in made[::9]:
            await tx.rows.withdraw(one.id, NOW)
        looks = [
            Look(row_id=one.id, settled_at=one.settled_at - late, keep=chance.random() < 0.5, by="U9", at=NOW)
            for one in chance.sample(made, 30)
            for late in [timedelta(seconds=chance.choice([0, 0, 1]))]
        ]
        await tx.looks.put(looks)
        await tx.prompts.put(PROMPT)
        await tx.datasets.put(manifest(), NOW)
        await tx.finetunes.add(trained())
        await tx.finetunes.save_rows("f1", {one.id: one.text for one in chance.sample(made, 60)})
        return [one async for one in tx.rows.all()]


def trained() -> Finetune:
    return finetune().model_copy(update={"created_at": NOW + timedelta(hours=14)})


@pytest.mark.parametrize("seed", range(4))
async def test_counts_are_those_of_all_rows(store: Store, seed: int) -> None:
    every = await fill(store, random.Random(seed))
    contested = {every[0].group, every[7].group, "gTrue" if seed % 2 else "nowhere"}
    made = trained()
    async with store.snapshot() as tx:
        assert [*settlers_of(await tx.rows.kinds(made)).items()] == [*settled_by(every).items()]
        assert await read_aside(tx, len(every)) == set_aside(every, await tx.looks.all())
        left_out = await tx.rows.left_out()
        settled = [one for one in every if one.source is not Source.IMPORT and one.id not in left_out]
        days = Counter((one.by, one.settled_at.date()) for one in settled)
        found = await tx.rows.settled_days()
        assert days == {(person, day): n for person, own in found.items() for day, n in own.items()}
        for fine in (made, None):
            seen = await tx.finetunes.trained_rows(made.id) if fine else {}
            usable = usable_rows([one for one in every if one.split is Split.TRAIN], contested)
            slowly = Counter(
                Counted(one.id in seen and one.settled_at <= made.created_at, one.public) for one in usable
            )
            several = await tx.rows.several(Split.TRAIN, fine)
            groups = contested - {one.group for one in several}
            alone = await tx.rows.in_groups_counted(Split.TRAIN, groups, fine)
            counted = count_usable(await tx.rows.kinds(fine), several, alone, contested)
            assert +counted == slowly
            assert len(slowly) == (4 if fine else 2)


async def test_days_end_at_midnight_in_utc(store: Store) -> None:
    late = NOW.replace(hour=23, minute=59, second=59, microsecond=999_999)
    async with store.transaction() as tx:
        await tx.rows.put(
            row("a").model_copy(update={"settled_at": late}),
            row("b").model_copy(update={"settled_at": late + timedelta(microseconds=1)}),
        )
        days = await tx.rows.settled_days()
    assert days == {"U2": {NOW.date(): 1, NOW.date() + timedelta(days=1): 1}}


async def test_looking_leaves_nothing_waiting(store: Store) -> None:
    every = await fill(store, random.Random(5))
    guarding = Guarding(store, StepClock(NOW))
    waiting = (await guarding.look()).people
    assert waiting["UA"][WhyAside.SHARE] or waiting["UA"][WhyAside.BURST]
    for person in waiting:
        assert await guarding.decide(person, "U9", keep=True) == sum(waiting[person].values())
    async with store.snapshot() as tx:
        assert set_aside(every, await tx.looks.all()).people == {}
    assert (await guarding.look()).people == {}


async def test_status_counts_without_reading_texts(database: Database) -> None:
    many = [row(f"r{n}").model_copy(update={"group": f"g{n}", "text": "How many days? " * 20}) for n in range(3000)]
    async with database.begin() as connection:
        transaction = SqlTransaction(connection)
        await transaction.rows.put(*many)
        groups = {one.group for one in many[::20]}
        [kinds] = await plans_of(connection, lambda: transaction.rows.kinds(None))
        [alone] = await plans_of(connection, lambda: transaction.rows.in_groups_counted(Split.TRAIN, groups, None))
        assert "ix_rows_of_groups" in alone
        assert "Seq Scan on rows" not in alone
        if connection.dialect.name == "sqlite":  # PostgreSQL reads a table that was just written, and is not vacuumed
            assert "COVERING INDEX ix_rows_counted" in kinds
            assert "TEMP B-TREE" not in kinds


async def test_groups_are_counted_some_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    every = await fill(store, random.Random(7))
    groups = [one.group for one in every]
    async with store.snapshot() as tx:
        at_once = await tx.rows.in_groups_counted(Split.TRAIN, groups, trained())
        monkeypatch.setattr(tallies, "GROUPS_AT_ONCE", 7)
        assert await tx.rows.in_groups_counted(Split.TRAIN, groups, trained()) == at_once
    assert at_once.total() == sum(one.split is Split.TRAIN for one in every)
