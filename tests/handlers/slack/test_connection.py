"""Calls to Slack share a few connections, and go on when one of them breaks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError
from pydantic import SecretStr

from bot.practice import Server, Workspace, serve
from handlers.slack.connection import CONNECTIONS_PER_HOST, open_client
from handlers.slack.moved import FollowingClient
from handlers.slack.private import is_slacks
from tests.bench.workplace import MANIFEST
from tests.kits.front import Front


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve(Workspace(MANIFEST)) as server:
        yield server


@pytest.fixture
async def front(server: Server) -> AsyncIterator[Front]:
    async with Front(server.url).running() as front:
        server.workspace.url = front.url
        yield front


@pytest.fixture
async def client(server: Server, front: Front) -> AsyncIterator[FollowingClient]:
    async with open_client(SecretStr(server.bot_token), f"{front.url}api/") as client:
        yield client


def test_only_slacks_response_urls_are_answered() -> None:
    ours = ["https://hooks.slack.com/actions/T1/2/3", "https://hooks.slack-gov.com/commands/T1/2/3"]
    others = [
        "http://hooks.slack.com/actions/T1/2/3",
        "https://hooks.slack.com.example.org/",
        "https://slack.com@example.org/",
        "https://evilslack.com/",
        "https://hooks.slack.com:8443/",
        "http://127.0.0.1:8080/hooks/1",
        "http://[",
    ]
    assert [url for url in ours + others if is_slacks(url, "https://slack.com/api/")] == ours


def test_stand_ins_response_url_is_answered() -> None:
    assert is_slacks("http://127.0.0.1:8080/hooks/1", "http://127.0.0.1:8080/api/")


async def test_many_calls_share_few_connections(client: FollowingClient, front: Front) -> None:
    for _ in range(3):
        await asyncio.gather(*[client.auth_test() for _ in range(20)])
    assert 1 <= front.connections <= CONNECTIONS_PER_HOST


async def test_call_after_peer_closed_is_answered(client: FollowingClient, front: Front, server: Server) -> None:
    await client.auth_test()
    await front.hang_up()
    assert (await client.chat_postMessage(channel=server.channels.help_desk.id, text="Hello"))["ok"]


async def test_broken_connection_repeats_reading_only(client: FollowingClient, front: Front, server: Server) -> None:
    channel = server.channels.help_desk.id
    await client.auth_test()
    front.break_next()
    assert (await client.conversations_info(channel=channel))["ok"]
    await client.chat_postMessage(channel=channel, text="Who reads this channel is known now")
    front.break_next()
    with pytest.raises(ClientError):
        await client.chat_postMessage(channel=channel, text="Only once")
    history = await client.conversations_history(channel=channel)
    assert [message["text"] for message in history["messages"]].count("Only once") <= 1
