"""Basic Block Kit elements for all views, within Slack's limits (docs.slack.dev, Block Kit reference)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.texts.escape import shorten, visible

Block = dict[str, Any]

BUTTON_TEXT = 75
OPTION_TEXT = 75
SECTION_TEXT = 3_000
CONTEXT_TEXT = 2_000
"""Maximum length of small print, in characters. This limit is our own; Slack accepts 3,000."""
TITLE_TEXT = 24
OPTIONS = 100


@dataclass(frozen=True)
class Message:
    """A message. `text` summarises it for the notification, and replaces the blocks if Slack refuses them."""

    text: str
    blocks: list[Block]


def plain(text: str, limit: int) -> Block:
    """Return a plain text object without hidden characters. Slack does not format it, so it needs no escaping."""
    return {"type": "plain_text", "text": shorten(visible(text), limit) or " ", "emoji": True}


def section(text: str, *, accessory: Block | None = None) -> Block:
    """Return a paragraph of mrkdwn."""
    block: Block = {"type": "section", "text": _mrkdwn(text, SECTION_TEXT)}
    return {**block, "accessory": accessory} if accessory else block


def context(text: str) -> Block:
    """Return small print in mrkdwn."""
    return {"type": "context", "elements": [_mrkdwn(text, CONTEXT_TEXT)]}


def button(text: str, action_id: str, value: str, style: str | None = None) -> Block:
    """Return a button. `style` is `danger`, or `primary` for at most one button per message."""
    element: Block = {
        "type": "button",
        "action_id": action_id,
        "text": plain(text, BUTTON_TEXT),
        "value": value,
    }
    return {**element, "style": style} if style else element


def select(placeholder: str, action_id: str, options: Sequence[Block], initial: Block | None = None) -> Block:
    """Return a menu. More than 100 options go into groups, as Slack requires."""
    element: Block = {"type": "static_select", "action_id": action_id, "placeholder": plain(placeholder, 150)}
    if len(options) <= OPTIONS:
        element["options"] = list(options)
    else:
        element["option_groups"] = [
            {"label": plain(f"{start + 1}-{min(start + OPTIONS, len(options))}", OPTION_TEXT), "options": list(part)}
            for start in range(0, len(options), OPTIONS)
            if (part := options[start : start + OPTIONS])
        ]
    return {**element, "initial_option": initial} if initial else element


def option(text: str, value: str) -> Block:
    """Return an option of a menu. `value` may have at most 150 characters."""
    return {"text": plain(text, OPTION_TEXT), "value": value}


def date(at: datetime, link: str | None = None) -> str:
    """Return mrkdwn that shows a moment in the reader's own time zone, with an optional link."""
    target = f"^{link}" if link else ""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}{target}|{at:%Y-%m-%d %H:%M} UTC>"


def day(at: datetime) -> str:
    """Return mrkdwn that shows the day of a moment in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short}}|{at:%Y-%m-%d}>"


def _mrkdwn(text: str, limit: int) -> Block:
    # Verbatim: Slack makes no links and mentions of bare addresses, `@here` or `#channel` in a name or a quoted text.
    return {"type": "mrkdwn", "text": shorten(text, limit) or " ", "verbatim": True}
