"""Scopes that the installed app lacks."""

from dataclasses import replace
from functools import partial

import pytest
from slack_bolt.authorization import AuthorizeResult

from bot.domain.question import Arrival, Notice, Place, Via
from bot.practice.people import TEAM_ID
from handlers.slack.connection import fetch_identity
from handlers.slack.scopes import may_be_left_out, missing_scopes
from tests.kits.slack_desk import SlackDesk, asked, card, eventually, texts

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


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_asker_is_told_of_missing_scope_once(
    desk: SlackDesk, caplog: pytest.LogCaptureFixture, language: str
) -> None:
    desk.people._language = language
    without(desk, "users:read")
    emily = await desk.emily()
    await emily.say("C0HELPDESK1", "my laptop is broken")
    told = await emily.message(lambda m: bool(m.get("ephemeral")))
    assert "`users:read`" in texts(told)
    assert {"en": "the people who run me", "ja": "運用担当者"}[language] in texts(told)
    await desk.settled()
    assert not [record for record in caplog.records if record.exc_info]
    assert caplog.text.count("lacks the scope users:read") == 1


async def test_export_without_scope_says_which(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    priya = await desk.priya()
    await priya.press(await card(priya, await asked(desk)), "correct.agree")
    without(desk, "files:write")
    yuko = await desk.window(desk.server.people.admin)
    await eventually(partial(rows, desk))
    await yuko.command("/finetune export")
    assert "`files:write`" in texts(await yuko.message(lambda m: bool(m.get("ephemeral"))))
    assert not [record for record in caplog.records if record.exc_info]


async def rows(desk: SlackDesk) -> int:
    async with desk.store.transaction() as tx:
        return sum((await tx.rows.counts()).values())
