"""Socket Mode: acks, redelivery, several sockets, disconnects, timeouts, and the events of people's actions."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from slack_bolt.async_app import AsyncBoltRequest, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bot.practice import Server, Timing
from bot.practice.person import RefusedError
from bot.practice.wire import Json
from tests.bot.practice.desk import PersonFactory, PracticeClock, PracticeDesk, RawSocket

# Slack's deadlines and retries, shortened.
fast_timing = pytest.mark.parametrize(
    "timing", [Timing(ack=0.5, redeliver=(0.0, 0.05, 0.05), disconnect=0.05)], ids=["hasty"]
)


async def test_hello_names_the_app_and_connection_count(server: Server, client: AsyncWebClient) -> None:
    first = await RawSocket.open(server)
    answer = await client.apps_connections_open(app_token=server.app_token)
    async with connect(str(answer["url"]), proxy=None) as socket:
        hello = await RawSocket(socket).frame()
    assert hello["num_connections"] == 2
    assert hello["connection_info"] == {"app_id": server.workspace.app.app_id}
    await first.socket.close()


async def test_ping_is_answered_and_invalid_json_closes_socket(server: Server) -> None:
    app_socket = await RawSocket.open(server)
    async with asyncio.timeout(3):
        await (await app_socket.socket.ping(b"sdk-ping-pong:1790000000"))
    await app_socket.socket.send("no JSON")
    with pytest.raises(ConnectionClosed):
        await app_socket.frame()
    assert server.workspace.sockets.connected == 0


async def test_ticket_is_valid_once_and_for_a_minute(
    server: Server, client: AsyncWebClient, clock: PracticeClock
) -> None:
    url = str((await client.apps_connections_open(app_token=server.app_token))["url"])
    async with connect(url, proxy=None):
        pass
    late = str((await client.apps_connections_open(app_token=server.app_token))["url"])
    clock.now += 61
    for used in (url, late):
        with pytest.raises(InvalidStatus):
            await connect(used, proxy=None)


@fast_timing
async def test_unacked_event_is_redelivered_with_number_and_reason(server: Server, people: PersonFactory) -> None:
    app_socket = await RawSocket.open(server)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "anyone?")
    envelopes = [await app_socket.frame() for _ in range(4)]
    await app_socket.socket.close()
    assert [(one["retry_attempt"], one["retry_reason"]) for one in envelopes] == [
        (0, ""),
        (1, "timeout"),
        (2, "timeout"),
        (3, "timeout"),
    ]
    assert len({one["payload"]["event_id"] for one in envelopes}) == 1
    assert len({one["envelope_id"] for one in envelopes}) == 4
    assert {one["type"] for one in envelopes} == {"events_api"}


@fast_timing
async def test_acked_event_is_delivered_once(server: Server, people: PersonFactory) -> None:
    app_socket = await RawSocket.open(server)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "one")
    await app_socket.ack(await app_socket.frame())
    await asyncio.sleep(0.8)
    await misaki.say(server.channels.help_desk.id, "two")
    assert (await app_socket.frame())["payload"]["event"]["text"] == "two"
    await app_socket.socket.close()


async def test_retry_reason_is_connection_failed_after_cut_socket(server: Server, people: PersonFactory) -> None:
    first = await RawSocket.open(server)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "hello?")
    sent = await first.frame()
    second = await RawSocket.open(server)
    first.socket.transport.abort()
    again = await second.frame()
    assert (again["retry_attempt"], again["retry_reason"]) == (1, "connection_failed")
    assert again["payload"] == sent["payload"]
    await second.socket.close()


@fast_timing
async def test_event_is_redelivered_when_bolt_middleware_fails(
    server: Server, desk: PracticeDesk, people: PersonFactory
) -> None:
    attempts: list[list[str]] = []

    async def inbox(req: AsyncBoltRequest, next_: Callable[[], Awaitable[None]]) -> None:
        attempts.append([*req.headers["x-slack-retry-num"], *req.headers["x-slack-retry-reason"]])
        if len(attempts) == 1:
            raise RuntimeError("the disk is full")
        await next_()

    desk.app.middleware(inbox)

    @desk.app.event("message")
    async def message(event: Json, say: AsyncSay) -> None:
        await say(text="kept", thread_ts=event["ts"])

    await desk.connect()
    misaki = await people(server.people.employees[0])
    ts = await misaki.say(server.channels.help_desk.id, "keep this")
    assert (await misaki.answer(ts))["text"] == "kept"
    assert attempts[:2] == [["0", ""], ["1", "timeout"]]


async def test_envelopes_go_to_sockets_in_turn(server: Server, people: PersonFactory) -> None:
    app_sockets = [await RawSocket.open(server) for _ in range(3)]
    misaki = await people(server.people.employees[0])
    for number in range(6):
        await misaki.say(server.channels.help_desk.id, str(number))
    received = []
    for app_socket in app_sockets:
        for _ in range(2):
            envelope = await app_socket.frame()
            await app_socket.ack(envelope)
            received.append(envelope["payload"]["event"]["text"])
        await app_socket.socket.close()
    assert sorted(received) == list("012345")


async def test_eleventh_socket_is_refused(server: Server, client: AsyncWebClient) -> None:
    app_sockets = [await RawSocket.open(server) for _ in range(10)]
    answer = await client.apps_connections_open(app_token=server.app_token)
    async with connect(str(answer["url"]), proxy=None) as socket:
        assert (await RawSocket(socket).frame())["reason"] == "too_many_websockets"
    for app_socket in app_sockets:
        await app_socket.socket.close()


@fast_timing
@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
async def test_socket_is_closed_after_its_disconnect_frame(server: Server, reason: str) -> None:
    app_socket = await RawSocket.open(server)
    await server.disconnect(reason)
    frame = await app_socket.frame()
    assert (frame["type"], frame["reason"]) == ("disconnect", reason)
    with pytest.raises(ConnectionClosed):
        await app_socket.frame()


async def test_bolt_reconnects_after_disconnect(server: Server, desk: PracticeDesk, people: PersonFactory) -> None:
    @desk.app.event("message")
    async def message(event: Json, say: AsyncSay) -> None:
        await say(text="still here", thread_ts=event["ts"])

    await desk.connect()
    misaki = await people(server.people.employees[0])
    await server.disconnect()
    await misaki.wait_for(lambda one: one == {"type": "connection", "connected": True})
    ts = await misaki.say(server.channels.help_desk.id, "there?")
    assert (await misaki.answer(ts))["text"] == "still here"


@pytest.mark.parametrize(("new_ids", "ids"), [(False, 1), (True, 3)])
async def test_injected_duplicates_are_delivered(
    server: Server, people: PersonFactory, ids: int, *, new_ids: bool
) -> None:
    app_socket = await RawSocket.open(server)
    server.faults.duplicate_events(2, new_event_ids=new_ids)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "once")
    envelopes = [await app_socket.frame() for _ in range(3)]
    for envelope in envelopes:
        await app_socket.ack(envelope)
    assert len({one["payload"]["event_id"] for one in envelopes}) == ids
    assert {one["payload"]["event"]["text"] for one in envelopes} == {"once"}
    await app_socket.socket.close()


@fast_timing
async def test_unacked_interaction_times_out_and_is_sent_once(server: Server, people: PersonFactory) -> None:
    misaki = await people(server.people.employees[0])
    with pytest.raises(RefusedError, match="dispatch_failed"):
        await misaki.command("/deaf")
    app_socket = await RawSocket.open(server)
    with pytest.raises(RefusedError, match="operation_timeout"):
        await misaki.command("/deaf")
    envelope = await app_socket.frame()
    assert envelope["type"] == "slash_commands"
    assert envelope["accepts_response_payload"] is True
    assert "retry_attempt" not in envelope
    await app_socket.ack(envelope)
    await misaki.say(server.channels.help_desk.id, "next")
    assert (await app_socket.frame())["type"] == "events_api"
    await app_socket.socket.close()


async def test_edits_deletions_reactions_and_bot_messages_are_events(
    server: Server, people: PersonFactory, client: AsyncWebClient
) -> None:
    app_socket = await RawSocket.open(server)
    misaki, place = await people(server.people.employees[0]), server.channels.help_desk.id
    ts = await misaki.say(place, "frist")
    posted = await app_socket.event("message")
    assert (posted["text"], posted["channel_type"], posted["team"]) == ("frist", "channel", "T0PRACTICE1")
    assert posted["client_msg_id"]
    assert posted["blocks"][0]["type"] == "rich_text"
    await misaki.edit(place, ts, "first")
    changed = await app_socket.event("message_changed")
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("first", "frist")
    assert changed["hidden"] is True
    await misaki.react(place, ts, "eyes")
    reacted = await app_socket.event("reaction_added")
    assert (reacted["reaction"], reacted["item"]["ts"], reacted["item_user"]) == ("eyes", ts, misaki.user_id)
    await misaki.react(place, ts, "eyes", on=False)
    assert (await app_socket.event("reaction_removed"))["user"] == misaki.user_id
    own = await client.chat_postMessage(channel=place, text="mine", thread_ts=ts)
    event = await app_socket.event("message")
    assert (event["bot_id"], event["app_id"], event["ts"]) == ("B0PRACTICE1", "A0PRACTICE1", own["ts"])
    await client.chat_delete(channel=place, ts=str(own["ts"]))
    assert (await app_socket.event("message_deleted"))["deleted_ts"] == own["ts"]
    await misaki.say(place, "a reply", thread_ts=ts)
    await misaki.delete(place, ts)
    tombstone = await app_socket.event("message_changed")
    assert tombstone["message"]["subtype"] == "tombstone"
    await app_socket.socket.close()


async def test_strangers_and_other_apps_are_marked_in_events(server: Server, client: AsyncWebClient) -> None:
    app_socket, place = await RawSocket.open(server), server.channels.help_desk.id
    server.stranger_says(place, "@Desk from outside")
    posted = await app_socket.event("message")
    assert (posted["team"], posted["source_team"]) == ("T0PARTNER01", "T0PARTNER01")
    envelope = await app_socket.frame()
    await app_socket.ack(envelope)
    assert envelope["payload"]["event"]["type"] == "app_mention"
    assert envelope["payload"]["is_ext_shared_channel"] is True
    stranger = (await client.users_info(user=posted["user"]))["user"]
    assert (stranger["is_stranger"], stranger["team_id"]) == (True, "T0PARTNER01")
    server.other_bot_says(place, "build 7 is green")
    news = await app_socket.event("message")
    assert (news["subtype"], news["bot_id"], "user" in news) == ("bot_message", "B0OTHERAPP1", False)
    await app_socket.socket.close()


async def test_bolt_reconnects_after_dropped_socket(server: Server, desk: PracticeDesk, people: PersonFactory) -> None:
    @desk.app.event("message")
    async def message(event: Json, say: AsyncSay) -> None:
        await say(text="back", thread_ts=event["ts"])

    (await desk.connect()).client.ping_interval = 0.1
    misaki = await people(server.people.employees[0])
    await server.drop_sockets()
    await misaki.wait_for(lambda one: one == {"type": "connection", "connected": True}, timeout=15)
    ts = await misaki.say(server.channels.help_desk.id, "there?")
    assert (await misaki.answer(ts))["text"] == "back"


async def test_only_subscribed_events_of_joined_channels_are_delivered(server: Server, people: PersonFactory) -> None:
    app_socket = await RawSocket.open(server)
    misaki = await people(server.people.employees[0])
    server.channels.random.members.remove(server.people.bot.id)
    await misaki.say(server.channels.random.id, "@Desk unheard")
    await misaki.set_locale("en-US")
    dm = await misaki.dm()
    await misaki.say(dm, "heard")
    opened, heard = await app_socket.event("app_home_opened"), await app_socket.event("message")
    assert (opened["tab"], opened["user"]) == ("messages", misaki.user_id)
    assert (heard["text"], heard["channel_type"]) == ("heard", "im")
    await app_socket.socket.close()
