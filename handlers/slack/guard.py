"""Who may do what. Asked at every press, command and modal: ids in a payload route, they give no rights."""

import logging
import time
from collections.abc import Callable, Iterable

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Reason, Refused
from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.texts.escape import mentions

log = logging.getLogger(__name__)

MEMBERS_CACHE_SECONDS = 60.0


class Guard:
    """Staff correct, admins run /finetune. Each entry is a user id (U…, W…) or a user group's id (S…); none = nobody.

    It fails closed: whoever cannot be proven to be in a group is not in it.
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

    def staff_named(self) -> str:
        """Mentions of all who may correct, for a private message; the setting's name where nobody may."""
        return mentions(self._staff) or "BOT_STAFF"

    def admins_named(self) -> str:
        """Mentions of all who may run /finetune, for a private message; the setting's name where nobody may."""
        return mentions(self._admins) or "BOT_ADMINS"

    async def staff_only(self, user_id: str) -> None:
        """Raises Refused: NOT_STAFF, with `who` may."""
        if not await self.is_staff(user_id):
            raise Refused(Reason.NOT_STAFF, who=self.staff_named())

    async def admins_only(self, user_id: str) -> None:
        """Raises Refused: NOT_ADMIN, with `who` may."""
        if not await self.is_admin(user_id):
            raise Refused(Reason.NOT_ADMIN, who=self.admins_named())

    async def staff_or_admins(self, user_id: str) -> None:
        """Raises Refused: NOT_STAFF, for whoever is neither."""
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
        kept = self._groups.get(group)
        if kept and self._now() - kept[0] < MEMBERS_CACHE_SECONDS:
            return kept[1]
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except SLACK_FAILURES as error:
            log.warning("user group %s cannot be read, nobody counts as its member: %s", group, error_name(error))
            return frozenset()
        members = frozenset(answer["users"])
        self._groups[group] = (self._now(), members)
        return members
