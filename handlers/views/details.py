"""The button *Details*, and the modal with all that stands behind a short answer: figures, ids and models' names."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from handlers.texts.words import Words
from handlers.views.ids import DETAILS, NamedPayload
from handlers.views.message import SECTION_TEXT, Block, Message, button, plain, section

PARAGRAPHS = 100
"""Maximum number of blocks of a modal (docs.slack.dev, views)."""


MOST_LINES = 6


class DetailsOf(StrEnum):
    """The kind of thing that details are about. The payload's `id` says which one."""

    COMPARISON = "comparison"
    TRAINING = "training"
    STATUS = "status"
    UNSURE = "unsure"
    SHADOW = "shadow"
    VERSIONS = "versions"
    PROMPT = "prompt"


class DetailsPayload(NamedPayload):
    """The value of a *Details* button."""

    of: DetailsOf


def details_button(of: DetailsOf, about: str, words: Words) -> Block:
    """Return the button that opens the details of one thing; `about` is the id of a release or of a fine-tune."""
    return button(words("details.button"), DETAILS, DetailsPayload(id=about, of=of).packed())


def brief(lines: Sequence[str], buttons: Sequence[Block], name: str) -> Message:
    """Return a short answer: a first line in plain words, at most five more, and buttons.

    Args:
        lines: The lines as mrkdwn, most important first; the details have those that are left out.
        buttons: The buttons; the last one usually opens the details.
        name: The block id of the buttons.
    """
    actions = [{"type": "actions", "block_id": name, "elements": list(buttons)}] if buttons else []
    return Message(lines[0], [section("\n".join(lines[:MOST_LINES])), *actions])


def sheet(paragraphs: Sequence[str], words: Words, title: str = "details.title") -> dict[str, Any]:
    """Return the modal with these paragraphs of mrkdwn. A paragraph that is too long is split between two lines."""
    parts = [part for paragraph in paragraphs for part in _split(paragraph)]
    return {
        "type": "modal",
        "title": plain(words(title), 24),
        "close": plain(words("details.close"), 24),
        "blocks": [section(part) for part in parts[:PARAGRAPHS]],
    }


def _split(paragraph: str) -> list[str]:
    parts = [""]
    for line in paragraph.split("\n"):
        if parts[-1] and len(parts[-1]) + len(line) >= SECTION_TEXT:
            parts.append("")
        parts[-1] += ("\n" if parts[-1] else "") + line
    return [part for part in parts if part]
