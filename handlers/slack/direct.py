"""Direct messages that askers send on: where they go, and how replies find the way back."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.card import Card
from bot.domain.errors import Undelivered
from bot.domain.prompt import Category
from bot.domain.question import Place, Question
from handlers.slack.channels import is_shared
from handlers.slack.content import content_of
from handlers.slack.copies import Mark
from handlers.slack.failures import call_slack
from handlers.slack.people import People, is_by_app
from handlers.texts.words import Words, language_of
from handlers.views import direct as views
from handlers.views.message import Message

log = logging.getLogger(__name__)

MOST_RECEIVERS = 10
"""Most people who get a question in a direct message, where a category has a user group and no channel."""
PostOnce = Callable[[str, str | None, Message, Mark, bool], Awaitable[str]]


class DirectMessages:
    """Messages of an asker to the people responsible, and their replies to the asker.

    Args:
        client: The Web API.
        people: Looks people up.
        post_once: Posts a message in a channel and thread under a mark, or finds it if it may be there already.
        ops_channel: Id of the channel for the people who run the bot; None if there is none.
        staff: Ids of the users and user groups that correct answers.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        people: People,
        post_once: PostOnce,
        ops_channel: str | None,
        staff: Sequence[str],
    ) -> None:
        self._client = client
        self._people = people
        self._post_once = post_once
        self._ops_channel = ops_channel
        self._staff = tuple(staff)

    async def send_on(self, card: Card, category: Category | None, *, again: bool) -> list[tuple[str, str]]:
        mark = Mark("told", "what", f"sent:{card.question.id}")
        owner = category.owner if category else None
        message = views.sent(card, category, owner, Words(language_of(card.prompt.language, None)))
        for channel in filter(None, (category.channel if category else None, self._ops_channel)):
            ts = await self._post(channel, message, mark, again=again) if await self._is_ours(channel) else None
            if ts:
                return [(channel, ts)]
        for receivers in ((owner,), self._staff):
            places = []
            for user in await self._users([one for one in receivers if one], but=card.question.asker):
                channel = str((await call_slack(self._client.conversations_open(users=user)))["channel"]["id"])
                message = views.sent(card, category, None, await self._people.words(user))
                ts = await self._post(channel, message, mark, again=again)
                places += [(channel, ts)] if ts else []
            if places:
                return places
        log.warning("question %s: nobody can be reached", card.question.id)
        return []

    async def tell_unreached(self, card: Card, category: Category | None, *, again: bool) -> None:
        message = views.unreached(card, category, Words(card.question.language, names=card.question.language))
        place, mark = card.question.place, Mark("told", "what", f"unreached:{card.question.id}")
        await self._post_once(place.channel, place.thread, message, mark, again)

    async def pass_on(self, question: Question, reply: Place) -> None:
        found = await call_slack(
            self._client.conversations_replies(
                channel=reply.channel, ts=reply.thread, oldest=reply.ts, latest=reply.ts, inclusive=True, limit=2
            )
        )
        message = next((one for one in found["messages"] if one.get("ts") == reply.ts), None)
        if message is None or is_by_app(message) or not message.get("user"):
            return
        author = await self._people.get(message["user"])
        if author.outsider or author.is_bot or author.id == question.asker:
            return
        shown = views.reply(author.id, content_of(message).text, Words(question.language))
        mark = Mark("told", "what", f"reply:{question.id}:{reply.ts}")
        await self._post_once(question.place.channel, question.place.thread, shown, mark, True)

    async def _post(self, channel: str, message: Message, mark: Mark, *, again: bool) -> str | None:
        """Post the message and return its ts; None if Slack will never take it there."""
        try:
            return await self._post_once(channel, None, message, mark, again)
        except Undelivered as error:
            if not error.final:
                raise
            log.warning("a direct message cannot be sent to %s: %s", channel, error)
            return None

    async def _is_ours(self, channel: str) -> bool:
        """Return whether the bot is in the channel and nobody of another organisation reads it."""
        try:
            info = (await call_slack(self._client.conversations_info(channel=channel)))["channel"]
        except Undelivered as error:
            if not error.final:
                raise
            return False
        return not (is_shared(info) or info.get("is_archived") or info.get("is_member") is False)

    async def _users(self, members: Sequence[str], *, but: str) -> list[str]:
        """Return the people of these users and user groups, each once, without one of them; members alone."""
        users: dict[str, None] = {}
        for member in members:
            if not member.startswith("S"):
                users[member] = None
                continue
            try:
                listed = (await call_slack(self._client.usergroups_users_list(usergroup=member)))["users"]
            except Undelivered as error:
                if not error.final:
                    raise
                listed = []
            users.update(dict.fromkeys(listed))
        found = []
        for user in users:
            person = await self._people.get(user) if user != but else None
            if person and not (person.outsider or person.is_bot or person.deleted):
                found.append(user)
        return found[:MOST_RECEIVERS]
