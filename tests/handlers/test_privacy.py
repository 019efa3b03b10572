"""The notice of what happens with questions: once for each asker, in private, and in App Home."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.domain.privacy import PRIVACY_TOPIC
from bot.ports import Store
from bot.practice import Person
from bot.questions.arrivals import tell_once
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, eventually, open_desk, texts

TOLD = "What happens with your questions"


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[SlackDesk]:
    async with open_desk(store, tell_askers=True) as desk:
        yield desk


async def told(person: Person, words: str = TOLD) -> list[Json]:
    return [m for m in await person.history(await person.dm()) if words in texts(m)]


async def delivered(desk: SlackDesk) -> None:
    async def nothing_waits() -> bool:
        async with desk.store.transaction() as tx:
            return (await tx.outbox.lag(desk.clock.now()))[0] == 0

    desk.deliverers.wake()
    await eventually(nothing_waits)


async def test_asker_is_told_once_in_private(desk: SlackDesk) -> None:
    emily = await desk.emily()
    for text in ("my laptop is broken", "how do I take leave"):
        await asked(desk, text)
        await delivered(desk)
    (notice,) = await told(emily)
    for part in (
        "Who reads them",
        "Your text stays in this program",
        "until they are forgotten",
        "Forget my questions",
        "until you send",
    ):
        assert part in texts(notice)
    assert TOLD not in "".join(map(texts, await emily.history(WATCHED)))
    assert await told(await desk.misaki(), "質問の取り扱い") == []


async def test_two_replicas_and_a_crash_tell_once(desk: SlackDesk) -> None:
    """Both replicas queue the notice, and the one that posted it is killed before it can say so."""
    emily = await desk.emily()
    await desk.announcer.tell_asker(emily.user_id, [])
    async with desk.store.transaction() as tx:
        for _ in range(2):
            await tx.outbox.add(PRIVACY_TOPIC, emily.user_id, {}, desk.clock.now())
    await delivered(desk)
    assert len(await told(emily)) == 1

    async def tell() -> None:
        async with desk.store.transaction() as tx:
            await tell_once(tx, emily.user_id, desk.clock.now())

    await asyncio.gather(*(tell() for _ in range(5)))
    await asked(desk)
    await delivered(desk)
    assert len(await told(emily)) == 1


async def test_cry_for_help_brings_no_notice(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await emily.say(WATCHED, "I am being harassed by my boss and I want to die")
    await desk.settled()
    await delivered(desk)
    assert await desk.questions() == 0
    assert await told(emily) == []


async def test_home_tells_at_any_time(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await emily.open_home()
    home = texts((await emily.wait_for(lambda frame: frame["type"] == "home"))["view"])
    assert TOLD in home
    assert "Who reads them" in home
