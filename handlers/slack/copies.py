"""Our own messages, found again by their metadata: what was posted already, and what was posted twice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Undelivered
from handlers.slack.failures import delivered

NO_THREAD = frozenset({"thread_not_found", "message_not_found"})
THREAD_PAGES = 20
"""Of 200 messages: an answer stands near the top of its thread."""
CHANNEL_PAGES = 5
"""Of 200 messages, the newest first: what is told again was told lately."""


@dataclass(frozen=True)
class Mark:
    """What a message's metadata says that it is. Only an opaque id stands in it: Slack shows it to every app."""

    kind: str
    key: str
    value: str

    @property
    def metadata(self) -> dict[str, Any]:
        """As `chat.postMessage` takes it."""
        return {"event_type": f"madoguchi_{self.kind}", "event_payload": {self.key: self.value}}


class OwnMessages:
    """Messages of this bot user, by their mark."""

    def __init__(self, client: AsyncWebClient, bot_user_id: str) -> None:
        self._client = client
        self._bot_user_id = bot_user_id

    async def keep_one(self, channel: str, thread: str | None, mark: Mark, keep: str | None = None) -> str | None:
        """Delete all messages with this mark but one; the ts of that one, or None where there is none.

        Whoever posts and then calls this leaves one message, however many do it at the same time: all of them keep the
        earliest, and who posted last sees every other one.

        Args:
            channel: where to look.
            thread: the thread's ts; None: the top level of the channel.
            mark: of the messages.
            keep: the ts of the message to keep, if it is among them; else the earliest is kept.
        """
        found = sorted([ts async for ts in self._marked(channel, thread, mark)])
        kept = keep if keep in found else next(iter(found), None)
        for ts in found:
            if ts != kept:
                await self._delete(channel, ts)
        return kept

    async def _delete(self, channel: str, ts: str) -> None:
        try:
            await delivered(self._client.chat_delete(channel=channel, ts=ts))
        except Undelivered as error:
            if str(error) != "message_not_found":
                raise

    async def _marked(self, channel: str, thread: str | None, mark: Mark) -> AsyncIterator[str]:
        async for message in self._messages(channel, thread):
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if message.get("user") == self._bot_user_id and payload.get(mark.key) == mark.value:
                yield str(message["ts"])

    async def _messages(self, channel: str, thread: str | None) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        for _ in range(THREAD_PAGES if thread else CHANNEL_PAGES):
            where: dict[str, Any] = {"channel": channel, "include_all_metadata": True, "limit": 200, "cursor": cursor}
            try:
                page = await delivered(
                    self._client.conversations_replies(ts=thread, **where)
                    if thread
                    else self._client.conversations_history(**where)
                )
            except Undelivered as error:
                if str(error) in NO_THREAD:
                    return
                raise
            for message in page["messages"]:
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
