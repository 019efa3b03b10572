"""Enterprise Grid: colleagues of a sibling workspace are members; other organisations' people are not."""

from dataclasses import replace

import pytest

from bot.practice import Person
from bot.practice.people import TEAM_ID
from tests.kits.slack_desk import SlackDesk, private, texts

GENERAL, WATCHED = "C0GENERAL01", "C0HELPDESK1"
OURS, OTHERS, SIBLING = "E0OURS00001", "E0OTHERS001", "T0SIBLING01"


async def colleague(desk: SlackDesk, enterprise: str = OURS, team: str = SIBLING) -> Person:
    """Return Emily's window after she has moved to another workspace of this enterprise."""
    emily = await desk.emily()
    desk.people.home = replace(desk.people.home, enterprise=OURS)
    member = desk.server.people.employees[1]
    member.team_id, member.enterprise_id = team, enterprise
    return emily


async def test_question_from_sibling_workspace_is_answered(desk: SlackDesk) -> None:
    emily = await colleague(desk)
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert "IT" in texts(await emily.answer(ts))
    await desk.settled()
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert (question.asker, question.text) == (emily.user_id, "my laptop is broken")


async def test_shortcut_serves_sibling_workspace(desk: SlackDesk) -> None:
    emily, priya = await colleague(desk), await desk.priya()
    ts = await emily.say(GENERAL, "my laptop is broken")
    (message,) = [m for m in await priya.history(GENERAL) if m["ts"] == ts]
    assert message["user_team"] == SIBLING
    await emily.shortcut("ask_madoguchi", message)
    assert "IT" in texts(await emily.answer(ts))


async def test_command_serves_sibling_workspace(desk: SlackDesk) -> None:
    emily = await colleague(desk)
    await emily.command("/finetune help")
    await emily.message(private("/finetune"))


@pytest.mark.parametrize(("enterprise", "team"), [(OTHERS, "T0OTHERS001"), (OTHERS, SIBLING)])
async def test_person_of_other_enterprise_stays_outsider(desk: SlackDesk, enterprise: str, team: str) -> None:
    emily = await colleague(desk, enterprise, team)
    await emily.say(WATCHED, "my laptop is broken")
    assert (await emily.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")
    await desk.settled()
    assert await desk.questions() == 0


async def test_nobody_is_sibling_outside_of_grid(desk: SlackDesk) -> None:
    emily = await colleague(desk)
    desk.people.home = replace(desk.people.home, enterprise=None)
    assert desk.people.home.team == TEAM_ID
    await emily.say(WATCHED, "my laptop is broken")
    assert (await emily.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")


async def test_own_enterprise_is_learnt_from_bot_user(desk: SlackDesk) -> None:
    """Slack's auth.test does not always tell the enterprise."""
    emily = await colleague(desk)
    desk.people.home = replace(desk.people.home, enterprise=None)
    desk.server.people.bot.enterprise_id = OURS
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert "IT" in texts(await emily.answer(ts))
    assert desk.people.home.enterprise == OURS
