"""Permissions by role. They are checked at every press, command and modal: ids in a payload grant nothing."""

import logging
import time
from collections.abc import Callable, Iterable

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Reason, Refused
from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.texts.escape import mentions

log = logging.getLogger(__name__)

MEMBERS_CACHE_SECONDS = 60.0
"""Seconds for which the members of a user group are cached; a removed member keeps the role that long."""


class Guard:
    """Checks roles: staff correct answers, admins use /finetune.

    It fails closed: if Slack does not list a group's members, nobody counts as a member.

    Args:
        staff: Ids of users (U…, W…) and user groups (S…); none means nobody.
        admins: The same for admins.
        client: Lists the members of user groups.
        now: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        staff: Iterable[str],
        admins: Iterable[str],
        client: AsyncWebClient,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._staff = tuple(staff)
        self._admins = tuple(admins)
        self._client = client
        self._now = now
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    async def is_staff(self, user_id: str) -> bool:
        return await self._is_among(user_id, self._staff)

    async def is_admin(self, user_id: str) -> bool:
        return await self._is_among(user_id, self._admins)

    def staff_mentions(self) -> str:
        """Return mentions of all staff, for a private message; the setting's name if there are none."""
        return mentions(self._staff) or "BOT_STAFF"

    def admins_mentions(self) -> str:
        """Return mentions of all admins, for a private message; the setting's name if there are none."""
        return mentions(self._admins) or "BOT_ADMINS"

    async def staff_only(self, user_id: str) -> None:
        """Check that this person is staff.

        Raises:
            Refused: NOT_STAFF; the fact `who` mentions the staff.
        """
        if not await self.is_staff(user_id):
            raise Refused(Reason.NOT_STAFF, who=self.staff_mentions())

    async def admins_only(self, user_id: str) -> None:
        """Check that this person is an admin.

        Raises:
            Refused: NOT_ADMIN; the fact `who` mentions the admins.
        """
        if not await self.is_admin(user_id):
            raise Refused(Reason.NOT_ADMIN, who=self.admins_mentions())

    async def staff_or_admins(self, user_id: str) -> None:
        """Check that this person is staff or an admin.

        Raises:
            Refused: NOT_STAFF; the fact `who` mentions the staff.
        """
        if not await self.is_admin(user_id):
            await self.staff_only(user_id)

    async def _is_among(self, user_id: str, entries: tuple[str, ...]) -> bool:
        if user_id in entries:
            return True
        for entry in entries:
            if entry.startswith("S") and user_id in await self._members(entry):
                return True
        return False

    async def _members(self, group: str) -> frozenset[str]:
        cached = self._groups.get(group)
        if cached and self._now() - cached[0] < MEMBERS_CACHE_SECONDS:
            return cached[1]
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except SLACK_FAILURES as error:
            log.warning("user group %s cannot be read, so nobody counts as a member: %s", group, error_name(error))
            if error_name(error) == "missing_scope":  # the next call would fail too
                self._groups[group] = (self._now(), frozenset())
            return frozenset()
        members = frozenset(answer["users"])
        self._groups[group] = (self._now(), members)
        return members
