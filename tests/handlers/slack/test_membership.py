"""The readers of a private channel's questions: its members, as Slack lists them, and nobody else."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.corrections.readership import Readership, is_private
from bot.domain.audience import Audience
from bot.domain.question import Disclosure, Place, Question
from bot.practice import Server, Workspace, serve
from handlers.slack.channels import MEMBERS_SECONDS, ChannelMembers
from tests.bot.things import START, arrival, row
from tests.kits.slack_desk import MANIFEST

OPS, KENJI, EMILY = "C0OPS000001", "U0KENJI0001", "U0EMILY0001"


class ReadershipDesk:
    """A workspace and the readership of its channels, at a time that the test moves."""

    def __init__(self, server: Server) -> None:
        self.server, self.now = server, 0.0
        self.client = AsyncWebClient(token=server.bot_token, base_url=server.api_url, retry_handlers=[])
        self.readership = Readership(ChannelMembers(self.client, lambda: self.now))

    async def readers(self, asked: Question) -> list[str]:
        return [user for user in (KENJI, EMILY) if await self.readership.may_read(user, asked)]


@pytest.fixture
async def desk() -> AsyncIterator[ReadershipDesk]:
    async with serve(Workspace(MANIFEST)) as server:
        yield ReadershipDesk(server)


def asked(audience: Audience, channel: str = OPS, disclosure: Disclosure | None = None) -> Question:
    known = arrival()
    return Question(
        id="q1",
        text=known.text,
        asker=EMILY,
        place=Place(team="T1", channel=channel, ts="1.1"),
        via=known.via,
        language="en",
        asked_at=START,
        audience=audience,
        disclosure=disclosure,
    )


async def test_members_alone_read_private_channels(desk: ReadershipDesk) -> None:
    assert await desk.readers(asked(Audience.PUBLIC)) == [KENJI, EMILY]
    for audience in (Audience.PRIVATE, Audience.UNKNOWN):
        assert await desk.readers(asked(audience)) == [KENJI]
    kept = row("x").model_copy(update={"audience": Audience.PRIVATE, "channel": OPS})
    assert await desk.readership.readable(EMILY, [kept, row("y")]) == [row("y")]
    assert (is_private(kept), is_private(row("y"))) == (True, False)


async def test_direct_message_is_read_once_sent(desk: ReadershipDesk) -> None:
    for channel, audience in (("D1", Audience.UNKNOWN), (OPS, Audience.DIRECT)):
        for kept in (None, Disclosure.KEPT):
            assert await desk.readers(asked(audience, channel, kept)) == [EMILY]
        assert await desk.readers(asked(audience, channel, Disclosure.UNNAMED)) == [KENJI, EMILY]


async def test_silent_slack_lets_nobody_read(desk: ReadershipDesk) -> None:
    desk.server.faults.fail("conversations.members")
    private = asked(Audience.PRIVATE)
    assert await desk.readers(private) == []
    assert await desk.readers(private) == [], "the failure is remembered"
    desk.now += MEMBERS_SECONDS
    assert await desk.readers(private) == [KENJI]


async def test_many_readers_are_one_request(desk: ReadershipDesk) -> None:
    private = asked(Audience.PRIVATE)
    desk.server.faults.fail("conversations.members", calls=1)
    first = await asyncio.gather(*(desk.readership.may_read(KENJI, private) for _ in range(20)))
    assert first == [False] * 20, "a second request would have succeeded"
