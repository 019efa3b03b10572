"""Trigger ids (valid for 3 seconds, once) and response_urls (valid for 30 minutes, 5 times) of interactions."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bot.practice.wire import SlackError

TRIGGER_SECONDS = 3.0
HOOK_SECONDS = 1800.0
HOOK_USES = 5


@dataclass
class Trigger:
    """The permission to open a modal for a person until `expires`. `root_view_id` is the first modal ("" = none)."""

    user_id: str
    expires: float
    root_view_id: str
    used: bool = False


@dataclass
class Hook:
    """The target of a response_url: channel, thread, person and message of the interaction."""

    user_id: str
    channel_id: str
    message_ts: str
    is_ephemeral: bool
    thread_ts: str
    expires: float
    uses: int = 0


class Hooks:
    """The store of triggers and response_urls. Entries are removed an hour after they expire."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._triggers: dict[str, Trigger] = {}
        self._hooks: dict[str, Hook] = {}

    def trigger(self, user_id: str, root_view_id: str = "") -> str:
        """Return a new trigger_id for a person."""
        now = self._clock()
        _trim(self._triggers, now)
        key = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**13)}.{secrets.token_hex(16)}"
        self._triggers[key] = Trigger(user_id, now + TRIGGER_SECONDS, root_view_id)
        return key

    def exchange(self, trigger_id: str) -> Trigger:
        """Use up a trigger_id.

        Raises:
            SlackError: `invalid_trigger_id`, `exchanged_trigger_id` or `expired_trigger_id`.
        """
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock() >= trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def hook(self, user_id: str, channel_id: str, ts: str = "", thread_ts: str = "", *, ephemeral: bool = False) -> str:
        """Return the secret last part of a new response_url."""
        now = self._clock()
        _trim(self._hooks, now)
        key = f"{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        self._hooks[key] = Hook(user_id, channel_id, ts, ephemeral, thread_ts, now + HOOK_SECONDS)
        return key

    def use(self, key: str) -> Hook:
        """Use a response_url once.

        Raises:
            SlackError: `expired_url` or `used_url`; the server answers both with status 404.
        """
        hook = self._hooks.get(key)
        if hook is None or self._clock() >= hook.expires:
            raise SlackError("expired_url")
        if hook.uses >= HOOK_USES:
            raise SlackError("used_url")
        hook.uses += 1
        return hook


def _trim(kept: dict[str, Trigger] | dict[str, Hook], now: float) -> None:
    while kept and kept[oldest := next(iter(kept))].expires < now - 3600:
        del kept[oldest]
