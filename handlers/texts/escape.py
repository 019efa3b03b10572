"""Conversion from and to Slack's text format. Text of people or models must not notify, link or break a message."""

import html
import re
from collections.abc import Mapping
from typing import Any

from bot.domain.correction import TRACKER_PERSON_PREFIX
from bot.domain.forgetting import FORGOTTEN_PREFIX
from handlers.texts.blocks import block_text, objects

MARKER = "…"
"""The sign at the end of a text that was cut."""

TOKEN = re.compile(r"<([^<>]*)>")
"""Matches a mention, channel, date or link. Slack escapes what people type, so a raw `<…>` always comes from Slack."""

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]|(?<=[\x00-\x7f])[\u200c\u200d]"
)
"""Matches characters without a sign of their own: they turn a name around, or hide words from the reader.

A joiner stays after a sign outside ASCII, because it makes one emoji of several.
"""
MENTIONABLE = re.compile(r"[USW][A-Z0-9]+")
"""Matches the id of a user (U…, W…) or of a user group (S…)."""


def visible(text: str) -> str:
    """Return the text without hidden characters, so that it reads as its characters stand."""
    return UNSEEN.sub("", text)


def shorten(text: str, limit: int) -> str:
    """Return the text, cut to at most `limit` characters; a text that was cut ends in `MARKER`."""
    return text if len(text) <= limit else text[: limit - len(MARKER)].rstrip() + MARKER


def escaped(text: str, limit: int = 3_000) -> str:
    """Return the text without hidden characters, escaped for mrkdwn and then cut to at most `limit` characters.

    Escaping & < > (docs.slack.dev, formatting message text) also disables every `<@U…>`, `<!here>` and `<url|text>`.
    In a `verbatim` text object, as all of ours are, Slack makes no link of a bare address either.
    """
    text = visible(text)
    safe = html.escape(text, quote=False)
    if len(safe) <= limit:
        return safe
    # Cut the original between two characters, because a cut after escaping could split an entity.
    kept, room = 0, limit - len(MARKER)
    for character in text:
        room -= len(html.escape(character, quote=False))
        if room < 0:
            break
        kept += 1
    return html.escape(text[:kept].rstrip(), quote=False) + MARKER


def one_line(text: str, limit: int = 3_000) -> str:
    """Return the text as `escaped` does, in one line: within a sentence, its line breaks could forge lines of ours."""
    return escaped(" ".join(text.split()), limit)


def mention(member: str | None) -> str | None:
    """Return the mention of a user id (U…, W…) or user group id (S…); None for anything else."""
    if not member or not MENTIONABLE.fullmatch(member):
        return None
    return f"<!subteam^{member}>" if member[0] == "S" else f"<@{member}>"


def person(by: str) -> str:
    """Return a mention of a person of this workspace, or the name of one from LangSmith, or a dash if forgotten."""
    if by.startswith(FORGOTTEN_PREFIX):
        return "–"
    name = one_line(by.removeprefix(TRACKER_PERSON_PREFIX), 80)
    return mention(by) or (f"{name} (LangSmith)".lstrip() if by.startswith(TRACKER_PERSON_PREFIX) else name)


def mentions(members: tuple[str, ...]) -> str:
    """Return several mentions in one line. In a private message they name people without a notification."""
    return ", ".join(shown for member in members if (shown := mention(member)))


def plain_text(slack_text: str, bot_user_id: str) -> str:
    """Return a text as its author saw it, without the bot's own mention.

    Ids become words, and a link that shows its own address is written once.
    """

    def readable(match: re.Match[str]) -> str:
        target, _, label = match.group(1).partition("|")
        if target.startswith("@"):
            return " " if target == f"@{bot_user_id}" else f"@{label.lstrip('@') or 'user'}"
        if target.startswith("#"):
            return f"#{label or 'channel'}"
        if target.startswith("!"):
            return label or f"@{target.removeprefix('!').partition('^')[0]}"
        return _link(target, label)

    text = html.unescape(TOKEN.sub(readable, slack_text))
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def _link(url: str, label: str) -> str:
    bare = re.sub(r"^(mailto:|tel:|https?://)", "", url)
    if not label or label.rstrip("/") in {url.rstrip("/"), bare.rstrip("/")}:
        return bare if url.startswith(("mailto:", "tel:")) else url
    return f"{label} ({url})"


def message_text(message: Mapping[str, Any]) -> str:
    """Return a message's text in Slack's format; if it has none, the text of its rich text blocks."""
    text = str(message.get("text") or "")
    if text.strip():
        return text
    return "\n".join(
        block_text(block) for block in objects(message.get("blocks")) if block.get("type") == "rich_text"
    ).strip()
