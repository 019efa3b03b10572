"""Channels that another organisation reads (Slack Connect): nothing is posted or uploaded there."""

import time
from collections.abc import Callable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from handlers.slack.channels import is_shared
from handlers.slack.failures import TRANSIENT_ERRORS, error_name
from handlers.slack.lookups import Lookups

SHARED_SECONDS = 30.0
"""Seconds for which an answer is cached; a channel that is shared meanwhile may get posts that long."""
GUARDED_METHODS = frozenset({"chat.postMessage", "files.completeUploadExternal"})
"""Web API methods that show something to everybody in a channel. An ephemeral message reaches one person alone."""
CHANNEL_IS_SHARED = "channel_is_shared"
"""The error of a refused call, as if Slack had said it. It is none of Slack's own."""


class SharedChannels:
    """The channels that another organisation reads, or is invited to.

    Args:
        client: The Web API.
        now: Seconds of a monotonic clock.
    """

    def __init__(self, client: AsyncWebClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._lookups = Lookups(self._look_up, now, SHARED_SECONDS)

    async def holds(self, channel: str) -> bool:
        """Return whether another organisation reads this channel.

        A channel that Slack does not show to the bot counts as our own: Slack refuses a post there by itself.

        Raises:
            Exception: One of `SLACK_FAILURES`, if Slack does not tell now.
        """
        return channel.startswith(("C", "G")) and await self._lookups.get(channel)

    async def refuse(self, channel: str) -> None:
        """Check that a channel is only ours.

        Raises:
            SlackApiError: CHANNEL_IS_SHARED, or Slack's own error, if it does not tell now.
        """
        if await self.holds(channel):
            answer = {"ok": False, "error": CHANNEL_IS_SHARED}
            response = AsyncSlackResponse(
                client=self._client, http_verb="POST", api_url="", req_args={}, data=answer, headers={}, status_code=200
            )
            raise SlackApiError(CHANNEL_IS_SHARED, response)  # type: ignore[no-untyped-call]  # the SDK has no types

    async def _look_up(self, channel: str) -> bool:
        try:
            return is_shared((await self._client.conversations_info(channel=channel))["channel"])
        except SlackApiError as error:
            name = error_name(error)
            if name is None or name in TRANSIENT_ERRORS:
                raise
            return False
