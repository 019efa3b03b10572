"""The small parts that all views are made of, within Slack's limits (docs.slack.dev, Block Kit reference)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.texts.escape import shorten

Block = dict[str, Any]

BUTTON_TEXT = 75
OPTION_TEXT = 75
SECTION_TEXT = 3_000
CONTEXT_TEXT = 2_000
"""Ours: a context is small print. Slack takes 3,000."""
TITLE_TEXT = 24
OPTIONS = 100


@dataclass(frozen=True)
class Message:
    """What is posted. `text` states the point: it is the notification, and what is left where blocks are refused."""

    text: str
    blocks: list[Block]


def plain(text: str, limit: int) -> Block:
    """Plain text: Slack formats nothing in it, so nothing needs escaping."""
    return {"type": "plain_text", "text": shorten(text, limit) or " ", "emoji": True}


def section(text: str, *, accessory: Block | None = None, verbatim: bool = False) -> Block:
    """A paragraph of mrkdwn. `verbatim`: bare addresses do not become links, for words of people or models."""
    block: Block = {"type": "section", "text": _mrkdwn(text, SECTION_TEXT, verbatim=verbatim)}
    return {**block, "accessory": accessory} if accessory else block


def context(text: str) -> Block:
    """Small print in mrkdwn, verbatim."""
    return {"type": "context", "elements": [_mrkdwn(text, CONTEXT_TEXT, verbatim=True)]}


def button(text: str, action_id: str, value: str, style: str | None = None) -> Block:
    """A button. `style`: `primary`, once a message, or `danger`."""
    made: Block = {
        "type": "button",
        "action_id": action_id,
        "text": plain(text, BUTTON_TEXT),
        "value": value,
    }
    return {**made, "style": style} if style else made


def select(placeholder: str, action_id: str, options: Sequence[Block], initial: Block | None = None) -> Block:
    """A menu. Above 100 options Slack wants them in groups."""
    made: Block = {"type": "static_select", "action_id": action_id, "placeholder": plain(placeholder, 150)}
    if len(options) <= OPTIONS:
        made["options"] = list(options)
    else:
        made["option_groups"] = [
            {"label": plain(f"{start + 1}-{min(start + OPTIONS, len(options))}", OPTION_TEXT), "options": list(part)}
            for start in range(0, len(options), OPTIONS)
            if (part := options[start : start + OPTIONS])
        ]
    return {**made, "initial_option": initial} if initial else made


def option(text: str, value: str) -> Block:
    """One entry of a menu; `value` has at most 150 characters."""
    return {"text": plain(text, OPTION_TEXT), "value": value}


def date(at: datetime, link: str | None = None) -> str:
    """A moment in the reader's own time zone, as mrkdwn; with a link, it leads there."""
    leads = f"^{link}" if link else ""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}{leads}|{at:%Y-%m-%d %H:%M} UTC>"


def _mrkdwn(text: str, limit: int, *, verbatim: bool) -> Block:
    return {"type": "mrkdwn", "text": shorten(text, limit) or " ", "verbatim": verbatim}
