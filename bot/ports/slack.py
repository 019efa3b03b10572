"""Slack: the history of channels, and messages to people."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.audience import Audience
from bot.domain.budget import BudgetNews
from bot.domain.card import Card
from bot.domain.consent import Author
from bot.domain.digest import Digest
from bot.domain.errors import Undelivered
from bot.domain.finetune import Finetune
from bot.domain.forgetting import ForgetRequest, OlderFiles, Posted, Shown
from bot.domain.hourly import LimitRefusal
from bot.domain.prompt import Category, Prompt
from bot.domain.proposal import Proposal
from bot.domain.question import Arrival, Missed, Notice, Place, Question
from bot.domain.release import ModelName, Release
from bot.domain.trouble import TroubleReport


class History(Protocol):
    """The message history of the watched channels."""

    def asked(self, channel: str, since: datetime, until: datetime) -> AsyncIterator[tuple[datetime, Arrival]]:
        """Yield the channel's messages that ask us something, each with the time it was posted, in any order."""


class Audiences(Protocol):
    """The audiences of channels."""

    async def of(self, channel: str) -> Audience:
        """Return the audience of a channel, by its id; UNKNOWN if Slack refuses to tell it.

        Raises:
            Undelivered: Slack gave no answer; a later call may get one.
        """


class Membership(Protocol):
    """The members of channels."""

    async def holds(self, channel: str, user: str) -> bool:
        """Return whether a person is a member of a channel; False if Slack does not say so surely."""


class Threads(Protocol):
    """The messages that a reply in a thread points at."""

    async def read(self, arrival: Arrival) -> Arrival:
        """Return the arrival with the root of its thread and the message right before it, as far as members wrote them.

        What may not be read is marked in `unread`. The quotes are not masked yet.

        Raises:
            Undelivered: Slack gave no answer; a later call may get one.
        """


class Remover(Protocol):
    """The part of forgetting in Slack.

    Raises:
        Undelivered: Any method; Slack did not accept it.
    """

    async def remove_shown(self, shown: Shown) -> int:
        """Replace all messages about a forgotten question by a sentence that says so; return their number.

        Raises:
            Undelivered: Slack took only a part, or nothing.
        """

    async def remove_posted(self, posted: Posted) -> int:
        """Delete files, and replace a list by a sentence that says so; return their number."""

    async def remove_older(self, known: Collection[str], before: datetime) -> OlderFiles:
        """Delete tables and training files that the bot posted before a time, but for known ones; say what is left.

        They are looked for in the channel for the people who run the bot, and in direct messages with admins.

        Args:
            known: Ids of the files of which it is noted what they show.
            before: The time.
        """

    async def report_forgotten(self, request: ForgetRequest, versions: Sequence[int]) -> None:
        """Report to the requester what was forgotten, what could not be, and which versions were trained on it."""


class NoSlack(Remover):
    """Slack after the app was removed from it: nothing can be changed there any more."""

    async def remove_shown(self, shown: Shown) -> int:  # noqa: ARG002 - as the port has it
        raise Undelivered("the app was removed", final=True)

    async def remove_posted(self, posted: Posted) -> int:  # noqa: ARG002
        raise Undelivered("the app was removed", final=True)

    async def remove_older(self, known: Collection[str], before: datetime) -> OlderFiles:  # noqa: ARG002
        raise Undelivered("the app was removed", final=True)

    async def report_forgotten(self, request: ForgetRequest, versions: Sequence[int]) -> None:  # noqa: ARG002
        raise Undelivered("the app was removed", final=True)


class Announcer(Remover, Protocol):
    """Messages to people in Slack.

    Many methods take `again`: an earlier attempt, or a worker that outlived its lease, may already have posted the
    message. In that case the method looks for it first; if it was posted twice after all, the earliest copy stays.

    Raises:
        Undelivered: Any method; Slack did not accept the message.
    """

    async def post_card(self, card: Card, *, again: bool) -> str:
        """Post a question's one visible answer in its thread; return its ts."""

    async def update_card(self, card: Card) -> None:
        """Update the posted card to the current state. A card that was deleted in Slack is left alone."""

    async def announce_owner(self, card: Card, *, message_id: str, again: bool) -> None:
        """Tell the asker and the question's new owner in its thread who has it now.

        Args:
            card: The new category and its owner.
            message_id: Id of the correction that moved the question.
            again: An earlier attempt may have posted it.
        """

    async def tell_feedback(self, card: Card, *, message_id: str, again: bool) -> None:
        """Tell the owner, or staff if there is none, in the question's thread what the asker still needs.

        Args:
            card: The card with the asker's feedback.
            message_id: Id of this message.
            again: An earlier attempt may have posted it.
        """

    async def utc_offset(self, card: Card) -> timedelta:
        """Return the time zone of the card's owner, or the asker's if the owner is a user group."""

    async def replied(self, card: Card) -> bool:
        """Return whether a person other than the asker wrote in the question's thread after the card."""

    async def remind_owner(self, card: Card, *, message_id: str, again: bool) -> None:
        """Remind the owner in the question's thread that nobody has taken it up.

        Args:
            card: The card with its owner.
            message_id: Id of this message.
            again: An earlier attempt may have posted it.
        """

    async def ask_author(self, question_id: str, author: Author, *, message_id: str, again: bool) -> None:
        """Ask an author in private whether the words that a colleague asked about may be used.

        Args:
            question_id: The question that holds the words.
            author: The author, and the message with the words.
            message_id: Id of this message.
            again: An earlier attempt may have posted it.
        """

    async def send_on(self, card: Card, category: Category | None, *, again: bool) -> list[tuple[str, str]]:
        """Post a direct message to the people responsible for a category; return the (channel, ts) of each message.

        The places are tried in this order: the category's channel, the ops channel, the owner's direct message, those
        of staff. The first that no other organisation reads, and that Slack accepts, gets it. An empty list means that
        nobody can be reached.
        """

    async def tell_unreached(self, card: Card, category: Category | None, *, again: bool) -> None:
        """Tell the asker of a direct message that nobody could be reached, and that staff find it in their list."""

    async def pass_on(self, question: Question, reply: Place) -> None:
        """Post a member's reply to a sent message in the asker's direct message, if it still exists; never twice."""

    async def post_notice(self, arrival: Arrival, notice: Notice, *, again: bool) -> None:
        """Tell the asker in the thread why there is no answer. Outsiders and cries for help are answered in private."""

    async def take_back(self, question: Question) -> None:
        """Delete the question's card, as far as Slack lets; a card that is already deleted is well."""

    async def posted_card(self, question: Question) -> str | None:
        """Return the ts of the question's card if an earlier attempt has posted it."""

    async def keep_one(self, place: Place, event_id: str, question: Question | None) -> None:
        """Delete all copies but one of a question's card and of an arrival's notice, after a worker lost its lease.

        The card whose ts is stored is kept, else the earliest one.
        """

    async def tell_trouble(self, report: TroubleReport, *, message_id: str, again: bool) -> None:
        """Tell the ops channel, if there is one, what is wrong with a model's provider and what to do."""

    async def tell_operators(self, text: str, facts: Mapping[str, str], *, message_id: str, again: bool) -> None:
        """Tell the ops channel, if there is one, about trouble that only operators can end.

        Args:
            text: Key of the text.
            facts: Values for its placeholders.
            message_id: Id of this message.
            again: An earlier attempt may have posted it.
        """

    async def tell_limit(self, arrival: Arrival, refusal: LimitRefusal) -> None:
        """Tell a person in private that this arrival exceeded the hourly limit of questions."""

    async def show_finetune(self, finetune: Finetune, *, again: bool) -> tuple[str, str]:
        """Post or update the message that shows a fine-tune's progress; return its (channel, ts)."""

    async def announce_finetune(self, finetune: Finetune, release: Release | None, *, again: bool) -> None:
        """Tell the person who asked for the fine-tune, and the ops channel, how it ended and which release it made."""

    async def ask_about_stall(self, finetune: Finetune, *, message_id: str, again: bool) -> None:
        """Tell them that the fine-tune does not go on, and ask whether to wait any longer."""

    async def show_proposal(
        self, proposal: Proposal, release: Release | None, serving: Release | None
    ) -> dict[str, str]:
        """Post or update the messages of a proposal: in the ops channel, else in a direct message to each admin.

        Args:
            proposal: The proposal as it is now.
            release: The version that it proposes; None before it is trained.
            serving: The version that answers now.

        Returns:
            The messages: channel → ts.
        """

    async def ask_permission(self, student: ModelName, *, paused: bool) -> None:
        """Ask in the ops channel, else each admin, whether the company allows training, unless that stands there.

        Args:
            student: The model that would be trained.
            paused: Whether trainings took place before, which wait now.
        """

    async def tell_asker(self, person: str, models: Sequence[ModelName]) -> None:
        """Tell a person in a direct message what happens with questions, unless that stands there.

        Args:
            person: The person's id.
            models: The models that are asked now.
        """

    async def home_offset(self) -> timedelta:
        """Return the workspace's time zone, as its present distance from UTC: that of the first admin, else UTC."""

    async def tell_budget_end(self, news: BudgetNews, *, message_id: str) -> None:
        """Tell the ops channel, else each admin, that the budget of the month is used up, unless they know it."""

    async def post_digest(self, digest: Digest, prompt: Prompt) -> None:
        """Post the Monday summary in the ops channel, else to each admin, unless it is there already.

        Args:
            digest: The summary; its question is shown as a link.
            prompt: Names the categories.
        """

    async def post_missed(self, missed: Missed, *, message_id: str, again: bool) -> None:
        """List for staff, with links, the questions that came too late to be answered. `telling`: id of this list."""

    async def announce_switch(
        self, release: Release, by: str, note: str | None = None, *, message_id: str, again: bool
    ) -> None:
        """Tell the ops channel, if there is one, which release serves now.

        Args:
            release: The release that serves now.
            by: Who switched.
            note: Why it was switched although the gate did not pass it.
            message_id: Id of this switch; a release may be switched to more than once.
            again: An earlier attempt may have posted it.
        """
