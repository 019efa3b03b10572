"""The removal of what stands in Slack about a forgotten question."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import ThreadGone, Undelivered
from bot.domain.forgetting import OlderFiles, Posted, Shown
from handlers.slack.copies import OwnMessages
from handlers.slack.failures import call_slack
from handlers.texts.words import Words
from handlers.views.message import section

GONE = frozenset({"message_not_found", "channel_not_found", "thread_not_found"})
"""Slack's errors for a message that is not there any more."""
FILE_GONE = frozenset({"file_not_found", "file_deleted"})
"""Slack's errors for a file that is not there any more."""
TABLES = (".csv", ".jsonl", ".json")
"""Ends of the names of files that may hold questions. Pictures show figures."""
UNNAMED_MARKS = ("feedback:", "overslept:")
"""Prefixes of marks without the question's id; messages in Slack keep them, so they cannot be renamed.

Such a message is removed too, even if it is about another question in the thread.
"""


class Removals:
    """The replacement of the bot's own messages. Only their authors can delete other ones.

    Args:
        client: The Web API.
        copies: Finds the bot's own messages.
        audience: Returns the channels that get long results, apart from direct messages, and the ids of all admins.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        copies: OwnMessages,
        audience: Callable[[], Awaitable[tuple[list[str], list[str]]]],
    ) -> None:
        self._audience = audience
        self._client = client
        self._copies = copies

    async def remove_shown(self, shown: Shown) -> int:
        places = {*shown.sent}
        if shown.card_ts:
            places.add((shown.channel, shown.card_ts))
        try:
            async for message in self._copies.own(shown.channel, shown.thread):
                if shown.alone or _is_about(message, shown.question):
                    places.add((shown.channel, str(message["ts"])))
        except ThreadGone:
            pass  # the thread went with its root; an answer may stand alone in the channel
        except Undelivered as error:
            if str(error) not in GONE:
                raise
        text = Words(shown.language)("forget.removed")
        return sum([await self._remove(channel, ts, text) for channel, ts in sorted(places)])

    async def remove_posted(self, posted: Posted) -> int:
        refused, removed = None, 0
        for file in posted.files:  # one that Slack keeps does not keep the others
            try:
                removed += await self._delete_file(file)
            except Undelivered as error:
                refused = error
        if posted.ts:
            removed += await self._remove(posted.channel, posted.ts, Words(posted.language)("forget.removed_list"))
        if refused:
            raise refused
        return removed

    async def remove_older(self, known: Collection[str], before: datetime) -> OlderFiles:
        channels, admins = await self._audience()
        left: Counter[str] = Counter()
        for admin in admins:
            try:
                opened = await call_slack(self._client.conversations_open(users=admin))
            except Undelivered as error:
                if not error.final:
                    raise
                left[f"forget_older_unread:{error}:{admin}"] = 1  # a deactivated admin, for instance
                continue
            channels = [*channels, str(opened["channel"]["id"])]
        files: dict[str, str] = {}
        for channel in channels:
            files |= dict.fromkeys(await self._files_in(channel, before, left), channel)
        removed = 0
        for file, channel in sorted(files.items()):
            try:
                removed += file not in known and await self._delete_file(file)
            except Undelivered as error:
                if not error.final:
                    raise
                left[f"forget_older_file:{error}:{channel}"] += 1
        return OlderFiles(removed=removed, left=left)

    async def _files_in(self, channel: str, before: datetime, left: Counter[str]) -> list[str]:
        """Return the ids of the tables and training files in the bot's messages of a channel and their threads.

        Args:
            channel: The channel.
            before: Messages from then on are passed over.
            left: Counts what Slack does not show.
        """
        found: list[str] = []
        try:
            async for message in self._copies.own(channel, None, needed=True):
                threaded = message.get("reply_count") and [
                    one async for one in self._copies.own(channel, message["ts"], needed=True)
                ]
                for one in threaded or [message]:
                    if float(one["ts"]) < before.timestamp():
                        files = _tables_of(one)
                        found += [file for file in files if file]
                        left[f"forget_older_unnamed::{channel}"] += not all(files)
        except ThreadGone:
            pass  # it was deleted meanwhile
        except Undelivered as error:
            if not error.final:
                raise
            if str(error) not in GONE:
                left[f"forget_older_unread:{error}:{channel}"] += 1
        left -= Counter()  # drops the zeros
        return found

    async def _delete_file(self, file: str) -> bool:
        try:
            await call_slack(self._client.files_delete(file=file))
        except Undelivered as error:
            if str(error) not in FILE_GONE:
                raise
            return False
        return True

    async def _remove(self, channel: str, ts: str, text: str) -> bool:
        try:
            await call_slack(self._client.chat_update(channel=channel, ts=ts, text=text, blocks=[section(f"_{text}_")]))
        except Undelivered as error:
            if str(error) not in GONE:
                raise
            return False
        return True


def _is_about(message: dict[str, Any], question: str) -> bool:
    values = ((message.get("metadata") or {}).get("event_payload") or {}).values()
    return any(question in str(value) or str(value).startswith(UNNAMED_MARKS) for value in values)


def _tables_of(message: Mapping[str, Any]) -> list[str]:
    """Return the ids of a message's files that may hold questions; empty ones of files that Slack keeps to itself.

    An app without `files:read` may be told less of a file than its name, or only that there is one.
    """
    files = message.get("files") or [{"id": file} for file in message.get("x_files") or ()]
    if not files and (message.get("subtype") == "file_share" or message.get("upload")):
        return [""]
    return [str(file.get("id") or "") for file in files if str(file.get("name") or TABLES[0]).endswith(TABLES)]
