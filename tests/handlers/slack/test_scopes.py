"""Scopes that the installed app lacks, and channels that get a new id."""

import logging
from dataclasses import replace
from typing import Any, cast

import pytest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.domain.question import Arrival, Notice, Place, Via
from bot.practice.people import TEAM_ID
from handlers import channel_ids
from handlers.context import Context
from handlers.slack.connection import bolt_app, fetch_identity
from handlers.slack.policy import Policy
from handlers.slack.scopes import may_be_left_out, missing_scopes
from tests.kits.slack_desk import SlackDesk, texts

OPS, WATCHED, GENERAL = "C0OPS000001", "C0HELPDESK1", "C0GENERAL01"


def without(desk: SlackDesk, *scopes: str) -> None:
    workspace = desk.server.workspace
    workspace.app = replace(workspace.app, scopes=workspace.app.scopes - set(scopes))


async def test_missing_scopes_are_read_from_header(desk: SlackDesk) -> None:
    assert missing_scopes(await fetch_identity(desk.client)) == ()
    without(desk, "files:write", "groups:read")
    assert missing_scopes(await fetch_identity(desk.client)) == ("files:write", "groups:read")


@pytest.mark.parametrize("scopes", [None, "", " "])
def test_untold_scopes_are_not_called_missing(scopes: str | None) -> None:
    assert missing_scopes(AuthorizeResult(enterprise_id=None, team_id="T1", bot_scopes=scopes)) == ()


@pytest.mark.parametrize(
    ("scopes", "people", "allowed"),
    [
        (["groups:history", "groups:read"], ["S1"], True),
        (["usergroups:read"], ["U1"], True),
        (["usergroups:read"], ["U1", "S1"], False),
        (["chat:write"], [], False),
    ],
)
def test_documented_scopes_may_be_left_out(scopes: list[str], people: list[str], *, allowed: bool) -> None:
    assert may_be_left_out(scopes, people) is allowed


async def test_missing_history_scope_does_not_stop_answers(desk: SlackDesk) -> None:
    without(desk, "channels:history")
    emily = await desk.emily()
    ts = await emily.say(GENERAL, "root")
    arrival = Arrival(
        event_id="Ev1", via=Via.DM, place=Place(team=TEAM_ID, channel=GENERAL, ts=ts), asker="U1", text=""
    )
    await desk.announcer.post_notice(arrival, Notice.EMPTY, again=True)
    await emily.answer(ts)


async def announce(desk: SlackDesk, old: str, new: str, ops: str | None) -> None:
    """Have Bolt dispatch the event to a bot with this ops channel."""
    identity = AuthorizeResult(enterprise_id=None, team_id=TEAM_ID, bot_user_id=desk.people.home.bot_user_id)
    app = bolt_app(desk.client, identity)
    nothing = cast("Any", None)
    policy = Policy(desk.people.home.bot_user_id, [WATCHED])
    channel_ids.register(
        app,
        Context(
            nothing,
            nothing,
            desk.client,
            desk.people,
            nothing,
            policy,
            nothing,
            nothing,
            nothing,
            nothing,
            ops_channel=ops,
        ),
    )
    event = {"type": "channel_id_changed", "old_channel_id": old, "new_channel_id": new, "event_ts": "1.0"}
    body = {"type": "event_callback", "team_id": TEAM_ID, "event_id": "Ev9", "event": event}
    await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))


@pytest.mark.parametrize(
    ("old", "new", "ops", "setting"),
    [(WATCHED, "C0NEW000001", OPS, "BOT_CHANNELS"), ("C0OLD000001", OPS, "C0OLD000001", "BOT_OPS_CHANNEL")],
)
async def test_new_channel_id_is_told_to_operators(
    desk: SlackDesk, caplog: pytest.LogCaptureFixture, old: str, new: str, ops: str, setting: str
) -> None:
    yuko = await desk.window(desk.server.people.admin)
    with caplog.at_level(logging.WARNING):
        await announce(desk, old, new, ops)
        told = texts(await yuko.message(lambda m: old in m.get("text", "")))
    assert new in told
    assert setting in told
    assert f"change {setting}" in caplog.text


async def test_new_id_of_other_channel_is_ignored(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "handlers.channel_ids"):
        await announce(desk, "C0ELSE00001", "C0NEW000001", None)
        await announce(desk, WATCHED, "C0NEW000001", None)
        yuko = await desk.window(desk.server.people.admin)
    assert await yuko.history(OPS) == []
    assert "C0ELSE00001" not in caplog.text
