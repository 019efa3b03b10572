"""The database's part in forgetting: requests, tombstones, search and erasure."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from bot.domain.forgetting import Erased, ForgetRequest, Posted, Scope, Traced, TrainedFile
from bot.domain.question import Place


class StoredForgetting(Protocol):
    """Requests to forget, and the erasure of everything of their scope."""

    async def add(self, request: ForgetRequest) -> None: ...

    async def get(self, request_id: str, *, lock: bool = False) -> ForgetRequest | None:
        """Return the request. With `lock`, other callers with `lock` wait until this transaction ends."""

    async def save(self, request: ForgetRequest) -> None: ...

    async def newest(self, limit: int) -> list[ForgetRequest]:
        """Return the last requests, newest first."""

    async def under_way(self, scope: Scope) -> ForgetRequest | None:
        """Return the request of the same kind and target that is not done."""

    async def outside(self, request_id: str) -> int:
        """Return how many copies outside the database still wait for their erasure."""

    async def is_forgotten(self, *places: Place) -> bool:
        """Return whether one of these messages was forgotten."""

    async def groups(self, among: Collection[str]) -> dict[str, str]:
        """Return, for each of these groups, the name that it has in a forgotten row: name → group."""

    async def moved(self, now: datetime) -> None:
        """Delete the kept index and move FORGOTTEN_CURSOR, so that each replica drops what it has in memory."""

    async def erasures(self) -> str | None:
        """Return the position of ERASED_CURSOR, to be read together with texts that are stored or sent later."""

    async def unerased(self, since: str | None) -> bool:
        """Return whether no text was erased since this position, and let none be until this transaction ends."""

    async def standing(self, ids: Collection[str]) -> set[str]:
        """Return the questions and rows among these that were not forgotten.

        None of them is forgotten until this transaction ends. Other locks are to be acquired later than this one.
        """

    async def working(self, scope: Scope, now: datetime) -> bool:
        """Return whether a worker is busy with a question of the scope.

        It answers a message or a person, or it has an entry of the outbox about a question.
        """

    async def found(self, scope: Scope) -> dict[str, int]:
        """Return store → how much of the scope is there, without stores that have nothing."""

    async def erase(self, scope: Scope, most: int, now: datetime) -> Erased:
        """Erase up to `most` questions or rows of the scope, then, once none is left, all other words of it.

        A step that erased no question and no row was the last.
        """

    async def private_traces(self, after: str, most: int) -> tuple[str, Traced]:
        """Return what the tracker may have of questions that not everybody may read: up to `most` of them, by id.

        Args:
            after: The id to begin after.
            most: Upper bound of the questions.

        Returns:
            The id of the last question, empty if there is none, and its and the others' traces and feedback.
        """

    async def trained_files(self, before: datetime | None = None) -> list[TrainedFile]:
        """Return the training files that providers still have of fine-tunes that ended before this time (None: any)."""

    async def file_deleted(self, finetune_id: str) -> None:
        """Store that the provider no longer has the training file."""

    async def trained_on(self) -> dict[str, int]:
        """Return fine-tune → how many of its training rows were forgotten since, for those that have any."""

    async def forget_alias(self, user_id: str) -> None:
        """Make a person unknown in the audit log."""


class StoredPosts(Protocol):
    """Files and lists in Slack that show questions, so that they can be removed there."""

    async def add(self, posted: Posted) -> bool:
        """Store what is about to be posted. Return False, and store nothing, if something it shows was forgotten."""

    async def complete(self, posted_id: str, ts: str | None, files: Collection[str]) -> None:
        """Store where it stands in Slack."""

    async def shown(self, channel: str, ts: str, holds: Collection[str]) -> bool:
        """Add to what a list shows. Return False if no such list is stored."""

    async def get(self, posted_id: str) -> Posted | None: ...

    async def files(self) -> set[str]:
        """Return the ids of all files of which it is noted what they show."""

    async def holding(self, ids: Collection[str]) -> list[str]:
        """Return the ids of what shows one of these questions, rows or people."""

    async def remove(self, posted_id: str) -> None: ...
