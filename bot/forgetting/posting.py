"""The act that notes which files and lists in Slack show questions, so that forgetting removes them there."""

import uuid
from collections.abc import Collection

from bot.domain.errors import Reason, Refused
from bot.domain.forgetting import Posted
from bot.ports import Clock, Store


class Posting:
    """Notes of what is posted at the wish of staff. A note comes first, so that a kill leaves no post without one."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, channel: str, holds: Collection[str], language: str) -> str:
        """Note what is about to be posted, and return the id of the note.

        Args:
            channel: The channel.
            holds: Ids of the questions and rows that it shows, and of the people whom a file names.
            language: The language of the readers.

        Raises:
            Refused: FORGOTTEN_MEANWHILE, if something in it was forgotten since it was read.
        """
        at, shown = self._clock.now(), tuple(sorted({*holds}))
        posted = Posted(id=uuid.uuid4().hex, channel=channel, language=language, at=at, holds=shown)
        async with self._store.transaction() as tx:
            if not await tx.posts.add(posted):
                raise Refused(Reason.FORGOTTEN_MEANWHILE)
        return posted.id

    async def end(self, posted_id: str, *, ts: str | None = None, files: Collection[str] = ()) -> None:
        """Note where it stands in Slack."""
        async with self._store.transaction() as tx:
            await tx.posts.complete(posted_id, ts, files)

    async def drop(self, posted_id: str) -> None:
        """Remove the note of what Slack refused to post."""
        async with self._store.transaction() as tx:
            await tx.posts.remove(posted_id)

    async def turned(self, channel: str, ts: str, holds: Collection[str], language: str) -> None:
        """Note what a list shows from now on. A list of an earlier version of the bot gets its note here.

        Raises:
            Refused: FORGOTTEN_MEANWHILE.
        """
        async with self._store.transaction() as tx:
            if await tx.posts.shown(channel, ts, holds):
                return
        await self.end(await self.begin(channel, holds, language), ts=ts)
