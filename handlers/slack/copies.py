"""The bot's own messages, found by their metadata, so that retries leave only one copy."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.errors import ThreadGone, Undelivered
from handlers.slack.failures import call_slack

log = logging.getLogger(__name__)

NO_THREAD = frozenset({"thread_not_found", "message_not_found"})
"""Slack's errors for a thread that does not exist."""
THREAD_PAGES = 20
"""Maximum number of pages to search in a thread, of 200 messages each: answers are near the top of the thread."""
CHANNEL_PAGES = 5
"""Maximum number of pages to search in a channel, of 200 messages each, newest first: retries come soon."""


@dataclass(frozen=True)
class Mark:
    """The identity of a message, kept in its metadata. It holds only an opaque id: Slack shows it to every app."""

    kind: str
    key: str
    value: str

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata in the form that `chat.postMessage` takes."""
        return {"event_type": f"madoguchi_{self.kind}", "event_payload": {self.key: self.value}}


class OwnMessages:
    """The messages of this bot user, found and deleted by their mark."""

    def __init__(self, client: AsyncWebClient, bot_user_id: str) -> None:
        self._client = client
        self._bot_user_id = bot_user_id

    async def keep_one(self, channel: str, thread: str | None, mark: Mark, keep: str | None = None) -> str | None:
        """Delete all messages with this mark but one.

        Any number of workers may post and then call this at the same time, and one message stays. All of them keep the
        earliest, and the last to post sees all the others.

        Args:
            channel: The channel to search.
            thread: The ts of the thread to search; None searches the top level of the channel.
            mark: The mark of the messages.
            keep: The ts of the message to keep. If no message has this ts, the earliest is kept.

        Returns:
            The ts of the message that is left, or None if there is none.

        Raises:
            ThreadGone: The root of the thread was deleted. Orphans of the message are deleted too.
            Undelivered: A call of Slack's Web API failed.
        """
        try:
            found = sorted([ts async for ts in self._find(channel, thread, mark)])
        except ThreadGone:
            await self._delete_orphans(channel, mark)
            raise
        kept = keep if keep in found else next(iter(found), None)
        for ts in found:
            if ts != kept:
                await self.delete(channel, ts)
        return kept

    async def require_thread(self, channel: str, thread: str | None, answer: AsyncSlackResponse) -> None:
        """Check that the message just posted stands in its thread. If it does not, delete it.

        If the root of a thread was deleted, Slack reports success, but posts the reply at the top level of the channel.
        There everybody would read it.

        Args:
            channel: The channel of the message.
            thread: The `thread_ts` that was asked for, if any.
            answer: Slack's answer to the post.

        Raises:
            ThreadGone: The message was posted outside of the thread; it is deleted.
            Undelivered: The message could not be deleted.
        """
        posted = answer.get("message")
        if thread is None or not isinstance(posted, dict) or posted.get("thread_ts"):
            return
        await self.delete(channel, str(answer["ts"]))
        raise ThreadGone

    async def _delete_orphans(self, channel: str, mark: Mark) -> None:
        """Delete the messages with this mark that Slack posted at the channel's top level instead of in a thread."""
        for ts in [ts async for ts in self._find(channel, None, mark)]:
            await self.delete(channel, ts)

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message of the bot; one that is deleted already is well.

        Raises:
            Undelivered: Slack refused.
        """
        try:
            await call_slack(self._client.chat_delete(channel=channel, ts=ts))
        except Undelivered as error:
            if str(error) != "message_not_found":
                raise

    async def own(self, channel: str, thread: str | None, *, needed: bool = False) -> AsyncIterator[dict[str, Any]]:
        """Yield the bot's messages in a thread, or at the top level of a channel. Raises as `keep_one`.

        Args:
            channel: The channel.
            thread: The ts of the thread's root.
            needed: Whether a scope that is missing is an error, too.
        """
        async for message in self._messages(channel, thread, needed=needed):
            if message.get("user") == self._bot_user_id:
                yield message

    async def _find(self, channel: str, thread: str | None, mark: Mark) -> AsyncIterator[str]:
        async for message in self.own(channel, thread):
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get(mark.key) == mark.value:
                yield str(message["ts"])

    async def _messages(
        self, channel: str, thread: str | None, *, needed: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        for _ in range(THREAD_PAGES if thread else CHANNEL_PAGES):
            query: dict[str, Any] = {"channel": channel, "include_all_metadata": True, "limit": 200, "cursor": cursor}
            try:
                page = await call_slack(
                    self._client.conversations_replies(ts=thread, **query)
                    if thread
                    else self._client.conversations_history(**query)
                )
            except Undelivered as error:
                if thread and str(error) in NO_THREAD:
                    raise ThreadGone from error
                if str(error) == "missing_scope" and not needed:
                    # Two copies after a lost response are better than no answer in every channel of this kind.
                    log.warning("%s: the app lacks the scope to look for an earlier copy of a message", channel)
                    return
                raise
            for message in page["messages"]:
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
