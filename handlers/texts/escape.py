"""Slack's text format, both ways: nothing that people or models wrote may notify, link or break a message."""

import html
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bot.domain.correction import ELSEWHERE

MARKER = "…"

TOKEN = re.compile(r"<([^<>]*)>")
"""Slack escapes what people type, so a raw `<…>` is always Slack's own: a mention, a channel, a date or a link."""


def shorten(text: str, limit: int) -> str:
    """The text within so many characters; where it was cut it ends in the marker."""
    return text if len(text) <= limit else text[: limit - len(MARKER)].rstrip() + MARKER


def escaped(text: str, limit: int = 3_000) -> str:
    """The text for mrkdwn, at most `limit` characters long once escaped.

    Escaping & < > (docs.slack.dev, formatting message text) also undoes every `<@U…>`, `<!here>` and `<url|text>`; send
    it in a `verbatim` text so that Slack does not make links of bare addresses either.
    """
    safe = html.escape(text, quote=False)
    if len(safe) <= limit:
        return safe
    # Cut between characters of the original, never within an entity.
    kept, room = 0, limit - len(MARKER)
    for character in text:
        room -= len(html.escape(character, quote=False))
        if room < 0:
            break
        kept += 1
    return html.escape(text[:kept].rstrip(), quote=False) + MARKER


def mention(member: str | None) -> str | None:
    """The mention of a user (U…, W…) or a user group (S…); None for anything else."""
    if member and member[0] in "UW":
        return f"<@{member}>"
    return f"<!subteam^{member}>" if member and member[0] == "S" else None


def person(by: str) -> str:
    """Who did something: mentioned where they are of this workspace, else by the name they have elsewhere."""
    name = escaped(by.removeprefix(ELSEWHERE), 80)
    return mention(by) or (f"{name} (LangSmith)".lstrip() if by.startswith(ELSEWHERE) else name)


def mentions(members: tuple[str, ...]) -> str:
    """Several mentions in one line. In a private message they name people and notify nobody."""
    return ", ".join(shown for member in members if (shown := mention(member)))


def plain_text(slack_text: str, bot_user_id: str) -> str:
    """What a person wrote, as they saw it: the bot's own mention is gone, ids are words, addresses stand once."""

    def spoken(match: re.Match[str]) -> str:
        target, _, label = match.group(1).partition("|")
        if target.startswith("@"):
            return " " if target == f"@{bot_user_id}" else f"@{label.lstrip('@') or 'user'}"
        if target.startswith("#"):
            return f"#{label or 'channel'}"
        if target.startswith("!"):
            return label or f"@{target.removeprefix('!').partition('^')[0]}"
        return _link(target, label)

    text = html.unescape(TOKEN.sub(spoken, slack_text))
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def _link(url: str, label: str) -> str:
    bare = re.sub(r"^(mailto:|tel:|https?://)", "", url)
    if not label or label.rstrip("/") in {url.rstrip("/"), bare.rstrip("/")}:
        return bare if url.startswith(("mailto:", "tel:")) else url
    return f"{label} ({url})"


def written(message: Mapping[str, Any]) -> str:
    """The text of a message in Slack's format; where there is none, that of its rich text blocks."""
    text = str(message.get("text") or "")
    if text.strip():
        return text
    return "\n".join(_rich(block) for block in message.get("blocks") or () if block.get("type") == "rich_text").strip()


def _rich(element: Mapping[str, Any]) -> str:
    """An element of a rich text block, as Slack would have written it into the text."""
    if "elements" in element:
        between = "\n" if element["type"] in _STACKED else ""
        return between.join(map(_rich, element["elements"]))
    text = html.escape(str(element.get("text") or ""), quote=False)
    return _LEAVES.get(element["type"], "{text}").format_map(defaultdict(str, element, text=text))


_STACKED = frozenset({"rich_text", "rich_text_list"})
_LEAVES = {
    "link": "<{url}|{text}>",
    "user": "<@{user_id}>",
    "usergroup": "<!subteam^{usergroup_id}>",
    "channel": "<#{channel_id}>",
    "broadcast": "<!{range}>",
    "emoji": ":{name}:",
    "date": "{fallback}",
}
