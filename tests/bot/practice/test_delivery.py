"""Socket Mode as Slack speaks it: acks, redelivery, several sockets, disconnects, late answers."""

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
from tests.bot.practice.desk import Clock, Crowd, Desk, Wire

# Slack's order of things, in less time.
hasty = pytest.mark.parametrize(
    "timing", [Timing(ack=0.5, redeliver=(0.0, 0.05, 0.05), disconnect=0.05)], ids=["hasty"]
)


async def test_hello_says_who_and_how_many(server: Server, client: AsyncWebClient) -> None:
    first = await Wire.open(server)
    answer = await client.apps_connections_open(app_token=server.app_token)
    async with connect(str(answer["url"]), proxy=None) as socket:
        hello = await Wire(socket).frame()
    assert hello["num_connections"] == 2
    assert hello["connection_info"] == {"app_id": server.workspace.app.app_id}
    await first.socket.close()


async def test_pings_are_answered_and_nonsense_ends_the_socket(server: Server) -> None:
    wire = await Wire.open(server)
    async with asyncio.timeout(3):
        await (await wire.socket.ping(b"sdk-ping-pong:1790000000"))
    await wire.socket.send("no JSON")
    with pytest.raises(ConnectionClosed):
        await wire.frame()
    assert server.workspace.sockets.connected == 0


async def test_a_ticket_is_good_once_and_for_a_minute(server: Server, client: AsyncWebClient, clock: Clock) -> None:
    url = str((await client.apps_connections_open(app_token=server.app_token))["url"])
    async with connect(url, proxy=None):
        pass
    late = str((await client.apps_connections_open(app_token=server.app_token))["url"])
    clock.now += 61
    for used in (url, late):
        with pytest.raises(InvalidStatus):
            await connect(used, proxy=None)


@hasty
async def test_what_is_not_acked_comes_again_with_number_and_reason(server: Server, people: Crowd) -> None:
    wire = await Wire.open(server)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "anyone?")
    envelopes = [await wire.frame() for _ in range(4)]
    await wire.socket.close()
    assert [(one["retry_attempt"], one["retry_reason"]) for one in envelopes] == [
        (0, ""),
        (1, "timeout"),
        (2, "timeout"),
        (3, "timeout"),
    ]
    assert len({one["payload"]["event_id"] for one in envelopes}) == 1
    assert len({one["envelope_id"] for one in envelopes}) == 4
    assert {one["type"] for one in envelopes} == {"events_api"}


@hasty
async def test_an_acked_event_comes_once(server: Server, people: Crowd) -> None:
    wire = await Wire.open(server)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "one")
    await wire.ack(await wire.frame())
    await asyncio.sleep(0.8)
    await misaki.say(server.channels.help_desk.id, "two")
    assert (await wire.frame())["payload"]["event"]["text"] == "two"
    await wire.socket.close()


async def test_a_cut_socket_means_connection_failed(server: Server, people: Crowd) -> None:
    first = await Wire.open(server)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "hello?")
    sent = await first.frame()
    second = await Wire.open(server)
    first.socket.transport.abort()
    again = await second.frame()
    assert (again["retry_attempt"], again["retry_reason"]) == (1, "connection_failed")
    assert again["payload"] == sent["payload"]
    await second.socket.close()


@hasty
async def test_a_failing_middleware_of_bolt_gets_the_event_again(server: Server, desk: Desk, people: Crowd) -> None:
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


async def test_each_envelope_goes_to_one_socket_in_turn(server: Server, people: Crowd) -> None:
    wires = [await Wire.open(server) for _ in range(3)]
    misaki = await people(server.people.employees[0])
    for number in range(6):
        await misaki.say(server.channels.help_desk.id, str(number))
    got = []
    for wire in wires:
        for _ in range(2):
            envelope = await wire.frame()
            await wire.ack(envelope)
            got.append(envelope["payload"]["event"]["text"])
        await wire.socket.close()
    assert sorted(got) == list("012345")


async def test_an_eleventh_socket_is_refused(server: Server, client: AsyncWebClient) -> None:
    wires = [await Wire.open(server) for _ in range(10)]
    answer = await client.apps_connections_open(app_token=server.app_token)
    async with connect(str(answer["url"]), proxy=None) as socket:
        assert (await Wire(socket).frame())["reason"] == "too_many_websockets"
    for wire in wires:
        await wire.socket.close()


@hasty
@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
async def test_disconnect_frames_then_the_end(server: Server, reason: str) -> None:
    wire = await Wire.open(server)
    await server.disconnect(reason)
    frame = await wire.frame()
    assert (frame["type"], frame["reason"]) == ("disconnect", reason)
    with pytest.raises(ConnectionClosed):
        await wire.frame()


async def test_bolt_reconnects_and_goes_on(server: Server, desk: Desk, people: Crowd) -> None:
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
async def test_duplicates_on_request(server: Server, people: Crowd, ids: int, *, new_ids: bool) -> None:
    wire = await Wire.open(server)
    server.faults.duplicate_events(2, new_event_ids=new_ids)
    misaki = await people(server.people.employees[0])
    await misaki.say(server.channels.help_desk.id, "once")
    envelopes = [await wire.frame() for _ in range(3)]
    for envelope in envelopes:
        await wire.ack(envelope)
    assert len({one["payload"]["event_id"] for one in envelopes}) == ids
    assert {one["payload"]["event"]["text"] for one in envelopes} == {"once"}
    await wire.socket.close()


@hasty
async def test_interactions_are_sent_once_and_time_out(server: Server, people: Crowd) -> None:
    misaki = await people(server.people.employees[0])
    with pytest.raises(RefusedError, match="dispatch_failed"):
        await misaki.command("/deaf")
    wire = await Wire.open(server)
    with pytest.raises(RefusedError, match="operation_timeout"):
        await misaki.command("/deaf")
    envelope = await wire.frame()
    assert envelope["type"] == "slash_commands"
    assert envelope["accepts_response_payload"] is True
    assert "retry_attempt" not in envelope
    await wire.ack(envelope)
    await misaki.say(server.channels.help_desk.id, "next")
    assert (await wire.frame())["type"] == "events_api"
    await wire.socket.close()


async def test_edits_deletions_reactions_and_own_words_are_events(
    server: Server, people: Crowd, client: AsyncWebClient
) -> None:
    wire = await Wire.open(server)
    misaki, place = await people(server.people.employees[0]), server.channels.help_desk.id
    ts = await misaki.say(place, "frist")
    said = await wire.event("message")
    assert (said["text"], said["channel_type"], said["team"]) == ("frist", "channel", "T0PRACTICE1")
    assert said["client_msg_id"]
    assert said["blocks"][0]["type"] == "rich_text"
    await misaki.edit(place, ts, "first")
    changed = await wire.event("message_changed")
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("first", "frist")
    assert changed["hidden"] is True
    await misaki.react(place, ts, "eyes")
    reacted = await wire.event("reaction_added")
    assert (reacted["reaction"], reacted["item"]["ts"], reacted["item_user"]) == ("eyes", ts, misaki.user_id)
    own = await client.chat_postMessage(channel=place, text="mine", thread_ts=ts)
    event = await wire.event("message")
    assert (event["bot_id"], event["app_id"], event["ts"]) == ("B0PRACTICE1", "A0PRACTICE1", own["ts"])
    await client.chat_delete(channel=place, ts=str(own["ts"]))
    assert (await wire.event("message_deleted"))["deleted_ts"] == own["ts"]
    await misaki.say(place, "a reply", thread_ts=ts)
    await misaki.delete(place, ts)
    tombstone = await wire.event("message_changed")
    assert tombstone["message"]["subtype"] == "tombstone"
    await wire.socket.close()


async def test_strangers_and_other_apps_are_told_apart(server: Server, client: AsyncWebClient) -> None:
    wire, place = await Wire.open(server), server.channels.help_desk.id
    server.stranger_says(place, "@Desk from outside")
    said = await wire.event("message")
    assert (said["team"], said["source_team"]) == ("T0PARTNER01", "T0PARTNER01")
    envelope = await wire.frame()
    await wire.ack(envelope)
    assert envelope["payload"]["event"]["type"] == "app_mention"
    assert envelope["payload"]["is_ext_shared_channel"] is True
    stranger = (await client.users_info(user=said["user"]))["user"]
    assert (stranger["is_stranger"], stranger["team_id"]) == (True, "T0PARTNER01")
    server.other_bot_says(place, "build 7 is green")
    news = await wire.event("message")
    assert (news["subtype"], news["bot_id"], "user" in news) == ("bot_message", "B0OTHERAPP1", False)
    await wire.socket.close()


async def test_bolt_survives_a_socket_that_just_ends(server: Server, desk: Desk, people: Crowd) -> None:
    @desk.app.event("message")
    async def message(event: Json, say: AsyncSay) -> None:
        await say(text="back", thread_ts=event["ts"])

    (await desk.connect()).client.ping_interval = 0.1
    misaki = await people(server.people.employees[0])
    await server.drop_sockets()
    await misaki.wait_for(lambda one: one == {"type": "connection", "connected": True}, timeout=15)
    ts = await misaki.say(server.channels.help_desk.id, "there?")
    assert (await misaki.answer(ts))["text"] == "back"


async def test_only_subscribed_events_of_joined_channels_come(server: Server, people: Crowd) -> None:
    wire = await Wire.open(server)
    misaki = await people(server.people.employees[0])
    server.channels.random.members.remove(server.people.bot.id)
    await misaki.say(server.channels.random.id, "@Desk unheard")
    await misaki.speak("en-US")
    dm = await misaki.dm()
    await misaki.say(dm, "heard")
    opened, heard = await wire.event("app_home_opened"), await wire.event("message")
    assert (opened["tab"], opened["user"]) == ("messages", misaki.user_id)
    assert (heard["text"], heard["channel_type"]) == ("heard", "im")
    await wire.socket.close()
