"""Enterprise Grid: colleagues of a sibling workspace are members; other organisations' people are not."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.practice import Person
from storage.store import SqlStore
from tests.kits.slack_desk import SlackDesk, open_desk, private, texts

GENERAL, WATCHED = "C0GENERAL01", "C0HELPDESK1"
OURS, OTHERS, SIBLING = "E0OURS00001", "E0OTHERS001", "T0SIBLING01"


@pytest.fixture
async def grid(store: SqlStore) -> AsyncIterator[SlackDesk]:
    """Return a desk whose workspace belongs to an enterprise, as `auth.test` says."""
    async with open_desk(store, enterprise=OURS) as desk:
        yield desk


async def colleague(desk: SlackDesk, enterprise: str = OURS, team: str = SIBLING) -> Person:
    """Return Emily's window after she has moved to another workspace."""
    member = desk.server.people.employees[1]
    member.team_id, member.enterprise_id = team, enterprise
    return await desk.emily()


async def refused(emily: Person) -> bool:
    """Return whether a question of hers in the watched channel is refused in private."""
    await emily.say(WATCHED, "my laptop is broken")
    return bool((await emily.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral"))


async def test_sibling_workspace_asks_commands_and_shares(grid: SlackDesk) -> None:
    emily, priya = await colleague(grid), await grid.priya()
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert "IT" in texts(await emily.answer(ts))
    await grid.settled()
    question = await grid.question(WATCHED, ts)
    assert question is not None
    assert (question.asker, question.text) == (emily.user_id, "my laptop is broken")
    assert grid.people.home.enterprise == OURS

    ts = await emily.say(GENERAL, "my other laptop is broken too")
    (message,) = [m for m in await priya.history(GENERAL) if m["ts"] == ts]
    assert message["user_team"] == SIBLING
    await emily.shortcut("ask_madoguchi", message)
    assert "IT" in texts(await emily.answer(ts))

    direct = grid.server.workspace.dm(emily.user_id).id
    assert "IT" in texts(await emily.answer(await emily.say(direct, "the laptop is lost")))

    await emily.command("/finetune help")
    await emily.message(private("/finetune"))


@pytest.mark.parametrize(("enterprise", "team"), [(OTHERS, "T0OTHERS001"), (OTHERS, SIBLING)])
async def test_person_of_other_enterprise_stays_outsider(grid: SlackDesk, enterprise: str, team: str) -> None:
    assert await refused(await colleague(grid, enterprise, team))
    await grid.settled()
    assert await grid.questions() == 0


async def test_nobody_is_sibling_outside_of_grid(desk: SlackDesk) -> None:
    assert await refused(await colleague(desk))


async def test_own_enterprise_is_learnt_from_bot_user(grid: SlackDesk) -> None:
    """Slack's auth.test does not always tell the enterprise."""
    emily = await colleague(grid)
    grid.people.home = replace(grid.people.home, enterprise=None)
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert "IT" in texts(await emily.answer(ts))
    assert grid.people.home.enterprise == OURS
