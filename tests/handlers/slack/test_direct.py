"""Direct messages that their askers send on: real requests to the practice workspace."""

from collections.abc import AsyncIterator, Sequence

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.audience import Audience
from bot.domain.card import Card
from bot.domain.prompt import Category
from bot.domain.question import Disclosure, Place, Question, Verdict, Via
from bot.practice import Server, Workspace, serve
from bot.practice.people import TEAM_ID
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.people import Home, People
from tests.bot.things import START
from tests.kits.slack_desk import MANIFEST, PROMPT, texts

OPS, GENERAL, STAFF = "C0OPS000001", "C0GENERAL01", "S0STAFF0001"
KENJI, PRIYA, EMILY, TOM = "U0KENJI0001", "U0PRIYA0001", "U0EMILY0001", "U0TOM000001"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve(Workspace(MANIFEST)) as server:
        yield server


def dm(user: str) -> str:
    """Return the practice workspace's id of a person's direct message with the bot."""
    return f"D{user[1:]}"


def sent_by(asker: str) -> Card:
    asked = Question(
        id="q1",
        text="may I take leave?",
        asker=asker,
        place=Place(team=TEAM_ID, channel=dm(asker), ts="1.000100"),
        via=Via.DM,
        language="en",
        asked_at=START,
        audience=Audience.DIRECT,
        disclosure=Disclosure.NAMED,
    )
    spent = {"latency_ms": 1, "tokens_in": 1, "tokens_out": 1}
    verdict = Verdict(
        id="v1", question_id="q1", release_id="r1", category="labor", reason="", confidence=0.9, at=START, **spent
    )
    return Card(question=asked, verdict=verdict, prompt=PROMPT, settled=None, seen=0)


def category(owner: str | None, channel: str | None = None) -> Category:
    return Category(id="labor", name="Labor", owner=owner, channel=channel)


class Office:
    """A company's choices: its ops channel and its staff."""

    def __init__(self, server: Server, ops: str | None = None, staff: Sequence[str] = ()) -> None:
        self.server = server
        client = AsyncWebClient(token=server.bot_token, base_url=server.api_url, retry_handlers=[])
        self.announcer = SlackAnnouncer(client, People(client, Home(TEAM_ID, server.people.bot.id)), ops, staff)

    async def receivers(self, to: Category, asker: str = EMILY, *, again: bool = False) -> list[str]:
        """Send the question on; return the channels in which it stands, once in each."""
        card = sent_by(asker)
        places = await self.announcer.send_on(card, to, again=again)
        board = self.server.workspace.board
        for channel, ts in places:
            found = [m for m in board.channel_messages(channel) if "may I take leave?" in texts(m)]
            assert [m["ts"] for m in found] == [ts]
            mentions = [] if channel.startswith("D") or to.owner is None else [to.owner]
            assert [one for one in (KENJI, PRIYA, STAFF) if one in texts(found[0])] == mentions
        return [channel for channel, _ in places]


@pytest.mark.parametrize(
    ("to", "ops", "staff", "where"),
    [
        (category(PRIYA, GENERAL), OPS, [STAFF], [GENERAL]),
        (category(PRIYA, "C0NOWHERE"), OPS, [STAFF], [OPS]),
        (category(PRIYA), OPS, [STAFF], [OPS]),
        (category(PRIYA), None, [STAFF], [dm(PRIYA)]),
        (category(STAFF), None, [], [STAFF]),
        (category(None), None, [STAFF], [STAFF]),
        (category(TOM), None, [KENJI], [dm(KENJI)]),
        (category("S0NOGROUP"), None, [KENJI, PRIYA], [dm(KENJI), dm(PRIYA)]),
        (category(EMILY), None, [EMILY, TOM], []),
        (category(None), None, [], []),
    ],
)
async def test_question_goes_to_first_that_may_read(
    server: Server, to: Category, ops: str | None, staff: list[str], where: list[str]
) -> None:
    office = Office(server, ops, staff)
    where = [dm(user) for user in server.people.staff_group.users] if where == [STAFF] else where
    assert await office.receivers(to) == where
    assert await office.receivers(to, again=True) == where, "what was posted is found again"


async def test_asker_is_told_if_nobody_is_reached(server: Server) -> None:
    office, card = Office(server), sent_by(EMILY)
    channel, board = server.workspace.dm(EMILY).id, server.workspace.board
    board.put(channel, {"ts": "1.000100", "user": EMILY, "text": "may I take leave?"})
    for again in (False, True):
        await office.announcer.tell_unreached(card, category(None), again=again)
    assert len([m for m in board.thread(channel, "1.000100") if "reach nobody" in texts(m)]) == 1
