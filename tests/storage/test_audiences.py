"""Audiences that are learnt after a question's arrival, on both databases."""

from bot.domain.audience import Audience
from bot.domain.forgetting import Traced
from bot.domain.mirrored import MIRROR_TOPIC
from bot.domain.question import Place
from bot.ports import Store
from storage.database import Database
from storage.store import SqlStore
from tests.bot.things import START
from tests.storage.things import question, row


async def test_learning_is_paged_and_spares_what_is_known(store: Store) -> None:
    async with store.transaction() as tx:
        for n, channel in enumerate(["C2", "C2", "C1", "C3"]):
            place = Place(team="T1", channel=channel, ts=f"{n}.1")
            known = {"audience": Audience.PRIVATE} if channel == "C3" else {}
            await tx.questions.add(question(n).model_copy(update={"place": place, **known}))
            await tx.rows.put(row(f"q{n}").model_copy(update={"channel": channel, **known}))
        await tx.rows.put(row("import:1").model_copy(update={"channel": None}))
    async with store.transaction() as tx:
        assert await tx.audiences.unknown_channels("", 10) == ["C1", "C2"]
        assert await tx.audiences.unknown_channels("", 1) == ["C1"]
        assert await tx.audiences.unknown_channels("C1", 10) == ["C2"]
        assert [await tx.audiences.learn("C2", Audience.PUBLIC, 1, START) for _ in range(3)] == [2, 2, 0]
        assert await tx.audiences.learn(None, Audience.PUBLIC, 10, START) == 1
        assert await tx.audiences.learn("C3", Audience.PUBLIC, 10, START) == 0
        assert await tx.audiences.unknown_channels("", 10) == ["C1"]
        rows = {one.id: one.audience async for one in tx.rows.all()}
    public, unknown = Audience.PUBLIC, Audience.UNKNOWN
    assert rows == {"import:1": public, "q0": public, "q1": public, "q2": unknown, "q3": Audience.PRIVATE}


async def test_private_things_are_counted_and_paged(store: Store) -> None:
    public = {"audience": Audience.PUBLIC}
    async with store.transaction() as tx:
        for n in range(1, 5):
            known = public if n == 2 else {}
            await tx.questions.add(question(n).model_copy(update=known))
            await tx.rows.put(row(f"q{n}").model_copy(update=known))
        await tx.rows.withdraw("q4", START)
    async with store.snapshot() as tx:
        assert await tx.rows.private() == 2
        assert await tx.forgetting.private_traces("", 2) == ("q3", Traced())
        assert await tx.forgetting.private_traces("q3", 2) == ("q4", Traced())
        assert await tx.forgetting.private_traces("q4", 2) == ("", Traced())


async def test_mirror_hears_of_what_turns_out_public(database: Database) -> None:
    store = SqlStore(database, mirrored=True)
    async with store.transaction() as tx:
        await tx.rows.put(row("q1"))
    async with store.transaction() as tx:
        before = await tx.outbox.page(MIRROR_TOPIC, 0, 10)
        assert await tx.audiences.learn("C1", Audience.PRIVATE, 10, START) == 1
        await tx.rows.put(row("q2"))
        assert await tx.audiences.learn("C1", Audience.PUBLIC, 10, START) == 1
        after = await tx.outbox.page(MIRROR_TOPIC, 0, 10)
    assert [entry.key for entry in before] == ["q1"]
    assert [entry.key for entry in after] == ["q1", "q2", "q2"]
