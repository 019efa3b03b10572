"""The Announcer port, spoken to Slack's Web API."""

import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.card import Card
from bot.domain.errors import Undelivered
from bot.domain.finetune import Finetune
from bot.domain.question import Arrival, Notice, Place
from bot.domain.release import Release
from handlers.escape import escaped, mention, mentions
from handlers.people import People
from handlers.slack import TROUBLE, error_name
from handlers.views import finetune_progress
from handlers.views.card import card as card_view
from handlers.views.message import Message, section
from handlers.words import Words

log = logging.getLogger(__name__)

QUESTION = "madoguchi_question"
NOTICE = "madoguchi_notice"

PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        # What an operator repairs: a new token, an app that was switched off for a while.
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_expired",
        "token_revoked",
        "accesslimited",
    }
)
"""Slack's errors that may pass (docs.slack.dev, chat.postMessage). Any other one is an answer that will not change."""
NO_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
NO_THREAD = frozenset({"thread_not_found", "message_not_found"})
MOST_ASKED = 10
"""People or groups that one unsure card mentions: more would be noise."""
PAGES = 20
"""Of 200 messages: an answer stands near the top of its thread."""


class SlackAnnouncer:
    """Posts and updates messages. Its client must not retry by itself after a lost connection: that posts twice."""

    def __init__(
        self, client: AsyncWebClient, people: People, ops_channel: str | None = None, staff: Sequence[str] = ()
    ) -> None:
        self._client = client
        self._people = people
        self._ops_channel = ops_channel
        self._staff = mentions(tuple(staff)[:MOST_ASKED])

    async def post_card(self, card: Card, *, again: bool) -> str:
        question = card.question
        posted = await self._find(question.place, "question_id", question.id) if again else None
        if posted:
            # Somebody may have pressed on it before its ts was written down.
            await self.update_card(
                card.model_copy(update={"question": question.model_copy(update={"card_ts": posted})})
            )
            return posted
        metadata = {"event_type": QUESTION, "event_payload": {"question_id": question.id}}
        return await self._post(
            question.place.channel,
            self._card(card),
            thread_ts=question.place.thread,
            metadata=metadata,
        )

    def _card(self, card: Card) -> Message:
        return card_view(card, Words(card.question.language), self._staff)

    async def update_card(self, card: Card) -> None:
        question = card.question
        if question.card_ts is None:
            return
        try:
            await self._update(question.place.channel, question.card_ts, self._card(card))
        except Undelivered as error:
            if str(error) != "message_not_found":
                raise

    async def post_notice(self, arrival: Arrival, notice: Notice, *, again: bool) -> None:
        place = arrival.place
        text = Words(arrival.language)(f"notice.{notice.value}")
        if arrival.outsider:
            await _call(
                self._client.chat_postEphemeral(
                    channel=place.channel, user=arrival.asker, text=text, thread_ts=place.thread_ts
                )
            )
        elif not (again and await self._find(place, "event_id", arrival.event_id)):
            metadata = {"event_type": NOTICE, "event_payload": {"event_id": arrival.event_id}}
            await self._post(place.channel, _message(text), thread_ts=place.thread, metadata=metadata)

    async def show_finetune(self, finetune: Finetune) -> tuple[str, str]:
        message = finetune_progress.progress(finetune, Words(finetune.language))
        if finetune.channel and finetune.channel_ts:
            try:
                await self._update(finetune.channel, finetune.channel_ts, message)
            except Undelivered as error:
                if str(error) != "message_not_found":
                    raise
            else:
                return finetune.channel, finetune.channel_ts
        channel = await self._following(finetune)
        return channel, await self._post(channel, message)

    async def announce_finetune(self, finetune: Finetune) -> None:
        channel = finetune.channel or await self._following(finetune)
        message = finetune_progress.ended(finetune, Words(finetune.language))
        await self._post(channel, message, thread_ts=finetune.channel_ts)

    async def announce_switch(self, release: Release, by: str, note: str | None = None) -> None:
        if self._ops_channel is None:
            return
        words = await self._people.words(by)
        model = escaped(str(release.model))
        text = words("progress.switched", who=mention(by) or by, model=model, release=release.id)
        if note:
            text += "\n" + words("progress.overridden", note=escaped(note, 500))
        await self._post(self._ops_channel, Message(text, [section(text, verbatim=True)]))

    async def _following(self, finetune: Finetune) -> str:
        """Where a fine-tune is followed: the ops channel, else a DM with who asked for it."""
        if self._ops_channel:
            return self._ops_channel
        opened = await _call(self._client.conversations_open(users=finetune.requested_by))
        return str(opened["channel"]["id"])

    async def _post(self, channel: str, message: Message, **more: Any) -> str:
        async def post(blocks: list[dict[str, Any]] | None) -> str:
            answer = await _call(
                self._client.chat_postMessage(
                    channel=channel,
                    text=message.text,
                    blocks=blocks,
                    link_names=False,
                    unfurl_links=False,
                    unfurl_media=False,
                    **more,
                )
            )
            return str(answer["ts"])

        try:
            return await post(message.blocks)
        except Undelivered as error:
            if str(error) not in NO_BLOCKS:
                raise
            log.warning("Slack refuses our blocks; sent as text")
            return await post(None)

    async def _update(self, channel: str, ts: str, message: Message) -> None:
        async def update(blocks: list[dict[str, Any]]) -> None:
            await _call(self._client.chat_update(channel=channel, ts=ts, text=message.text, blocks=blocks))

        try:
            await update(message.blocks)
        except Undelivered as error:
            if str(error) not in NO_BLOCKS:
                raise
            log.warning("Slack refuses our blocks; updated as text")
            # Without new blocks the old ones, and with them the old controls, would stay.
            await update([])

    async def _find(self, place: Place, key: str, value: str) -> str | None:
        """The ts of our own message in this thread whose metadata holds this value."""
        async for message in self._thread(place):
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if message.get("user") == self._people.home.bot_user_id and payload.get(key) == value:
                return str(message["ts"])
        return None

    async def _thread(self, place: Place) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        for _ in range(PAGES):
            try:
                page = await _call(
                    self._client.conversations_replies(
                        channel=place.channel, ts=place.thread, include_all_metadata=True, limit=200, cursor=cursor
                    )
                )
            except Undelivered as error:
                if str(error) in NO_THREAD:
                    return
                raise
            for message in page["messages"]:
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return


def _message(text: str) -> Message:
    return Message(text, [section(text)])


async def _call(request: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Await a request of the client. Raises Undelivered with Slack's word for what is wrong."""
    try:
        return await request
    except TROUBLE as error:
        name = error_name(error)
        raise Undelivered(name or type(error).__name__, final=name is not None and name not in PASSING) from error
