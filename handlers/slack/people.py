"""Facts about people in Slack that decide what they may do and which language they read."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.slack.lookups import Lookups
from handlers.texts.words import Language, Words, language_of

UNKNOWN_USER_ERRORS = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
SLACKBOT = "USLACKBOT"


@dataclass(frozen=True)
class Home:
    """The bot's own workspace and enterprise. People from elsewhere are outsiders."""

    team: str
    bot_user_id: str
    enterprise: str | None = None


@dataclass(frozen=True)
class SlackUser:
    """A person or bot in Slack. An `outsider` is a guest or from another organisation, and their text is never kept."""

    id: str
    language: Language
    outsider: bool
    is_bot: bool = False
    deleted: bool = False
    utc_offset: timedelta = timedelta(0)
    """The present distance of the person's time zone from UTC."""
    enterprise: str | None = None
    """Id of the person's Enterprise Grid organisation, as Slack tells it; None outside of Enterprise Grid."""

    @property
    def words(self) -> Words:
        return Words(self.language, names=self.language)


class People:
    """A look-up of people, with a cache of ten minutes.

    Args:
        client: The Web API.
        home: The bot's own workspace.
        language: The configured language for everybody; None takes each person's own.
        now: Seconds of a monotonic clock.
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
        self._enterprise_asked = False
        self._lookups = Lookups(self._look_up, now)
        self.forget = self._lookups.forget

    async def get(self, user_id: str) -> SlackUser:
        """Return the person with this id. A person whom Slack hides from the bot is an outsider.

        Raises:
            SlackApiError, aiohttp.ClientError, TimeoutError: The lookup failed. Nobody counts as an insider then; an
                event is not acked and Slack delivers it again.
        """
        return await self._lookups.get(user_id)

    async def refresh(self, user_id: str) -> bool:
        """Look up somebody whose Slack profile has changed, if this person is in the cache.

        Returns:
            Whether the person's language is another one now.
        """
        before = self._lookups.forget_one(user_id)
        return before is not None and (await self.get(user_id)).language != before.language

    @property
    def default_words(self) -> Words:
        """The words for messages to no particular person: in the configured language, else English."""
        return self.public_words(language_of(None, self._language))

    def public_words(self, language: str) -> Words:
        """The words for a post that everybody reads: categories have their names in the workspace's language."""
        return Words(language, names=self._language)

    async def words(self, user_id: str) -> Words:
        """Return the words in this person's language. If the lookup fails, return the default words."""
        try:
            return (await self.get(user_id)).words
        except SLACK_FAILURES:
            return self.default_words

    async def _look_up(self, user_id: str) -> SlackUser:
        try:
            answer = await self._client.users_info(user=user_id, include_locale=True)
        except SlackApiError as error:
            if error_name(error) in UNKNOWN_USER_ERRORS:
                return SlackUser(user_id, language_of(None, self._language), outsider=True)
            raise
        user: dict[str, Any] = answer["user"]
        if self.home.enterprise is None and _enterprise_of(user) and not self._enterprise_asked:
            await self._learn_enterprise()
        return SlackUser(
            id=user_id,
            language=language_of(user.get("locale"), self._language),
            outsider=self._is_outsider(user),
            is_bot=bool(user.get("is_bot")) or user_id == SLACKBOT,
            deleted=bool(user.get("deleted")),
            utc_offset=timedelta(seconds=user.get("tz_offset") or 0),
            enterprise=_enterprise_of(user),
        )

    async def _learn_enterprise(self) -> None:
        """Learn the bot's own enterprise from its own user, because auth.test does not always tell it."""
        own = await self._client.users_info(user=self.home.bot_user_id)
        self.home = replace(self.home, enterprise=_enterprise_of(own["user"]))
        self._enterprise_asked = True

    def _is_outsider(self, user: dict[str, Any]) -> bool:
        if user.get("is_restricted") or user.get("is_ultra_restricted"):
            return True
        if self.home.enterprise is not None and _enterprise_of(user) == self.home.enterprise:
            return False  # even if Slack calls a colleague a stranger, who shares no channel with the bot yet
        return bool(user.get("is_stranger")) or user.get("team_id") not in {None, self.home.team}


def is_foreign(message: Mapping[str, Any], author: SlackUser, home: Home) -> bool:
    """Return whether the message names another organisation as its author's (Slack Connect).

    On Enterprise Grid a colleague's message may name a sibling workspace: the author's enterprise decides.
    """
    if home.enterprise is not None and author.enterprise == home.enterprise:
        return False
    team = message.get("user_team") or message.get("source_team")
    return team not in {None, home.team, home.enterprise}


def is_by_app(message: Mapping[str, Any]) -> bool:
    """Return whether an app posted the message, by itself or for a person."""
    return bool(message.get("bot_id") or message.get("app_id") or message.get("bot_profile"))


def _enterprise_of(user: dict[str, Any]) -> str | None:
    enterprise = (user.get("enterprise_user") or {}).get("enterprise_id")
    return str(enterprise) if enterprise else None
