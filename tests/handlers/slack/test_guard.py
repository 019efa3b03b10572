"""Permissions and lookups of people: real requests to the practice workspace, and a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Reason, Refused
from bot.practice import Server, Workspace, serve
from bot.practice.people import TEAM_ID
from handlers.slack.guard import FAILURE_SECONDS, Guard
from handlers.slack.people import Home, People
from tests.kits.slack_desk import MANIFEST

STAFF, ADMINS = "S0STAFF0001", "S0ADMINS001"
KENJI, EMILY, YUKO = "U0KENJI0001", "U0EMILY0001", "U0YUKO00001"
TOM, LENA = "U0TOM000001", "U0LENA00001"


class ManualClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve(Workspace(MANIFEST)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> AsyncWebClient:
    return AsyncWebClient(token=server.bot_token, base_url=server.api_url, retry_handlers=[])


@pytest.fixture
def people(client: AsyncWebClient) -> People:
    return People(client, Home(TEAM_ID, "U0BOTUSER01"))


async def test_roles_take_users_and_groups(client: AsyncWebClient, people: People) -> None:
    guard = Guard([STAFF, EMILY], [ADMINS], client, people)
    assert [await guard.is_staff(user) for user in (KENJI, EMILY, YUKO)] == [True, True, False]
    assert [await guard.is_admin(user) for user in (KENJI, EMILY, YUKO)] == [False, False, True]
    assert guard.staff_mentions() == f"<!subteam^{STAFF}>, <@{EMILY}>"


async def test_empty_role_means_nobody(client: AsyncWebClient, people: People) -> None:
    guard = Guard([], [], client, people)
    assert not await guard.is_staff(KENJI)
    assert not await guard.is_admin(YUKO)
    with pytest.raises(Refused) as refused:
        await guard.staff_only(KENJI)
    assert (refused.value.reason, refused.value.facts) == (Reason.NOT_STAFF, {"who": "BOT_STAFF"})
    with pytest.raises(Refused) as refused:
        await guard.admins_only(YUKO)
    assert refused.value.reason is Reason.NOT_ADMIN


@pytest.mark.parametrize("status", [0, 429, 500])
async def test_failed_lookup_refuses_for_some_seconds(
    server: Server, client: AsyncWebClient, people: People, status: int
) -> None:
    now = ManualClock()
    guard = Guard([STAFF], [], client, people, now=now)
    faults = server.workspace.faults
    if status:
        faults.fail("usergroups.users.list", status)
    else:
        faults.drop("usergroups.users.list", calls=2)  # aiohttp itself repeats a GET once
    assert [await guard.is_staff(KENJI) for _ in range(25)] == [False] * 25
    now.now = FAILURE_SECONDS
    assert await guard.is_staff(KENJI)


async def test_concurrent_presses_share_one_lookup(server: Server, client: AsyncWebClient, people: People) -> None:
    guard = Guard([STAFF], [], client, people)
    gate = server.workspace.faults.hold("usergroups.users.list", before=True)
    server.workspace.faults.fail("usergroups.users.list", calls=1)  # would fail a second request
    pressed = [asyncio.create_task(guard.is_staff(KENJI)) for _ in range(25)]
    await asyncio.sleep(0.05)
    gate.set()
    assert all(await asyncio.gather(*pressed))


async def test_group_gives_guests_and_strangers_nothing(server: Server, client: AsyncWebClient, people: People) -> None:
    group, bot = server.people.staff_group, server.people.bot
    leaver = server.people.staff[1]
    group.users.extend([TOM, LENA, bot.id])
    leaver.is_deactivated = True
    guard = Guard([STAFF], [], client, people)
    assert [await guard.is_staff(user) for user in (TOM, LENA, bot.id, leaver.id, KENJI)] == [False] * 4 + [True]
    server.workspace.faults.fail("users.info", calls=1)
    people.forget()
    assert not await guard.is_staff(KENJI), "nobody knows whether this is a guest"
    assert await Guard([TOM], [], client, people).is_staff(TOM), "an operator named the guest"


async def test_unknown_group_has_no_members(client: AsyncWebClient, people: People) -> None:
    assert not await Guard(["S0NOTHING01"], [], client, people).is_staff(KENJI)


async def test_removed_member_loses_role_within_a_minute(
    server: Server, client: AsyncWebClient, people: People
) -> None:
    now = ManualClock()
    guard = Guard([STAFF], [], client, people, now=now)
    assert await guard.is_staff(KENJI)
    server.people.staff_group.users.remove(KENJI)
    now.now = 61
    assert not await guard.is_staff(KENJI)
    server.workspace.faults.fail("usergroups.users.list", calls=3)
    now.now = 200
    assert not await guard.is_staff("U0PRIYA0001")


async def test_lookup_tells_language_and_outsiders(client: AsyncWebClient) -> None:
    people = People(client, Home(TEAM_ID, "U0BOTUSER01"))
    kenji, tom, bot = await people.get(KENJI), await people.get(TOM), await people.get("U0BOTUSER01")
    assert (kenji.language, kenji.outsider, kenji.is_bot) == ("ja", False, False)
    assert (tom.language, tom.outsider) == ("en", True)
    assert bot.is_bot
    assert (await people.get("U0NOBODY001")).outsider


async def test_other_team_is_outsider_unless_same_enterprise(client: AsyncWebClient) -> None:
    assert (await People(client, Home("T0OTHER0001", "U1")).get(KENJI)).outsider
    people = People(client, Home("T0OTHER0001", "U1", enterprise="E1"))
    assert people._is_outsider({"team_id": "T2"})
    assert not people._is_outsider({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}})
    assert people._is_outsider({"team_id": "T0OTHER0001", "is_stranger": True})
    assert people._is_outsider({"team_id": "T0OTHER0001", "is_ultra_restricted": True})


async def test_failed_lookup_makes_nobody_an_insider(server: Server, client: AsyncWebClient) -> None:
    people = People(client, Home(TEAM_ID, "U0BOTUSER01"))
    server.workspace.faults.fail("users.info", calls=2)
    with pytest.raises(SlackApiError):
        await people.get(KENJI)
    assert (await people.words(KENJI)).language == "en"
    assert (await people.words(KENJI)).language == "ja"


async def test_people_are_cached_for_ten_minutes(server: Server, client: AsyncWebClient) -> None:
    now = ManualClock()
    people = People(client, Home(TEAM_ID, "U0BOTUSER01"), now=now)
    await people.get(KENJI)
    server.people.staff[0].locale = "en-US"
    assert (await people.get(KENJI)).language == "ja"
    now.now = 601
    assert (await people.get(KENJI)).language == "en"


async def test_concurrent_lookups_share_one_request(server: Server, client: AsyncWebClient) -> None:
    people = People(client, Home(TEAM_ID, "U0BOTUSER01"))
    gate = server.workspace.faults.hold("users.info", before=True)
    server.workspace.faults.fail("users.info", calls=1)  # would fail a second request
    asked = [asyncio.create_task(people.get(KENJI)) for _ in range(20)]
    await asyncio.sleep(0.05)
    asked.pop().cancel()
    gate.set()
    assert {person.id for person in await asyncio.gather(*asked)} == {KENJI}
    assert server.workspace.faults.waiting("users.info") == 1


async def test_configured_language_applies_to_everybody(client: AsyncWebClient) -> None:
    assert (await People(client, Home(TEAM_ID, "U1"), "en").get(KENJI)).language == "en"


async def test_missing_group_scope_is_asked_once_a_minute(
    server: Server, client: AsyncWebClient, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    workspace, clock = server.workspace, ManualClock()
    app = workspace.app
    workspace.app = replace(app, scopes=app.scopes - {"usergroups:read"})
    guard = Guard([STAFF], [], client, people, now=clock)
    assert [await guard.is_staff(user) for user in (KENJI, KENJI, EMILY)] == [False] * 3
    assert caplog.text.count("missing_scope") == 1
    workspace.app = app
    clock.now = 61.0
    assert await guard.is_staff(KENJI)
