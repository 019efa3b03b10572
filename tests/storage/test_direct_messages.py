"""Direct messages: their rows and questions are read only once their askers have sent them, on both databases."""

import pytest
from alembic import command
from sqlalchemy import text

from bot.domain.audience import Audience
from bot.domain.question import Disclosure, Place, Question
from bot.domain.shadow import Shadow
from bot.ports import Store, Transaction
from storage.database import Database
from storage.migrations import config
from storage.store import SqlStore
from tests.storage.conftest import MakeDatabase
from tests.storage.things import NOW, PROMPT, correction, question, release, row, verdict

OLD_DM = {"audience": Audience.UNKNOWN, "place": Place(team="T1", channel="D1", ts="1.000100")}


async def settled(tx: Transaction, **changed: object) -> Question:
    """Store a question that was answered, shadowed and settled, with its row."""
    asked = question().model_copy(update={"audience": Audience.DIRECT, "card_ts": "2.1", **changed})
    await tx.prompts.put(PROMPT)
    await tx.releases.add(release(), "U1", "start")
    await tx.questions.add(asked)
    await tx.questions.add_verdict(verdict())
    await tx.corrections.add(correction())
    place = asked.place
    kept = row("q1").model_copy(update={"audience": asked.audience, "channel": place.channel, "ts": place.ts})
    await tx.rows.put(kept)
    spent = {"tokens_in": 1, "tokens_out": 1}
    await tx.shadows.put(Shadow(question_id="q1", release_id="r1", category="other", confidence=0.5, at=NOW, **spent))
    return asked


async def seen(tx: Transaction) -> dict[str, bool]:
    """Return where the question or its row is found."""
    kept = row("q1")
    return {
        "get": await tx.rows.get("q1") is not None,
        "some": bool(await tx.rows.some(["q1"])),
        "all": bool([one async for one in tx.rows.all()]),
        "page": bool(await tx.rows.page("", 10)),
        "counts": bool(await tx.rows.counts()),
        "group": bool(await tx.rows.in_groups([kept.group])),
        "changed": [counts async for _, counts in tx.rows.changed(None)] == [True],
        "open": bool(await tx.questions.open(10)),
        "shadowed": bool(await tx.shadows.compared("r1")),
        "settled": bool(await tx.corrections.settled_answers()),
    }


@pytest.mark.parametrize("changed", [{}, OLD_DM], ids=["direct", "old"])
@pytest.mark.parametrize("disclosure", [Disclosure.NAMED, Disclosure.UNNAMED])
async def test_nothing_is_read_until_it_is_sent(
    store: Store, changed: dict[str, object], disclosure: Disclosure
) -> None:
    async with store.transaction() as tx:
        asked = await settled(tx, **changed)
        assert asked.unsent
        assert not any((await seen(tx)).values())
        await tx.questions.disclose("q1", Disclosure.KEPT, NOW)
        assert not any((await seen(tx)).values())
        await tx.questions.disclose("q1", disclosure, NOW)
        assert all((await seen(tx)).values())
        sent = await tx.questions.get("q1")
    assert sent is not None
    assert (sent.unsent, sent.shown_asker) == (False, "U1" if disclosure is Disclosure.NAMED else None)


async def test_sent_message_leads_back_to_its_question(store: Store) -> None:
    async with store.transaction() as tx:
        asked = await settled(tx)
        for _ in range(2):
            await tx.questions.save_sent("q1", "C9", "9.1")
        assert await tx.questions.sent_as("C9", "9.1") == asked
        assert await tx.questions.sent_as("C9", "9.2") is None


async def test_migration_marks_rows_of_direct_messages_as_changed(make_empty: MakeDatabase) -> None:
    database = Database(make_empty())
    await database.migrate()
    store = SqlStore(database)
    async with store.transaction() as tx:
        await tx.rows.put(row("public"), row("q1").model_copy(update={"audience": Audience.DIRECT}))
    async with database.begin() as connection:
        await connection.run_sync(lambda c: command.downgrade(config(c), "0012"))
    await database.migrate()
    async with store.transaction() as tx:
        changed = [(one.id, counts) async for one, counts in tx.rows.changed(None)]
    assert sorted(changed) == [("public", True), ("q1", False)]
    async with database.begin() as connection:
        times = (await connection.execute(text("SELECT touched_at FROM rows ORDER BY id"))).scalars().all()
    assert times[0] != times[1]
    await database.close()
