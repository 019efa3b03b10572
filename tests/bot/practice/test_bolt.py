"""An unmodified slack-bolt app on a real websocket: questions, answers and presses."""

import asyncio

from slack_bolt.async_app import AsyncAck, AsyncRespond, AsyncSay

from bot.practice import Person, Server
from bot.practice.wire import Json
from tests.bot.practice.desk import PersonFactory, PracticeDesk, button


async def test_mention_is_answered_and_the_answer_pressed(
    server: Server, desk: PracticeDesk, people: PersonFactory
) -> None:
    events: list[Json] = []
    presses: list[Json] = []

    @desk.app.event("app_mention")
    async def mention(event: Json, say: AsyncSay, body: Json) -> None:
        events.append(body)
        await say(text="Which?", thread_ts=event["ts"], blocks=[button("go", "Go", "labor")])

    @desk.app.event("message")
    async def message(body: Json) -> None:
        events.append(body)

    @desk.app.action("go")
    async def go(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        presses.append(body)
        await respond(text="Settled", replace_original=True)

    await desk.connect()
    misaki = await people(server.people.employees[0])
    ts = await misaki.say(server.channels.help_desk.id, "@Desk 有給は何日前? <b> https://example.com/a?b=1&c")
    card = await misaki.answer(ts)
    await misaki.press(card, "go")
    settled = await misaki.message(lambda one: one["text"] == "Settled")

    assert settled["ts"] == card["ts"]
    assert settled["blocks"][0]["type"] == "rich_text"
    # Slack sends a mention twice, as `message` and as `app_mention`, under two event ids.
    asked = [one["event"] for one in events if one["event"].get("ts") == ts]
    assert sorted(one["type"] for one in asked) == ["app_mention", "message"]
    assert len({one["event_id"] for one in events}) == len(events)
    text = f"<@{server.people.bot.id}> 有給は何日前? &lt;b&gt; <https://example.com/a?b=1&amp;c>"
    assert {one["text"] for one in asked} == {text}
    press = presses[0]
    assert press["user"]["id"] == misaki.user_id
    assert press["container"] == {
        "type": "message",
        "message_ts": card["ts"],
        "channel_id": server.channels.help_desk.id,
        "is_ephemeral": False,
        "thread_ts": ts,
    }
    assert press["actions"][0]["value"] == "labor"
    assert press["message"]["ts"] == card["ts"]


async def test_thread_counts_reach_every_window(server: Server, people: PersonFactory) -> None:
    misaki, kenji = await people(server.people.employees[0]), await people(server.people.staff[0])
    root = await misaki.say(server.channels.help_desk.id, "one")
    await kenji.say(server.channels.help_desk.id, "two", thread_ts=root)
    parent = await misaki.message(lambda one: one.get("reply_count") == 1)
    assert parent["reply_users"] == [kenji.user_id]
    assert [one["text"] for one in await kenji.replies(parent["channel"], root)] == ["one", "two"]
    assert [one["text"] for one in await kenji.history(parent["channel"])] == ["one"]


async def test_private_channel_is_hidden_from_non_members(server: Server, people: PersonFactory) -> None:
    guest = await people(server.people.guest)
    assert server.channels.ops.id not in {one["id"] for one in guest.hello["channels"]}
    admin = await people(server.people.admin)
    await admin.say(server.channels.ops.id, "secret")
    await admin.say(server.channels.general.id, "public")
    assert (await guest.message(lambda _: True))["text"] == "public"


async def test_windows_are_told_when_the_app_connects(
    server: Server, desk: PracticeDesk, people: PersonFactory
) -> None:
    misaki = await people(server.people.employees[0])
    assert misaki.hello["connected"] is False
    await desk.connect()
    await misaki.wait_for(lambda one: one == {"type": "connection", "connected": True})
    await desk.close()
    await misaki.wait_for(lambda one: one == {"type": "connection", "connected": False})


async def test_sixty_questions_at_once_are_all_answered(server: Server, desk: PracticeDesk) -> None:
    @desk.app.event("message")
    async def message(event: Json, say: AsyncSay) -> None:
        if "bot_id" not in event:
            await say(text="noted", thread_ts=event["ts"])

    await desk.connect()
    async with Person(server.url, server.people.employees[1].id) as emily:

        async def ask(number: int) -> str:
            ts = await emily.say(server.channels.help_desk.id, f"question {number}")
            return str((await emily.answer(ts))["thread_ts"])

        answered = await asyncio.gather(*(ask(number) for number in range(60)))
    assert len(set(answered)) == 60
