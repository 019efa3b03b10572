"""The limit of questions per hour at the wire: for one person, in private, and never for a cry for help."""

from collections.abc import AsyncIterator

import pytest

from bot.domain.question import Place
from bot.practice import Person
from bot.practice.people import TEAM_ID
from handlers.texts.words import Words
from handlers.views.status import paragraphs
from storage.store import SqlStore
from tests.kits.slack_desk import EMOJI, WATCHED, Json, SlackDesk, eventually, open_desk, texts

BOT, GENERAL = "@madoguchi", "C0GENERAL01"
MOST = 3
LAPTOP, LEAVE = "My laptop does not start, who can fix it?", "How do I apply for parental leave?"
LIMIT = "as much as I take"


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    async with open_desk(store, per_hour=MOST) as desk:
        yield desk


async def ended(desk: SlackDesk, channel: str, ts: str, arrivals: int = 1) -> None:
    """Wait until this many arrivals of a message have ended."""

    async def holds() -> bool:
        async with desk.store.snapshot() as tx:
            found = await tx.inbox.of(Place(team=TEAM_ID, channel=channel, ts=ts))
        return len(found) >= arrivals and all(ending is not None for _, ending in found)

    await eventually(holds)


async def ask(desk: SlackDesk, person: Person, n: int, channel: str = WATCHED) -> list[str]:
    """Ask `n` questions and wait until all of them have ended."""
    found = []
    for i in range(n):
        found.append(await person.say(channel, f"{BOT} my laptop is broken {chr(97 + i) * 5}"))
        await ended(desk, channel, found[-1])
    return found


async def answered(person: Person, channel: str, asked: list[str]) -> list[bool]:
    return [any("bot_id" in m and not m.get("ephemeral") for m in await person.replies(channel, ts)) for ts in asked]


async def notices(person: Person, channel: str) -> list[Json]:
    return [m for m in await person.history(channel) if LIMIT in texts(m)]


async def test_further_questions_cost_no_call_or_mention(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    asked = await ask(desk, emily, MOST + 4)
    assert await answered(emily, WATCHED, asked) == [True] * MOST + [False] * 4
    assert len(desk.model.asked) == MOST
    assert len(await notices(emily, WATCHED)) == 1
    assert (await notices(emily, WATCHED))[0]["ephemeral"]
    assert await notices(misaki, WATCHED) == []
    assert await answered(misaki, WATCHED, await ask(desk, misaki, 1)) == [True]


async def test_next_hour_is_open_again(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await ask(desk, emily, MOST + 1)
    desk.clock.advance(minutes=62)
    asked = await ask(desk, emily, MOST + 2)
    assert await answered(emily, WATCHED, asked) == [True] * MOST + [False] * 2
    assert len(await notices(emily, WATCHED)) == 2


async def test_mentions_direct_messages_and_channels_count_together(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    await ask(desk, emily, 1)
    await ask(desk, emily, 1, GENERAL)
    asked = await ask(desk, emily, 2, channel)
    assert await answered(emily, channel, asked[:1]) == [True]
    assert LIMIT in texts((await emily.replies(channel, asked[1]))[-1])
    assert len(desk.model.asked) == MOST


async def test_cry_for_help_is_never_refused(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await ask(desk, emily, MOST + 1)
    ts = await emily.say(WATCHED, "my boss is harassing me")
    await emily.message(lambda m: bool(m.get("ephemeral")) and "there are people who can help" in texts(m))
    assert await answered(emily, WATCHED, [ts]) == [False]


async def test_edits_beyond_the_limit_cost_no_call(desk: SlackDesk) -> None:
    emily = await desk.emily()
    asked = await ask(desk, emily, 1)
    for n in range(MOST + 2):
        desk.clock.advance(seconds=1)
        await emily.edit(WATCHED, asked[0], f"may I take leave {chr(97 + n) * 5}?")
        await ended(desk, WATCHED, asked[0], 2 + n)
    assert len(desk.model.asked) == MOST
    assert len(await notices(emily, WATCHED)) == 1


async def test_shortcut_counts_for_its_user(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    said = [await misaki.say(GENERAL, f"my laptop is broken {chr(97 + n) * 5}") for n in range(MOST + 1)]
    desk.clock.advance(hours=3)
    for ts in said:
        await emily.shortcut("ask_madoguchi", {"channel": GENERAL, "ts": ts})
        if ts != said[-1]:
            await ended(desk, GENERAL, ts)
    await emily.message(lambda m: LIMIT in texts(m))
    assert await answered(emily, GENERAL, said) == [True] * MOST + [False]
    assert len(await notices(emily, GENERAL)) == 1
    assert await answered(misaki, WATCHED, await ask(desk, misaki, 1)) == [True]


async def test_emoji_counts_for_its_user(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    said = [await misaki.say(GENERAL, f"my laptop is broken {chr(97 + n) * 5}") for n in range(MOST + 2)]
    for ts in said:
        await emily.react(GENERAL, ts, EMOJI)
        await ended(desk, GENERAL, ts)
    assert await answered(emily, GENERAL, said) == [True] * MOST + [False] * 2
    assert len(await notices(emily, GENERAL)) == 1
    assert await notices(misaki, GENERAL) == []


async def test_missed_messages_count_at_their_time(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await desk.catch_up.tick()  # the first read only stores the position
    await desk.away()
    desk.clock.advance(minutes=10)
    first = [await emily.say(WATCHED, f"my laptop is broken {chr(97 + n) * 5}") for n in range(MOST + 1)]
    desk.clock.advance(hours=2)
    second = [await emily.say(WATCHED, f"may I take leave {chr(97 + n) * 5}?") for n in range(MOST)]
    desk.clock.advance(minutes=10)
    await desk.back()
    desk.catch_up.connected()
    await desk.catch_up.tick()
    for ts in (*first, *second):
        await ended(desk, WATCHED, ts)
    assert sum(await answered(emily, WATCHED, first)) == MOST
    assert await answered(emily, WATCHED, second) == [True] * MOST


async def test_refusal_ends_with_a_reason(desk: SlackDesk) -> None:
    emily = await desk.emily()
    asked = await ask(desk, emily, MOST + 1)
    assert [await desk.question(WATCHED, ts) is None for ts in asked] == [False] * MOST + [True]
    assert await desk.questions() == MOST
    status = await desk.acts.reporting.status()
    assert status.limited == 1
    assert "BOT_QUESTIONS_PER_HOUR" in "\n".join(paragraphs(status, Words("en")))


async def test_two_questions_of_one_message_count_twice(desk: SlackDesk) -> None:
    emily = await desk.emily()
    both = await emily.say(WATCHED, f"{LAPTOP}\nAlso, {LEAVE}")
    await ended(desk, WATCHED, both)
    asked = await ask(desk, emily, MOST)
    assert sum(await answered(emily, WATCHED, asked)) == MOST - 2
    assert len(desk.model.asked) == MOST


async def test_second_question_over_the_limit_silences_no_notice(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await ask(desk, emily, MOST - 1)
    both = await emily.say(WATCHED, f"{LAPTOP}\nAlso, {LEAVE[0].lower()}{LEAVE[1:]}")
    await ended(desk, WATCHED, both)
    assert await answered(emily, WATCHED, [both]) == [True]
    assert await notices(emily, WATCHED) == []
    assert await answered(emily, WATCHED, await ask(desk, emily, 1)) == [False]
    assert len(await notices(emily, WATCHED)) == 1
