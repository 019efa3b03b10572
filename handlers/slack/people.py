"""Who somebody is, as far as it decides what they may do here and in which language."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.texts.words import Language, Words, language_of

PEOPLE_CACHE_SECONDS = 600.0
KEPT_PEOPLE = 10_000
UNKNOWN_USER = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
SLACKBOT = "USLACKBOT"


@dataclass(frozen=True)
class Home:
    """Our own workspace, as auth.test told it at start: what the bot may take for "one of us"."""

    team: str
    bot_user_id: str
    enterprise: str | None = None


@dataclass(frozen=True)
class SlackUser:
    """Somebody in Slack. `outsider`: a guest or another organisation's person, whose words are never kept."""

    id: str
    language: Language
    outsider: bool
    is_bot: bool = False
    deleted: bool = False

    @property
    def words(self) -> Words:
        return Words(self.language)


class People:
    """Looks people up, and remembers them for ten minutes.

    Raises:
        SlackApiError, aiohttp.ClientError, TimeoutError: from `get`, where users.info cannot be had. Nobody is taken
            for an insider then: an event is not acked and comes again.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        home: Home,
        language: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self.home = home
        self._language = language
        self._now = now
        self._known: OrderedDict[str, tuple[float, SlackUser]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[SlackUser]] = {}

    async def get(self, user_id: str) -> SlackUser:
        """The person of this id. One whom Slack does not let us see is an outsider."""
        kept = self._known.get(user_id)
        if kept and self._now() - kept[0] < PEOPLE_CACHE_SECONDS:
            return kept[1]
        person = await self._asked_once(user_id)
        self._known[user_id] = (self._now(), person)
        self._known.move_to_end(user_id)
        if len(self._known) > KEPT_PEOPLE:
            self._known.popitem(last=False)
        return person

    @property
    def default_words(self) -> Words:
        """The words for no one in particular: in the configured language, else English."""
        return Words(language_of(None, self._language))

    async def words(self, user_id: str) -> Words:
        """The words to speak with this person; in the configured language, else English, where they cannot be had."""
        try:
            return (await self.get(user_id)).words
        except SLACK_FAILURES:
            return self.default_words

    async def _asked_once(self, user_id: str) -> SlackUser:
        """Of those who need to know at the same time one asks: Slack allows so many requests a minute."""
        asking = self._asking.get(user_id)
        if asking is None:
            asking = self._asking[user_id] = asyncio.create_task(self._looked_up(user_id))
            asking.add_done_callback(lambda _: self._asking.pop(user_id))
        return await asyncio.shield(asking)

    async def _looked_up(self, user_id: str) -> SlackUser:
        try:
            answer = await self._client.users_info(user=user_id, include_locale=True)
        except SlackApiError as error:
            if error_name(error) in UNKNOWN_USER:
                return SlackUser(user_id, language_of(None, self._language), outsider=True)
            raise
        user: dict[str, Any] = answer["user"]
        return SlackUser(
            id=user_id,
            language=language_of(user.get("locale"), self._language),
            outsider=self._is_outsider(user),
            is_bot=bool(user.get("is_bot")) or user_id == SLACKBOT,
            deleted=bool(user.get("deleted")),
        )

    def _is_outsider(self, user: dict[str, Any]) -> bool:
        if user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger"):
            return True
        enterprise = (user.get("enterprise_user") or {}).get("enterprise_id")
        ours = self.home.enterprise is not None and enterprise == self.home.enterprise
        return not ours and user.get("team_id") not in {None, self.home.team}
