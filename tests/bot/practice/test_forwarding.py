"""Forwarded messages and mentions in threads, in the shape in which Slack sends them to an app."""

import asyncio

import pytest

from bot.practice import Person, Server
from bot.practice.person import RefusedError
from bot.practice.wire import Json
from tests.bot.practice.desk import PersonFactory, PracticeDesk

GENERAL, OPS = "C0GENERAL01", "C0OPS000001"
FACTS = ("author_id", "channel_id", "channel_team", "ts", "text", "is_share", "is_msg_unfurl", "from_url")


@pytest.fixture
async def mentions(desk: PracticeDesk) -> asyncio.Queue[Json]:
    """Return the queue of `app_mention` events that the app receives."""
    received: asyncio.Queue[Json] = asyncio.Queue()

    @desk.app.event("app_mention")
    async def keep(event: Json) -> None:
        await received.put(event)

    @desk.app.event("message")
    async def ignore() -> None:
        pass

    await desk.connect()
    return received


async def said(person: Person, channel: str, text: str, thread_ts: str | None = None) -> Json:
    ts = await person.say(channel, text, thread_ts)
    return next(m for m in await person.replies(channel, thread_ts or ts) if m["ts"] == ts)


async def test_forward_names_author_and_channel(
    server: Server, people: PersonFactory, mentions: asyncio.Queue[Json]
) -> None:
    misaki, emily = [await people(one) for one in server.people.employees]
    original = await said(misaki, GENERAL, "my laptop")
    ts = await emily.forward(original, GENERAL, "@desk who handles this?")
    (forward,) = (await mentions.get())["attachments"]
    assert {name: forward[name] for name in FACTS} == {
        "author_id": misaki.user_id,
        "channel_id": GENERAL,
        "channel_team": "T0PRACTICE1",
        "ts": original["ts"],
        "text": "my laptop",
        "is_share": True,
        "is_msg_unfurl": True,
        "from_url": f"{server.workspace.url}archives/{GENERAL}/p{original['ts'].replace('.', '')}",
    }
    assert forward["message_blocks"][0]["message"]["blocks"][0]["type"] == "rich_text"
    shown = await misaki.message(lambda m: m["ts"] == ts)
    assert shown["attachments"] == [forward]


async def test_private_thread_reply_is_marked(
    server: Server, people: PersonFactory, mentions: asyncio.Queue[Json]
) -> None:
    kenji = await people(server.people.staff[0])
    root = await said(kenji, OPS, "the plan")
    reply = await said(kenji, OPS, "the secret", root["ts"])
    await kenji.forward(reply, GENERAL, "@desk", None)
    (forward,) = (await mentions.get())["attachments"]
    assert (forward["private_channel_prompt"], forward["is_reply_unfurl"]) == (True, True)
    assert f"thread_ts={root['ts']}&cid={OPS}" in forward["from_url"]


async def test_app_message_has_no_author(
    server: Server, people: PersonFactory, desk: PracticeDesk, mentions: asyncio.Queue[Json]
) -> None:
    emily = await people(server.people.employees[1])
    await desk.app.client.chat_postMessage(channel=GENERAL, text="disk is full")
    posted = await emily.message(lambda m: m["text"] == "disk is full")
    await emily.forward(posted, GENERAL, "@desk")
    (forward,) = (await mentions.get())["attachments"]
    assert "author_id" not in forward
    assert (forward["msg_subtype"], forward["bot_id"]) == ("bot_message", posted["bot_id"])


async def test_mention_in_thread_names_the_thread(
    server: Server, people: PersonFactory, mentions: asyncio.Queue[Json]
) -> None:
    misaki, emily = [await people(one) for one in server.people.employees]
    root = await misaki.say(GENERAL, "my laptop")
    await emily.say(GENERAL, "@desk who handles this?", thread_ts=root)
    event = await mentions.get()
    assert (event["thread_ts"], event["parent_user_id"]) == (root, misaki.user_id)


async def test_unseen_message_cannot_be_forwarded(server: Server, people: PersonFactory) -> None:
    kenji, emily = await people(server.people.staff[0]), await people(server.people.employees[1])
    secret = await said(kenji, OPS, "the secret")
    with pytest.raises(RefusedError, match="channel_not_found"):
        await emily.forward(secret, GENERAL)
    with pytest.raises(RefusedError, match="message_not_found"):
        await kenji.forward(secret | {"ts": "1.000000"}, GENERAL)
