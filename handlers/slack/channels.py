"""The audience and the members of a channel, as Slack tells them."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.audience import Audience
from bot.domain.errors import Undelivered
from handlers.slack.failures import call_slack
from handlers.slack.lookups import Lookups

log = logging.getLogger(__name__)

MEMBERS_SECONDS = 60.0
"""Seconds for which a channel's members are cached; who leaves a channel may read on that long."""
MEMBERS_PAGE, MEMBERS_PAGES = 1000, 20
"""Members per request, and most requests: the people of a larger channel beyond them do not count as members."""
EVENT_LOOKUP_SECONDS = 1.0
"""Longest wait for `conversations.info` before an event is acked; Slack allows 3 seconds for the ack."""
AUDIENCE_BY_CHANNEL_TYPE = {
    "channel": Audience.PUBLIC,
    "group": Audience.PRIVATE,
    "mpim": Audience.PRIVATE,
    "im": Audience.DIRECT,
}
"""Slack's `channel_type` of an event → audience."""


class ChannelAudiences:
    """The `Audiences` port over `conversations.info`, with a cache of ten minutes.

    Args:
        client: The Web API.
        now: Seconds of a monotonic clock.
    """

    def __init__(self, client: AsyncWebClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._lookups = Lookups(self._look_up, now)

    async def of(self, channel: str) -> Audience:
        if channel.startswith("D"):
            return Audience.DIRECT
        return await self._lookups.get(channel)

    async def of_event(self, event: Mapping[str, Any]) -> Audience:
        """Return the audience of an event's channel; UNKNOWN if neither the event nor Slack tells it in time."""
        told = AUDIENCE_BY_CHANNEL_TYPE.get(str(event.get("channel_type")))
        return told or await self.of_now(str(event["channel"]))

    async def of_now(self, channel: str) -> Audience:
        """Return the audience of a channel; UNKNOWN if Slack does not tell it within `EVENT_LOOKUP_SECONDS`."""
        try:
            async with asyncio.timeout(EVENT_LOOKUP_SECONDS):
                return await self.of(channel)
        except (Undelivered, TimeoutError):
            return Audience.UNKNOWN

    async def _look_up(self, channel: str) -> Audience:
        try:
            return audience_of((await call_slack(self._client.conversations_info(channel=channel)))["channel"])
        except Undelivered as error:
            if error.final:
                return Audience.UNKNOWN
            raise


class ChannelMembers:
    """The `Membership` port over `conversations.members`, with a cache of one minute.

    It fails closed: while Slack does not list a channel's members, nobody counts as one.

    Args:
        client: The Web API.
        now: Seconds of a monotonic clock.
    """

    def __init__(self, client: AsyncWebClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._lookups = Lookups(self._look_up, now, MEMBERS_SECONDS)

    async def holds(self, channel: str, user: str) -> bool:
        return user in await self._lookups.get(channel)

    async def _look_up(self, channel: str) -> frozenset[str]:
        members: set[str] = set()
        cursor = ""
        try:
            for _ in range(MEMBERS_PAGES):
                page = await call_slack(
                    self._client.conversations_members(channel=channel, limit=MEMBERS_PAGE, cursor=cursor or None)
                )
                members.update(page["members"])
                cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    break
        except Undelivered as error:
            log.warning("the members of channel %s cannot be read, so nobody counts as one: %s", channel, error)
            return frozenset()
        return frozenset(members)


def audience_of(info: Mapping[str, Any]) -> Audience:
    """Return the audience of a channel from Slack's facts about it. Only what is surely public is PUBLIC."""
    if info.get("is_im"):
        return Audience.DIRECT
    if info.get("is_private") or info.get("is_mpim") or info.get("is_group"):
        return Audience.PRIVATE
    public = info.get("is_private") is False and not is_shared(info)
    return Audience.PUBLIC if public else Audience.UNKNOWN


def is_shared(info: Mapping[str, Any]) -> bool:
    """Return whether another organisation reads the channel or is invited to it (Slack Connect)."""
    return bool(info.get("is_ext_shared") or info.get("is_pending_ext_shared"))
