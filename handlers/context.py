"""The context of every listener: the acts, and the ways to reach people in Slack."""

from collections.abc import Callable
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts, SlackActs
from bot.corrections.readership import Readership
from bot.domain.privacy import Privacy
from handlers.slack.channels import ChannelAudiences
from handlers.slack.guard import Guard
from handlers.slack.moved import MovedChannels
from handlers.slack.people import People
from handlers.slack.policy import Policy
from handlers.slack.private import Private
from handlers.slack.reading import MessageReader
from handlers.slack.shown_homes import ShownHomes


@dataclass(frozen=True)
class Wake:
    """Callbacks that start work at once instead of at its next interval."""

    answerers: Callable[[], None]
    """Wakes the workers that answer questions."""
    deliverers: Callable[[], None]
    """Wakes the workers that update cards and post announcements."""
    updaters: Callable[[], None]
    """Wakes the workers that update cards, but not those that erase forgotten texts."""
    follow: Callable[[], None]
    """Starts a check of the running fine-tune."""


@dataclass(frozen=True)
class Context:
    """Everything that a listener may need."""

    acts: Acts
    slack: SlackActs
    client: AsyncWebClient
    people: People
    guard: Guard
    policy: Policy
    audiences: ChannelAudiences
    reader: MessageReader
    readership: Readership
    private: Private
    wake: Wake
    ops_channel: str | None = None
    """Id of the channel for the people who run the bot; None if there is no such channel."""
    emoji: str | None = None
    """Name of the emoji that makes a message a question; None if there is none."""
    privacy: Privacy = field(default_factory=Privacy)
    """The facts of the privacy notice for askers."""
    moved: MovedChannels = field(default_factory=MovedChannels)
    homes: ShownHomes = field(default_factory=ShownHomes)
