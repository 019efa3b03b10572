"""The story of catching up: reads the watched channels after each connect, and now and then."""

import logging
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.question import Arrival
from bot.ports import Clock
from bot.questions.catching_up import SETTLED, CatchingUp
from handlers.questions import arrival_of
from handlers.slack.failures import SLACK_FAILURES, TRANSIENT_ERRORS, error_name
from handlers.slack.people import People
from handlers.slack.policy import Policy

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=4)
HISTORY_PAGE = 200


class SlackHistory:
    """The History port, spoken to Slack's Web API."""

    def __init__(self, client: AsyncWebClient, people: People, policy: Policy) -> None:
        self._client = client
        self._people = people
        self._policy = policy

    async def asked(self, channel: str, since: datetime, until: datetime) -> AsyncIterator[tuple[datetime, Arrival]]:
        """See the port. Raises what a call of the client raises."""
        shared: bool | None = None
        async for message in self._messages(channel, since, until):
            heard = self._policy.found(message, channel)
            if heard is None:
                continue
            if shared is None:
                info = (await self._client.conversations_info(channel=channel))["channel"]
                shared = bool(info.get("is_ext_shared") or info.get("is_pending_ext_shared"))
            arrival = await arrival_of(self._people, heard, f"history:{channel}:{message['ts']}", shared=shared)
            if arrival:
                yield datetime.fromtimestamp(float(message["ts"]), UTC), arrival

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
    """When the channels are read. `wake` gets a worker to look at once; `look` calls `tick` at once."""

    def __init__(
        self,
        catching_up: CatchingUp,
        channels: Collection[str],
        clock: Clock,
        wake: Callable[[], None],
        look: Callable[[], None],
    ) -> None:
        self._catching_up = catching_up
        self._channels = channels
        self._clock = clock
        self._wake = wake
        self._look = look
        self._connected_at: datetime | None = None
        self._read_at: datetime | None = None
        self._refused: set[str] = set()

    def connected(self) -> None:
        """Note that Slack reaches us again: what was said before may have been missed."""
        self._connected_at = self._clock.now()
        self._look()

    async def tick(self) -> None:
        """Read all channels if it is time to: after a connect until all that was said before it is old enough."""
        now = self._clock.now()
        missing = self._connected_at and self._read_at and self._read_at < self._connected_at + SETTLED
        if self._read_at and not missing and now - self._read_at < EVERY:
            return
        if all([await self._read(channel) for channel in self._channels]):
            self._read_at = now

    async def _read(self, channel: str) -> bool:
        """Whether it was read, or cannot be; False where it should be tried again soon."""
        try:
            if await self._catching_up.catch_up(channel):
                self._wake()
        except SLACK_FAILURES as error:
            name = error_name(error)
            if name is None or name in TRANSIENT_ERRORS:
                log.warning("%s: its history cannot be read now: %s", channel, name or type(error).__name__)
                return False
            if channel not in self._refused:
                log.warning("%s: its history cannot be read, what is missed there is not found: %s", channel, name)
            self._refused.add(channel)
        else:
            self._refused.discard(channel)
        return True
