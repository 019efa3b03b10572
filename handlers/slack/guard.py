"""Permissions by role. They are checked at every press, command and modal: ids in a payload grant nothing."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Reason, Refused
from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.slack.lookups import Lookups
from handlers.slack.people import People
from handlers.texts.escape import mentions

log = logging.getLogger(__name__)

MEMBERS_CACHE_SECONDS = 60.0
"""Seconds for which the members of a user group are cached.

If Slack sends no event about the group, a removed member keeps the role that long.
"""
FAILURE_SECONDS = 5.0
"""Seconds for which a group that could not be read is not asked for again."""


NOTED_SECONDS = 60.0


class LogBook(Protocol):
    """The log of refusals: `Auditing`."""

    async def refused(self, who: str, role: str) -> None: ...

    async def lookup_failed(self, thing: str, error: str) -> None: ...


class Guard:
    """The check of roles: staff correct answers, admins use /finetune.

    It fails closed: if Slack does not list a group's members, nobody counts as a member. Guests, deactivated people,
    apps and people from elsewhere have no role by a group; only their own id gives them one.

    Args:
        staff: Ids of users (U…, W…) and user groups (S…); none means nobody.
        admins: The same for admins.
        client: Lists the members of user groups.
        people: Tells who a member of a group is.
        log_book: Takes refusals and failed look-ups, each of one person or group once in a minute; None takes none.
        now: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        staff: Iterable[str],
        admins: Iterable[str],
        client: AsyncWebClient,
        people: People,
        log_book: LogBook | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._staff = tuple(staff)
        self._admins = tuple(admins)
        self._client = client
        self._people = people
        self._now = now
        self._groups = Lookups(self._read_group, now, MEMBERS_CACHE_SECONDS)
        self._failed: dict[str, float] = {}
        self._log_book = log_book
        self._noted: dict[tuple[str, str], float] = {}

    async def is_staff(self, user_id: str) -> bool:
        return await self.is_among(user_id, self._staff)

    async def is_admin(self, user_id: str) -> bool:
        return await self.is_among(user_id, self._admins)

    def staff_mentions(self) -> str:
        """Return mentions of all staff, for a private message; the setting's name if there are none."""
        return mentions(self._staff) or "BOT_STAFF"

    def admins_mentions(self) -> str:
        """Return mentions of all admins, for a private message; the setting's name if there are none."""
        return mentions(self._admins) or "BOT_ADMINS"

    async def admins(self) -> list[str]:
        """Return the ids of all admins, those of user groups included, in a fixed order."""
        groups = [sorted(await self._members(entry)) for entry in self._admins if entry.startswith("S")]
        named = [entry for entry in self._admins if not entry.startswith("S")]
        members = [one for group in groups for one in group if await self._is_member(one)]
        return [*dict.fromkeys([*named, *members])]

    async def staff_only(self, user_id: str) -> None:
        """Check that this person is staff.

        Raises:
            Refused: NOT_STAFF; the fact `who` mentions the staff.
        """
        if not await self.is_staff(user_id):
            await self._note(user_id, "staff")
            raise Refused(Reason.NOT_STAFF, who=self.staff_mentions())

    async def admins_only(self, user_id: str) -> None:
        """Check that this person is an admin.

        Raises:
            Refused: NOT_ADMIN; the fact `who` mentions the admins.
        """
        if not await self.is_admin(user_id):
            await self._note(user_id, "admin")
            raise Refused(Reason.NOT_ADMIN, who=self.admins_mentions())

    async def staff_or_admins(self, user_id: str) -> None:
        """Check that this person is staff or an admin.

        Raises:
            Refused: NOT_STAFF; the fact `who` mentions the staff.
        """
        if not await self.is_admin(user_id):
            await self.staff_only(user_id)

    def forget(self) -> None:
        """Forget who is in which group, because Slack says that a group has changed."""
        self._groups.forget()

    async def is_among(self, user_id: str, entries: tuple[str, ...]) -> bool:
        """Return whether a person is one of these users (U…, W…) or a member of one of these groups (S…)."""
        if user_id in entries:
            return True
        for entry in entries:
            if entry.startswith("S") and user_id in await self._members(entry):
                return await self._is_member(user_id)
        return False

    async def _is_member(self, user_id: str) -> bool:
        """Return whether this is an active person of this organisation who is no guest."""
        try:
            person = await self._people.get(user_id)
        except SLACK_FAILURES as error:
            log.warning("a person cannot be looked up, so they have no role: %s", error_name(error))
            await self._note_failure("user", error)
            return False
        return not (person.outsider or person.is_bot or person.deleted)

    async def _members(self, group: str) -> frozenset[str]:
        if self._now() < self._failed.get(group, 0.0):
            return frozenset()
        try:
            return await self._groups.get(group)
        except SLACK_FAILURES as error:
            log.warning("user group %s cannot be read, so nobody counts as a member: %s", group, error_name(error))
            await self._note_failure(group, error)
            lasting = error_name(error) == "missing_scope"
            self._failed[group] = self._now() + (MEMBERS_CACHE_SECONDS if lasting else FAILURE_SECONDS)
            return frozenset()

    async def _note(self, user_id: str, role: str) -> None:
        if self._log_book and self._is_news(user_id, role):
            await self._log_book.refused(user_id, role)

    async def _note_failure(self, thing: str, error: Exception) -> None:
        if self._log_book and self._is_news(thing, "lookup"):
            await self._log_book.lookup_failed(thing, error_name(error) or type(error).__name__)

    def _is_news(self, who: str, what: str) -> bool:
        """Return whether this was not noted within the last minute, so that nobody can flood the log."""
        now = self._now()
        self._noted = {key: at for key, at in self._noted.items() if now - at < NOTED_SECONDS}
        return self._noted.setdefault((who, what), now) == now

    async def _read_group(self, group: str) -> frozenset[str]:
        answer = await self._client.usergroups_users_list(usergroup=group)
        return frozenset(answer["users"])
