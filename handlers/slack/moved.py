"""Channels that got a new id, as when they move to another workspace of the organisation."""

from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from handlers.slack.shared import GUARDED_METHODS, SharedChannels

POST = "chat.postMessage"
NOTHING_ADDED = {"link_names": False, "unfurl_links": False, "unfurl_media": False}
"""Arguments of a post: Slack makes no mention of a name in it, and adds no preview of an address."""
CHANNEL_ARGUMENTS = ("channel", "channel_id")
"""The arguments of Web API methods that name a channel."""


class MovedChannels:
    """The former ids of channels and their new ones."""

    def __init__(self) -> None:
        self._new: dict[str, str] = {}

    def learn(self, moves: Mapping[str, str]) -> None:
        """Add moves: former id → new id."""
        self._new.update(moves)

    def now(self, channel: str) -> str:
        """Return the id that a channel has now."""
        passed: set[str] = set()
        while channel in self._new and channel not in passed:
            passed.add(channel)
            channel = self._new[channel]
        return channel


class FollowingClient(AsyncWebClient):
    """A Web API client that calls each channel by its present id, and posts nothing where another organisation reads.

    Slack adds no mention and no preview to what it posts.

    Attributes:
        moved: The known moves.
        shared: The channels that another organisation reads.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.moved = MovedChannels()
        self.shared = SharedChannels(self)

    async def api_call(self, api_method: str, **options: Any) -> AsyncSlackResponse:
        for part in ("params", "json", "data"):
            arguments = options.get(part)
            if isinstance(arguments, dict):
                present = {name: self.moved.now(arguments[name]) for name in CHANNEL_ARGUMENTS if arguments.get(name)}
                options[part] = {**(NOTHING_ADDED if api_method == POST else {}), **arguments, **present}
                if api_method in GUARDED_METHODS:
                    for channel in present.values():
                        await self.shared.refuse(channel)
        return await super().api_call(api_method, **options)
