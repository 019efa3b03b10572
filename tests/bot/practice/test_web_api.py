"""The Web API over HTTP: tokens, scopes, encodings, conversations, messages and their errors."""

import json
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

from bot.practice import Server, Workspace, serve
from bot.practice.person import loopback
from bot.practice.wire import Json
from tests.bot.practice.desk import MANIFEST, PersonFactory


async def error_answer(client: AsyncWebClient, method: str, **args: Any) -> Json:
    """Call a method that must fail and return the whole answer."""
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, json=args)
    return dict(caught.value.response.data)


async def test_wrong_token_is_refused(server: Server) -> None:
    calls: list[tuple[str, str, str]] = [
        ("auth.test", "", "not_authed"),
        ("auth.test", "Bearer xoxb-wrong", "invalid_auth"),
        ("apps.connections.open", f"Bearer {server.bot_token}", "not_allowed_token_type"),
        ("chat.postMessage", f"Bearer {server.app_token}", "not_allowed_token_type"),
        ("chat.shout", f"Bearer {server.bot_token}", "unknown_method"),
    ]
    async with loopback(server.api_url) as http:
        for method, sent, error in calls:
            answer = await http.post(method, headers={"authorization": sent})
            assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (200, False, error)


async def test_every_encoding_of_slack_sdk_is_accepted(server: Server) -> None:
    place, blocks = server.channels.help_desk.id, [{"type": "divider"}]
    full: Json = {"channel": place, "text": "日本語 & more", "blocks": blocks}
    form = full | {"blocks": json.dumps(blocks), "metadata": json.dumps({"event_type": "q", "event_payload": {"n": 1}})}
    token = {"token": server.bot_token}
    bearer = {"authorization": f"Bearer {server.bot_token}"}
    async with loopback(server.api_url) as http:
        answers = [
            await http.post("chat.postMessage", json=full, headers=bearer),
            await http.post("chat.postMessage", data=form | token),
            await http.post("chat.postMessage", data=form, headers=bearer),
            await http.post("chat.postMessage", params=form | token),
            await http.get("chat.postMessage", params=form | token),
            await http.post("chat.postMessage", params={"team_id": "T0PRACTICE1"}, json=full, headers=bearer),
            await http.post("chat.postMessage", data=form, files={"file": b""}, params=token),
        ]
        in_json = await http.post("chat.postMessage", json=full | token)
        broken = await http.post("auth.test", content=b"{", headers=bearer | {"content-type": "application/json"})
        listed = await http.post("auth.test", content=b"[]", headers=bearer | {"content-type": "application/json"})
    for answer in answers:
        assert answer.json()["ok"], answer.text
        assert answer.json()["message"]["text"] == "日本語 & more"
        assert answer.json()["message"]["blocks"][0]["type"] == "divider"
    assert "chat:write" in answers[0].headers["x-oauth-scopes"]
    assert in_json.json()["error"] == "not_authed"
    assert (broken.json()["error"], listed.json()["error"]) == ("invalid_json", "json_not_object")


async def test_call_without_its_scope_is_refused() -> None:
    calls: list[tuple[str, Json, str]] = [
        ("chat.postMessage", {"channel": "C0HELPDESK1", "text": "x"}, "chat:write"),
        ("users.info", {"user": "U0MISAKI001"}, "users:read"),
        ("usergroups.users.list", {"usergroup": "S0STAFF0001"}, "usergroups:read"),
        ("conversations.info", {"channel": "C0HELPDESK1"}, "channels:read"),
        ("conversations.history", {"channel": "C0HELPDESK1"}, "channels:history"),
        ("conversations.history", {"channel": "C0OPS000001"}, "groups:history"),
        ("conversations.list", {"types": "im"}, "im:read"),
        ("conversations.open", {"users": "U0MISAKI001"}, "im:write"),
        ("reactions.add", {"channel": "C0HELPDESK1", "name": "eyes", "timestamp": "1.0"}, "reactions:write"),
        ("files.getUploadURLExternal", {"filename": "a.txt", "length": 3}, "files:write"),
        ("files.info", {"file": "F0"}, "files:read"),
    ]
    async with serve(Workspace(MANIFEST | {"oauth_config": {"scopes": {"bot": ["commands"]}}})) as server:
        client = AsyncWebClient(token=server.bot_token, base_url=server.api_url)
        answers = [await error_answer(client, method, **args) for method, args, _ in calls]
    assert {(one["error"], one["provided"]) for one in answers} == {("missing_scope", "commands")}
    assert [one["needed"] for one in answers] == [scope for _, _, scope in calls]


async def test_users_groups_and_bot_are_described(server: Server, client: AsyncWebClient) -> None:
    me = await client.auth_test()
    assert (me["user_id"], me["bot_id"], me["url"]) == (server.people.bot.id, "B0PRACTICE1", server.url)
    guest = (await client.users_info(user=server.people.guest.id, include_locale=True))["user"]
    assert (guest["is_restricted"], guest["locale"]) == (True, "en-US")
    assert "locale" not in (await client.users_info(user=server.people.admin.id))["user"]
    users = await client.usergroups_users_list(usergroup=server.people.staff_group.id)
    assert users["users"] == [one.id for one in server.people.staff]
    assert len((await client.usergroups_list(include_users=True))["usergroups"]) == 7
    assert (await client.bots_info(bot=me["bot_id"]))["bot"]["user_id"] == me["user_id"]
    members = [user["id"] async for page in await client.users_list(limit=3) for user in page["members"]]
    assert members == [one.id for one in server.people]


async def test_conversations_are_described_opened_and_listed(server: Server, client: AsyncWebClient) -> None:
    info = (await client.conversations_info(channel=server.channels.help_desk.id, include_num_members=True))["channel"]
    assert (info["name"], info["is_member"], info["is_private"], info["num_members"]) == ("help-desk", True, False, 11)
    dm = (await client.conversations_open(users=server.people.guest.id, return_im=True))["channel"]
    assert (dm["is_im"], dm["user"]) == (True, server.people.guest.id)
    assert (await client.conversations_open(users=server.people.guest.id))["channel"]["id"] == dm["id"]
    listed = (await client.conversations_list(types="public_channel,private_channel,im"))["channels"]
    assert {one["id"] for one in listed} == {*(one.id for one in server.channels), dm["id"]}
    members = (await client.conversations_members(channel=server.channels.ops.id))["members"]
    assert server.people.guest.id not in members


async def test_history_is_paged_and_bounded_by_time(server: Server, client: AsyncWebClient) -> None:
    place = server.channels.help_desk.id
    stamps = [str((await client.chat_postMessage(channel=place, text=str(number)))["ts"]) for number in range(7)]
    await client.chat_postMessage(channel=place, text="in a thread", thread_ts=stamps[0])
    first = await client.conversations_history(channel=place, limit=3)
    assert ([one["text"] for one in first["messages"]], first["has_more"]) == (["6", "5", "4"], True)
    # A message that arrives between two pages does not move the second one.
    await client.chat_postMessage(channel=place, text="new")
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel=place, limit=4, cursor=cursor)
    assert ([one["text"] for one in second["messages"]], second["has_more"]) == (["3", "2", "1", "0"], False)
    since = await client.conversations_history(channel=place, oldest=stamps[4], latest=stamps[6])
    assert [one["text"] for one in since["messages"]] == ["5"]
    closed = await client.conversations_history(channel=place, oldest=stamps[4], latest=stamps[6], inclusive=True)
    assert [one["text"] for one in closed["messages"]] == ["6", "5", "4"]
    assert (await error_answer(client, "conversations.history", channel=place, cursor="???"))[
        "error"
    ] == "invalid_cursor"


async def test_thread_replies_carry_metadata_on_request(
    server: Server, client: AsyncWebClient, people: PersonFactory
) -> None:
    misaki, place = await people(server.people.employees[0]), server.channels.help_desk.id
    root = await misaki.say(place, "?")
    metadata_sent = Metadata("answer", {"question_id": "q1"})
    reply = await client.chat_postMessage(channel=place, text="!", thread_ts=root, metadata=metadata_sent)
    # A reply to a reply joins the same thread.
    await client.chat_postMessage(channel=place, text="!!", thread_ts=str(reply["ts"]))
    plain = (await client.conversations_replies(channel=place, ts=root))["messages"]
    assert [one["text"] for one in plain] == ["?", "!", "!!"]
    assert plain[0]["reply_count"] == 2
    assert plain[1]["parent_user_id"] == misaki.user_id
    assert not any("metadata" in one for one in plain)
    full = (await client.conversations_replies(channel=place, ts=root, include_all_metadata=True))["messages"]
    assert full[1]["metadata"] == {"event_type": "answer", "event_payload": {"question_id": "q1"}}
    link = (await client.chat_getPermalink(channel=place, message_ts=str(reply["ts"])))["permalink"]
    assert link.startswith(f"{server.url}archives/{place}/p{str(reply['ts']).replace('.', '')}?thread_ts={root}")


async def test_update_keeps_or_replaces_blocks(server: Server, client: AsyncWebClient) -> None:
    place = server.channels.help_desk.id
    sent = await client.chat_postMessage(channel=place, text="a", blocks=[{"type": "divider"}])
    kept = await client.chat_update(channel=place, ts=str(sent["ts"]), text="b")
    assert kept["message"]["blocks"][0]["type"] == "divider"
    new = await client.chat_update(channel=place, ts=str(sent["ts"]), text="c", blocks=[])
    assert new["message"]["blocks"][0]["type"] == "rich_text"
    assert new["message"]["edited"]["user"] == server.people.bot.id


async def test_reactions_are_added_and_removed_once(server: Server, client: AsyncWebClient) -> None:
    place = server.channels.help_desk.id
    ts = str((await client.chat_postMessage(channel=place, text="a"))["ts"])
    await client.reactions_add(channel=place, timestamp=ts, name="eyes")
    got = (await client.reactions_get(channel=place, timestamp=ts))["message"]["reactions"]
    assert got == [{"name": "eyes", "users": [server.people.bot.id], "count": 1}]
    again = await error_answer(client, "reactions.add", channel=place, timestamp=ts, name="eyes")
    await client.reactions_remove(channel=place, timestamp=ts, name="eyes")
    gone = await error_answer(client, "reactions.remove", channel=place, timestamp=ts, name="eyes")
    assert (again["error"], gone["error"]) == ("already_reacted", "no_reaction")


REFUSALS: list[tuple[str, Json, str]] = [
    ("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "C0RANDOM001", "text": "x"}, "not_in_channel"),
    ("chat.postMessage", {"channel": "C0HELPDESK1"}, "no_text"),
    ("chat.postMessage", {"channel": "C0HELPDESK1", "text": "x", "blocks": "{"}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": "C0HELPDESK1", "text": "x", "metadata": "?"}, "invalid_metadata_format"),
    ("chat.postMessage", {"channel": "C0HELPDESK1", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_schema"),
    ("chat.postEphemeral", {"channel": "C0OPS000001", "user": "U0TOM000001", "text": "x"}, "user_not_in_channel"),
    ("chat.update", {"channel": "C0HELPDESK1", "ts": "1.000001", "text": "x"}, "message_not_found"),
    ("chat.update", {"channel": "C0HELPDESK1", "ts": "OTHERS", "text": "x"}, "cant_update_message"),
    ("chat.update", {"channel": "C0HELPDESK1", "ts": "OWN", "text": "x" * 4001}, "msg_too_long"),
    ("chat.delete", {"channel": "C0HELPDESK1", "ts": "OTHERS"}, "cant_delete_message"),
    ("chat.getPermalink", {"channel": "C0HELPDESK1", "message_ts": "1.0"}, "message_not_found"),
    ("conversations.history", {"channel": "C0RANDOM001"}, "not_in_channel"),
    ("conversations.history", {"channel": "C0HELPDESK1", "limit": "many"}, "invalid_limit"),
    ("conversations.replies", {"channel": "C0HELPDESK1", "ts": "1.000001"}, "thread_not_found"),
    ("conversations.open", {"users": "U404"}, "user_not_found"),
    ("users.info", {"user": "U404"}, "user_not_found"),
    ("users.info", {}, "invalid_arguments"),
    ("usergroups.users.list", {"usergroup": "S404"}, "no_such_subteam"),
    ("bots.info", {"bot": "B404"}, "bot_not_found"),
    ("files.info", {"file": "F404"}, "file_not_found"),
    ("views.update", {"view_id": "V404", "view": {}}, "not_found"),
]


async def test_refused_calls_return_slacks_error(server: Server, client: AsyncWebClient, people: PersonFactory) -> None:
    server.channels.random.members.remove(server.people.bot.id)
    place = server.channels.help_desk.id
    own = str((await client.chat_postMessage(channel=place, text="mine"))["ts"])
    others = await (await people(server.people.employees[0])).say(place, "yours")
    known = {"OWN": own, "OTHERS": others}
    answers = []
    for method, args, _ in REFUSALS:
        filled = {key: known.get(str(value), value) for key, value in args.items()}
        answers.append((method, args, (await error_answer(client, method, **filled))["error"]))
    assert answers == REFUSALS


async def test_text_over_forty_thousand_characters_is_cut(server: Server, client: AsyncWebClient) -> None:
    sent = await client.chat_postMessage(channel=server.channels.help_desk.id, text="x" * 40_001)
    assert len(sent["message"]["text"]) == 40_000


async def test_reply_to_deleted_message_lands_in_channel(server: Server, client: AsyncWebClient) -> None:
    place = server.channels.help_desk.id
    root = str((await client.chat_postMessage(channel=place, text="root"))["ts"])
    reply = await client.chat_postMessage(channel=place, text="in time", thread_ts=root)
    assert reply["message"]["thread_ts"] == root
    await client.chat_delete(channel=place, ts=str(reply["ts"]))
    await client.chat_delete(channel=place, ts=root)
    orphan = await client.chat_postMessage(channel=place, text="too late", thread_ts=root)
    assert "thread_ts" not in orphan["message"]
    assert [m["ts"] for m in (await client.conversations_history(channel=place))["messages"]] == [orphan["ts"]]
