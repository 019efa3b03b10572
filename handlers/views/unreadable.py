"""Texts about channels of the settings that the bot cannot read."""

from collections.abc import Mapping

from handlers.texts.escape import escaped
from handlers.texts.words import Words

UNREADABLE_REASONS = frozenset({"not_in_channel", "channel_not_found", "is_archived", "missing_scope", "shared"})
"""Errors that have a text of their own, under `unreadable.<error>`."""


def unreadable_key(error: str) -> str:
    """Return the key of the text about a channel with this error of Slack's."""
    return f"unreadable.{error if error in UNREADABLE_REASONS else 'other'}"


def unreadable(channels: Mapping[str, str], words: Words) -> list[str]:
    """Return a line for each channel, by id and Slack's error: why it cannot be read, and what to do."""
    return [
        "⚠️ " + words(unreadable_key(error), channel=f"<#{channel}>", error=escaped(error))
        for channel, error in channels.items()
    ]
