"""Helpers of the practice tests: a slack-bolt app, its manifest, a clock, people and a raw socket."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any, Self

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from websockets.asyncio.client import ClientConnection, connect

from bot.practice import Person, Server
from bot.practice.people import Member
from bot.practice.wire import Json

SCOPES = "app_mentions:read channels:history channels:read chat:write commands files:read files:write groups:history"
SCOPES += " groups:read im:history im:read im:write reactions:read reactions:write usergroups:read users:read"
EVENTS = "app_home_opened app_mention message.channels message.groups message.im reaction_added reaction_removed"
MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Desk"},
    "features": {
        "bot_user": {"display_name": "Desk"},
        "slash_commands": [
            {"command": "/desk", "description": "Ask the desk", "usage_hint": "[help]", "should_escape": True},
            {"command": "/deaf", "description": "Nobody acks this"},
        ],
        "shortcuts": [
            {"name": "Look at it", "type": "message", "callback_id": "look", "description": "Look"},
            {"name": "New", "type": "global", "callback_id": "new", "description": "New"},
        ],
    },
    "oauth_config": {"scopes": {"bot": SCOPES.split()}},
    "settings": {"event_subscriptions": {"bot_events": EVENTS.split()}, "socket_mode_enabled": True},
}


class PracticeClock:
    """A clock in seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class PracticeDesk:
    """An ordinary slack-bolt app named Desk, and the Socket Mode handlers that connect it."""

    def __init__(self, server: Server) -> None:
        client = AsyncWebClient(token=server.bot_token, base_url=server.api_url)
        self.app = AsyncApp(name="desk", client=client, token=server.bot_token)
        self._server = server
        self.handlers: list[AsyncSocketModeHandler] = []

    async def connect(self) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(self.app, self._server.app_token)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt has no hint here
        self.handlers.append(handler)
        return handler

    async def close(self) -> None:
        while self.handlers:
            handler = self.handlers.pop()
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt has no hint here


class PersonFactory:
    """A factory of `Person` clients: each call opens a window for one sample person, closed with `stack`."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack

    async def __call__(self, member: Member) -> Person:
        return await self._stack.enter_async_context(Person(self._server.url, member.id))


def button(action_id: str, text: str, value: str = "") -> dict[str, Any]:
    element = {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": text}, "value": value}
    return {"type": "actions", "block_id": "buttons", "elements": [element]}


class RawSocket:
    """A raw Socket Mode connection that returns every envelope and acks only on request."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @classmethod
    async def open(cls, server: Server) -> Self:
        """Connect as an app does and read the `hello`."""
        client = AsyncWebClient(base_url=server.api_url)
        answer = await client.apps_connections_open(app_token=server.app_token)
        app_socket = cls(await connect(str(answer["url"]), proxy=None))
        assert (await app_socket.frame())["type"] == "hello"
        return app_socket

    async def frame(self) -> Json:
        """Return the next frame, which must arrive within 3 seconds."""
        async with asyncio.timeout(3):
            frame: Json = json.loads(await self.socket.recv())
            return frame

    async def ack(self, envelope: Json, payload: Json | None = None) -> None:
        body = {"envelope_id": envelope["envelope_id"]} | ({"payload": payload} if payload is not None else {})
        await self.socket.send(json.dumps(body))

    async def event(self, kind: str) -> Json:
        """Ack events until one has this type or subtype, ack it too, and return it."""
        while True:
            envelope = await self.frame()
            await self.ack(envelope)
            event: Json = envelope["payload"]["event"]
            if kind in {event["type"], event.get("subtype")}:
                return event
