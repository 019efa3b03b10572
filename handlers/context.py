"""What the listeners share: the acts, and how Slack is spoken."""

from collections.abc import Callable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts, SlackActs
from handlers.slack.guard import Guard
from handlers.slack.people import People
from handlers.slack.policy import Policy
from handlers.slack.private import Private


@dataclass(frozen=True)
class Wake:
    """Ways to have something done at once that would be done at the next tick anyway."""

    answerers: Callable[[], None]
    deliverers: Callable[[], None]
    follow: Callable[[], None]


@dataclass(frozen=True)
class Context:
    """Everything a listener may need."""

    acts: Acts
    slack: SlackActs
    client: AsyncWebClient
    people: People
    guard: Guard
    policy: Policy
    private: Private
    wake: Wake
    ops_channel: str | None = None
