"""The audience of a question where it was asked."""

from enum import StrEnum


class Audience(StrEnum):
    """The people who can read a question, or the row that came from it, where it was asked.

    The question's place names the channel. Only `PUBLIC` may be shown elsewhere.
    """

    PUBLIC = "public"
    """Every member of the workspace can open the channel, or the row was imported."""
    PRIVATE = "private"
    """The members of a private channel or of a group message."""
    DIRECT = "direct"
    """The asker alone: a direct message to the bot."""
    UNKNOWN = "unknown"
    """Slack has not said. It counts as private."""
