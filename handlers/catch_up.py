"""Reads of the watched channels, after each connect and at intervals, to find questions whose event never came."""

import logging
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Undelivered
from bot.domain.question import Arrival
from bot.ports import Clock
from bot.questions.catching_up import EVENT_GRACE, CatchingUp
from handlers.questions import arrival_of
from handlers.slack.channels import audience_of, is_shared
from handlers.slack.failures import SLACK_FAILURES, TRANSIENT_ERRORS, error_name
from handlers.slack.moved import MovedChannels
from handlers.slack.policy import Policy
from handlers.slack.reading import MessageReader

log = logging.getLogger(__name__)

READ_INTERVAL = timedelta(minutes=4)
"""Interval between reads while the connection lasts."""
HISTORY_PAGE = 200
"""Messages read per request."""


class SlackHistory:
    """The History port over Slack's Web API."""

    def __init__(self, client: AsyncWebClient, reader: MessageReader, policy: Policy) -> None:
        self._client = client
        self._reader = reader
        self._policy = policy

    async def asked(self, channel: str, since: datetime, until: datetime) -> AsyncIterator[tuple[datetime, Arrival]]:
        """Yield the channel's messages that ask the bot something, each with the time it was posted.

        Raises:
            SlackClientError, aiohttp.ClientError, TimeoutError, Undelivered: A call of the Web API failed.
        """
        info: dict[str, Any] | None = None
        async for message in self._messages(channel, since, until):
            addressed = self._policy.from_history(message, channel)
            if addressed is None:
                continue
            if info is None:
                info = (await self._client.conversations_info(channel=channel))["channel"]
            arrival_id, shared = f"history:{channel}:{message['ts']}", is_shared(info)
            arrival = await arrival_of(self._reader, addressed, arrival_id, shared=shared)
            if arrival:
                audience = {"audience": audience_of(info)}
                yield datetime.fromtimestamp(float(message["ts"]), UTC), arrival.model_copy(update=audience)

    async def _messages(self, channel: str, since: datetime, until: datetime) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = await self._client.conversations_history(
                channel=channel,
                oldest=f"{since.timestamp():.6f}",
                latest=f"{until.timestamp():.6f}",
                limit=HISTORY_PAGE,
                cursor=cursor,
            )
            for message in page["messages"]:
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return


class CatchUp:
    """The times at which the watched channels are read, and the reading.

    Args:
        catching_up: Reads one channel.
        channels: Ids of the watched channels.
        clock: The time.
        wake: Wakes a worker that answers questions.
        tick_now: Has `tick` called at once instead of at the next interval.
        moved: Channels that got new ids.
    """

    def __init__(
        self,
        catching_up: CatchingUp,
        channels: Collection[str],
        clock: Clock,
        wake: Callable[[], None],
        tick_now: Callable[[], None],
        moved: MovedChannels | None = None,
    ) -> None:
        self._catching_up = catching_up
        self._channels = channels
        self._clock = clock
        self._wake = wake
        self._tick_now = tick_now
        self._connected_at: datetime | None = None
        self._read_at: datetime | None = None
        self._moved = moved or MovedChannels()
        self._unreadable: dict[str, str] = {}
        self._stored: dict[str, str] | None = None

    def connected(self) -> None:
        """Note a new connection to Slack: earlier messages may have been missed."""
        self._connected_at = self._clock.now()
        self._tick_now()

    async def tick(self) -> None:
        """Read all channels if a read is due.

        After a connect each tick reads, until a read starts `SETTLED` after that connect: only then is every earlier
        message old enough to be read.
        """
        now = self._clock.now()
        incomplete = self._connected_at and self._read_at and self._read_at < self._connected_at + EVENT_GRACE
        if self._read_at and not incomplete and now - self._read_at < READ_INTERVAL:
            return
        if all([await self._read(self._moved.now(channel)) for channel in self._channels]):
            self._read_at = now
        if self._unreadable != self._stored:
            await self._catching_up.store_unreadable(self._unreadable)
            self._stored = dict(self._unreadable)

    async def _read(self, channel: str) -> bool:
        """Read one channel. Return False if the next tick should try it again; a permanent refusal counts as read."""
        try:
            if await self._catching_up.catch_up(channel):
                self._wake()
        except (*SLACK_FAILURES, Undelivered) as error:
            name = error_name(error)
            if name is None or name in TRANSIENT_ERRORS:
                log.warning("%s: the history cannot be read now: %s", channel, name or type(error).__name__)
                return False
            if channel not in self._unreadable:
                log.warning("%s: the history cannot be read, so questions may be missed: %s", channel, name)
            self._unreadable[channel] = name
        else:
            self._unreadable.pop(channel, None)
        return True
