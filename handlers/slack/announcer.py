"""The Announcer port over Slack's Web API."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.budget import BudgetNews
from bot.domain.card import Card
from bot.domain.consent import Author
from bot.domain.digest import Digest
from bot.domain.errors import Undelivered
from bot.domain.finetune import Finetune
from bot.domain.forgetting import ForgetRequest
from bot.domain.hourly import LimitRefusal
from bot.domain.privacy import Privacy
from bot.domain.prompt import Prompt
from bot.domain.proposal import Proposal, ProposalState
from bot.domain.question import Arrival, Missed, Notice, Place, Question
from bot.domain.release import ModelName, Release
from bot.domain.trouble import TroubleReport
from handlers.slack.copies import Mark, OwnMessages
from handlers.slack.direct import DirectMessages
from handlers.slack.failures import SLACK_FAILURES, call_slack, error_name
from handlers.slack.people import People, is_by_app
from handlers.slack.removals import Removals
from handlers.slack.shared import SharedChannels
from handlers.texts.escape import escaped, mention, mentions
from handlers.texts.words import Words
from handlers.views import consent as consent_view
from handlers.views import forget as forget_view
from handlers.views import permission, training
from handlers.views.budget import budget_end
from handlers.views.card import card as card_view
from handlers.views.card import moved
from handlers.views.care import care as care_view
from handlers.views.digest import digest_message
from handlers.views.direct import direct_card
from handlers.views.feedback import unhelped
from handlers.views.gate import switch_told
from handlers.views.limit import limit_text
from handlers.views.message import Message, section
from handlers.views.missed import missed as missed_view
from handlers.views.privacy import privacy_notice
from handlers.views.proposal import proposal_message
from handlers.views.trouble import trouble

log = logging.getLogger(__name__)

BLOCK_ERRORS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
"""Slack's errors for blocks that it does not accept."""
MOST_ADMINS = 20
"""Maximum number of admins who get a direct message where there is no ops channel."""
MOST_STAFF_MENTIONS = 10
"""Maximum number of people and groups that an unsure card mentions: more would be noise."""


class SlackAnnouncer:
    """`ports.Announcer` over the Web API.

    Args:
        client: The Web API. It must not retry after a lost connection, because that can post a message twice.
        people: Looks people up.
        ops_channel: Id of the channel for the people who run the bot; None if there is none.
        staff: Ids of the users and user groups that an unsure card mentions.
        contacts: Whom cries for help are referred to (`Care`).
        privacy: The facts of the privacy notice for askers.
        shared: The channels that another organisation reads. An ops channel among them counts as none.
        admins: Returns the ids of all admins, who are told in private what concerns them if there is no ops channel.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - every part is needed
        self,
        client: AsyncWebClient,
        people: People,
        ops_channel: str | None = None,
        staff: Sequence[str] = (),
        contacts: Sequence[str] = (),
        admins: Callable[[], Awaitable[list[str]]] | None = None,
        privacy: Privacy | None = None,
        shared: SharedChannels | None = None,
    ) -> None:
        self._shared = shared or SharedChannels(client)
        self._privacy = privacy or Privacy()
        self._admins = admins
        self._client = client
        self._people = people
        self._copies = OwnMessages(client, people.home.bot_user_id)
        self._configured_ops = ops_channel

        async def post_once(channel: str, thread: str | None, message: Message, mark: Mark, again: bool) -> str:  # noqa: FBT001 - as the method
            return await self._post_once(channel, thread, message, mark, again=again)

        direct = DirectMessages(client, people, post_once, ops_channel, staff)
        self.send_on, self.tell_unreached, self.pass_on = direct.send_on, direct.tell_unreached, direct.pass_on
        removals = Removals(client, self._copies, self._audience)
        self.remove_shown, self.remove_posted = removals.remove_shown, removals.remove_posted
        self.remove_older = removals.remove_older
        self._staff = mentions(tuple(staff)[:MOST_STAFF_MENTIONS])
        self._contacts = tuple(contacts)

    async def _audience(self) -> tuple[list[str], list[str]]:
        """Return the configured ops channel, also one that others read by now, and the ids of all admins."""
        return [self._configured_ops] if self._configured_ops else [], await self._admins() if self._admins else []

    async def post_card(self, card: Card, *, again: bool) -> str:
        question, place = card.question, card.question.place
        ts = await self._post_once(
            place.channel, place.thread, self._card_message(card), card_mark(question), again=again
        )
        if again:
            # This may be an earlier copy, and somebody may have pressed on it before its ts was stored.
            posted = question.model_copy(update={"card_ts": ts})
            await self.update_card(card.model_copy(update={"question": posted}))
        return ts

    async def take_back(self, question: Question) -> None:
        if question.card_ts is None:
            return
        try:
            await self._copies.delete(question.place.channel, question.card_ts)
        except Undelivered as error:
            if not error.final:
                raise
            log.warning("question %s: Slack does not let its card be deleted: %s", question.id, error)

    async def posted_card(self, question: Question) -> str | None:
        place = question.place
        return await self._copies.keep_one(place.channel, place.thread, card_mark(question))

    async def keep_one(self, place: Place, event_id: str, question: Question | None) -> None:
        if question:
            await self._copies.keep_one(place.channel, place.thread, card_mark(question), question.card_ts)
        await self._copies.keep_one(place.channel, place.thread, notice_mark(event_id))

    def _card_message(self, card: Card) -> Message:
        words = self._card_words(card)
        return direct_card(card, words) if card.question.direct else card_view(card, words, self._staff)

    def _card_words(self, card: Card) -> Words:
        """Return the words of a card: only the asker reads that of a direct message."""
        language = card.question.language
        return Words(language, names=language) if card.question.direct else self._people.public_words(language)

    async def update_card(self, card: Card) -> None:
        question = card.question
        if question.card_ts is None:
            return
        try:
            await self._update(question.place.channel, question.card_ts, self._card_message(card))
        except Undelivered as error:
            if str(error) != "message_not_found":
                raise

    async def announce_owner(self, card: Card, *, message_id: str, again: bool) -> None:
        place, message = card.question.place, moved(card, self._card_words(card), self._staff)
        if message:
            await self._post_once(
                place.channel, place.thread, message, announcement_mark(f"owner:{message_id}"), again=again
            )

    async def tell_feedback(self, card: Card, *, message_id: str, again: bool) -> None:
        place = card.question.place
        message = unhelped(card, Words(card.question.language), self._staff)
        await self._post_once(
            place.channel, place.thread, message, announcement_mark(f"feedback:{message_id}"), again=again
        )

    async def utc_offset(self, card: Card) -> timedelta:
        owner = card.owner or ""
        return await self._offset_of(owner if owner.startswith(("U", "W")) else card.question.asker)

    async def _offset_of(self, person: str) -> timedelta:
        try:
            return (await self._people.get(person)).utc_offset
        except SLACK_FAILURES as error:
            raise Undelivered(error_name(error) or type(error).__name__, final=False) from error

    async def replied(self, card: Card) -> bool:
        place, after = card.question.place, float(card.question.card_ts or 0)
        found = await call_slack(
            self._client.conversations_replies(channel=place.channel, ts=place.thread, oldest=str(after), limit=200)
        )
        return any(
            not is_by_app(message) and message.get("user") != card.question.asker and float(message["ts"]) > after
            for message in found["messages"]
        )

    async def remind_owner(self, card: Card, *, message_id: str, again: bool) -> None:
        place, words = card.question.place, Words(card.question.language)
        text = words("card.remind", owner=mention(card.owner) or "")
        await self._post_once(
            place.channel, place.thread, _text_message(text), announcement_mark(f"remind:{message_id}"), again=again
        )

    async def ask_author(self, question_id: str, author: Author, *, message_id: str, again: bool) -> None:
        words = await self._people.words(author.id)
        link = await self._link_if_readable(author.channel, author.ts) if author.ts else None
        opened = await call_slack(self._client.conversations_open(users=author.id))
        message = consent_view.ask(question_id, author, link, words)
        mark = announcement_mark(f"consent:{message_id}")
        await self._post_once(str(opened["channel"]["id"]), None, message, mark, again=again)

    async def post_notice(self, arrival: Arrival, notice: Notice, *, again: bool) -> None:
        if notice is Notice.CARE:
            await self._answer_cry(arrival, again=again)
            return
        place = arrival.place
        text = Words(arrival.language)(f"notice.{notice.value}")
        if arrival.outsider:
            await call_slack(
                self._client.chat_postEphemeral(
                    channel=place.channel, user=arrival.asker, text=text, thread_ts=place.thread_ts
                )
            )
            return
        await self._post_once(
            place.channel, place.thread, _text_message(text), notice_mark(arrival.event_id), again=again
        )

    async def tell_limit(self, arrival: Arrival, refusal: LimitRefusal) -> None:
        person, place = arrival.counted_for, arrival.place
        message = _text_message(limit_text(refusal, await self._people.words(person)))
        mark = notice_mark(arrival.event_id)
        if arrival.direct:
            await self._post_once(place.channel, place.thread, message, mark, again=True)
        elif not await self._whisper(arrival, message, person):
            opened = await call_slack(self._client.conversations_open(users=person))
            await self._post_once(str(opened["channel"]["id"]), None, message, mark, again=True)

    async def _answer_cry(self, arrival: Arrival, *, again: bool) -> None:
        """Post the private answer: in the direct message itself, else ephemeral, else in a new direct message."""
        place, mark = arrival.place, notice_mark(arrival.event_id)
        message = care_view(self._contacts, Words(arrival.language), in_channel=not arrival.direct)
        if arrival.direct:
            await self._post_once(place.channel, place.thread, message, mark, again=again)
        elif not await self._whisper(arrival, message):
            opened = await call_slack(self._client.conversations_open(users=arrival.asker))
            await self._post_once(str(opened["channel"]["id"]), None, message, mark, again=again)

    async def _whisper(self, arrival: Arrival, message: Message, person: str = "") -> bool:
        """Show the asker, or another person, an ephemeral message beside the arrival's.

        Returns:
            False if Slack will never take it.
        """
        place = arrival.place
        try:
            await call_slack(
                self._client.chat_postEphemeral(
                    channel=place.channel,
                    user=person or arrival.asker,
                    text=message.text,
                    blocks=message.blocks,
                    thread_ts=place.thread_ts,
                )
            )
        except Undelivered as error:
            if not error.final:
                raise
            return False
        return True

    async def show_finetune(self, finetune: Finetune, *, again: bool) -> tuple[str, str]:
        message = training.progress(finetune, Words(finetune.language))
        if finetune.channel and finetune.channel_ts:
            try:
                await self._update(finetune.channel, finetune.channel_ts, message)
            except Undelivered as error:
                if str(error) != "message_not_found":
                    raise
            else:
                return finetune.channel, finetune.channel_ts
        channel = await self._progress_channel(finetune)
        return channel, await self._post_once(
            channel, None, message, announcement_mark(f"progress:{finetune.id}"), again=again
        )

    async def announce_finetune(self, finetune: Finetune, release: Release | None, *, again: bool) -> None:
        channel = finetune.channel or await self._progress_channel(finetune)
        message = training.ended(finetune, release, Words(finetune.language))
        await self._post_once(
            channel, finetune.channel_ts, message, announcement_mark(f"ended:{finetune.id}"), again=again
        )

    async def ask_about_stall(self, finetune: Finetune, *, message_id: str, again: bool) -> None:
        channel = finetune.channel or await self._progress_channel(finetune)
        message = training.stalled(finetune, Words(finetune.language))
        await self._post_once(
            channel, finetune.channel_ts, message, announcement_mark(f"stalled:{message_id}"), again=again
        )

    async def show_proposal(
        self, proposal: Proposal, release: Release | None, serving: Release | None
    ) -> dict[str, str]:
        shown = dict(proposal.shown)
        new = proposal.state in {ProposalState.OPEN, ProposalState.ASKING, ProposalState.DROPPED}
        known = dict(await self._operators())
        for channel, words in known.items():
            if new and channel not in shown:
                message = proposal_message(proposal, release, serving, words)
                mark = announcement_mark(f"proposal:{proposal.finetune_id}")
                shown[channel] = await self._post_once(channel, None, message, mark, again=True)
        for channel, ts in proposal.shown.items():
            message = proposal_message(proposal, release, serving, known.get(channel, self._people.default_words))
            try:
                await self._update(channel, ts, message)
            except Undelivered as error:
                if not error.final:
                    raise
        return shown

    async def ask_permission(self, student: ModelName, *, paused: bool) -> None:
        for channel, words in await self._operators():
            mark = announcement_mark(f"permission:{student.provider}")
            await self._post_once(channel, None, permission.asked(words, paused=paused), mark, again=True)

    async def tell_asker(self, person: str, models: Sequence[ModelName]) -> None:
        words = await self._people.words(person)
        opened = await call_slack(self._client.conversations_open(users=person))
        message, mark = privacy_notice(self._privacy, models, words), announcement_mark("privacy")
        await self._post_once(str(opened["channel"]["id"]), None, message, mark, again=True)

    async def home_offset(self) -> timedelta:
        admins = await self._admins() if self._admins else []
        return await self._offset_of(admins[0]) if admins else timedelta(0)

    async def tell_budget_end(self, news: BudgetNews, *, message_id: str) -> None:
        for channel, words in await self._operators():
            message = budget_end(news, words)
            await self._post_once(channel, None, message, announcement_mark(f"budget:{message_id}"), again=True)

    async def post_digest(self, digest: Digest, prompt: Prompt) -> None:
        waiting, mark = digest.waiting, announcement_mark(f"digest:{digest.until.date()}")
        link = await self._link_if_readable(waiting.channel, waiting.ts) if waiting else None
        for channel, words in await self._operators():
            await self._post_once(channel, None, digest_message(digest, prompt, words, link=link), mark, again=True)

    async def _ops_channel(self) -> str | None:
        """Return the ops channel, unless there is none or another organisation reads it."""
        ops = self._configured_ops
        try:
            return None if ops is None or await self._shared.holds(ops) else ops
        except SLACK_FAILURES as error:
            raise Undelivered(error_name(error) or type(error).__name__, final=False) from error

    async def _operators(self) -> list[tuple[str, Words]]:
        """Return the ops channel, else the direct message of each admin, with the readers' language.

        An admin to whom Slack lets nobody write, such as a former employee, is left out.
        """
        ops = await self._ops_channel()
        if ops:
            return [(ops, self._people.default_words)]
        found = []
        for admin in (await self._admins() if self._admins else [])[:MOST_ADMINS]:
            try:
                opened = await call_slack(self._client.conversations_open(users=admin))
            except Undelivered as error:
                if not error.final:
                    raise
                log.warning("an admin gets no direct message: %s", error)
                continue
            found.append((str(opened["channel"]["id"]), await self._people.words(admin)))
        return found

    async def post_missed(self, missed: Missed, *, message_id: str, again: bool) -> None:
        links = {ts: await self._link(missed.channel, ts) for ts in missed.ts}
        message = missed_view(missed, {ts: link for ts, link in links.items() if link}, self._staff)
        channel = await self._ops_channel() or missed.channel
        await self._post_once(channel, None, message, announcement_mark(f"missed:{message_id}"), again=again)

    async def _link(self, channel: str, ts: str) -> str | None:
        """Return the permalink of a message, or None if it was deleted."""
        try:
            return str((await call_slack(self._client.chat_getPermalink(channel=channel, message_ts=ts)))["permalink"])
        except Undelivered as error:
            if str(error) != "message_not_found":
                raise
            return None

    async def _link_if_readable(self, channel: str, ts: str) -> str | None:
        """Return the permalink of a message, or None if Slack does not give it to the bot."""
        try:
            return await self._link(channel, ts)
        except Undelivered as error:
            if not error.final:
                raise
            return None

    async def announce_switch(
        self, release: Release, by: str, note: str | None = None, *, message_id: str, again: bool
    ) -> None:
        ops = await self._ops_channel()
        if ops is None:
            return
        words = await self._people.words(by)
        message = switch_told(release, mention(by) or escaped(by), note, words)
        await self._post_once(ops, None, message, announcement_mark(f"switch:{message_id}"), again=again)

    async def report_forgotten(self, request: ForgetRequest, versions: Sequence[int]) -> None:
        words = await self._people.words(request.by)
        opened = await call_slack(self._client.conversations_open(users=request.by))
        mark = announcement_mark(f"forgotten:{request.id}")
        message = forget_view.report(request, versions, words)
        await self._post_once(str(opened["channel"]["id"]), None, message, mark, again=True)

    async def tell_trouble(self, report: TroubleReport, *, message_id: str, again: bool) -> None:
        ops = await self._ops_channel()
        if ops is None:
            return
        link = await self._link(report.channel, report.ts) if report.channel and report.ts else None
        message = trouble(report, link, self._people.default_words)
        await self._post_once(ops, None, message, announcement_mark(f"trouble:{message_id}"), again=again)

    async def tell_operators(self, text: str, facts: Mapping[str, str], *, message_id: str, again: bool) -> None:
        ops = await self._ops_channel()
        if ops is None:
            return
        said = self._people.default_words(text, **{name: escaped(fact) for name, fact in facts.items()})
        message = Message(said, [section(f"⚠️ {said}")])
        await self._post_once(ops, None, message, announcement_mark(f"told:{message_id}"), again=again)

    async def _progress_channel(self, finetune: Finetune) -> str:
        """Return the channel for a fine-tune's progress: the ops channel, else a DM with the requester."""
        ops = await self._ops_channel()
        if ops:
            return ops
        opened = await call_slack(self._client.conversations_open(users=finetune.requested_by))
        return str(opened["channel"]["id"])

    async def _post_once(self, channel: str, thread: str | None, message: Message, mark: Mark, *, again: bool) -> str:
        """Post a message and return its ts.

        With `again`, an earlier copy is kept instead of a new post. After a new post all copies but the earliest are
        deleted, because a worker that lost its lease may have posted at the same time.
        """
        earlier = await self._copies.keep_one(channel, thread, mark) if again else None
        if earlier:
            return earlier
        ts = await self._post(channel, thread, message, mark)
        return (await self._copies.keep_one(channel, thread, mark) if again else None) or ts

    async def _post(self, channel: str, thread: str | None, message: Message, mark: Mark) -> str:
        async def post(blocks: list[dict[str, Any]] | None) -> str:
            answer = await call_slack(
                self._client.chat_postMessage(
                    channel=channel,
                    text=message.text,
                    blocks=blocks,
                    thread_ts=thread,
                    metadata=mark.metadata,
                )
            )
            await self._copies.require_thread(channel, thread, answer)
            return str(answer["ts"])

        try:
            return await post(message.blocks)
        except Undelivered as error:
            if str(error) not in BLOCK_ERRORS:
                raise
            log.warning("Slack refused the blocks of a message; it is posted as text")
            return await post(None)

    async def _update(self, channel: str, ts: str, message: Message) -> None:
        async def update(blocks: list[dict[str, Any]]) -> None:
            await call_slack(self._client.chat_update(channel=channel, ts=ts, text=message.text, blocks=blocks))

        try:
            await update(message.blocks)
        except Undelivered as error:
            if str(error) not in BLOCK_ERRORS:
                raise
            log.warning("Slack refused the blocks of a message; it is updated as text")
            # Without a list of blocks the old blocks would stay, and with them the old controls.
            await update([])


def card_mark(question: Question) -> Mark:
    return Mark("question", "question_id", question.id)


def notice_mark(event_id: str) -> Mark:
    return Mark("notice", "event_id", event_id)


def announcement_mark(announcement: str) -> Mark:
    return Mark("told", "what", announcement)


def _text_message(text: str) -> Message:
    return Message(text, [section(text)])
