"""Conversion of typed text to what Slack stores: mrkdwn with mentions, and the equivalent rich_text block."""

import html
import re
from collections.abc import Iterable

from bot.practice.people import Channel, Member
from bot.practice.wire import Json

_URL = re.compile(r"(?<![<|])\bhttps?://[^\s<>]+")
_MAIL = re.compile(r"(?<![\w.@:|+-])[A-Za-z0-9._+-]++@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PILL = re.compile(r"&lt;([@#][UC][A-Z0-9]+)&gt;")


def _style_pattern(mark: str, name: str) -> str:
    # Slack reads a mark only directly beside a word: nothing in "5 * 3 * 2" is bold.
    return rf"(?<!\w)[{mark}](?P<{name}>[^{mark}\s](?:[^{mark}\n]*[^{mark}\s])?)[{mark}](?!\w)"


_PIECE = re.compile(
    r"```(?P<pre>.+?)```|<(?P<angle>[^<>\n]+)>|:(?P<emoji>[a-z0-9_+'-]+):|`(?P<code>[^`\n]+)`|"
    + "|".join([_style_pattern("*", "bold"), _style_pattern("_", "italic"), _style_pattern("~", "strike")]),
    re.DOTALL,
)


def to_mrkdwn(text: str, people: Iterable[Member], channels: Iterable[Channel]) -> str:
    """Return typed text as Slack stores it: `&<>` escaped, links in angle brackets, @name and #channel as ids."""
    text = html.escape(text, quote=False)
    text = _PILL.sub(r"<\1>", text)
    text = _URL.sub(lambda match: f"<{match[0]}>", text)
    text = _MAIL.sub(lambda match: f"<mailto:{match[0]}|{match[0]}>", text)
    names = [(f"@{name}", f"<@{one.id}>") for one in people for name in {one.name, *one.names.values()}]
    names += [(f"#{one.name}", f"<#{one.id}|{one.name}>") for one in channels if not one.is_im]
    for name, mention in sorted(names, key=lambda pair: -len(pair[0])):
        words = re.escape(html.escape(name, quote=False))
        text = re.sub(rf"(?<![\w<|]){words}(?![A-Za-z0-9])", mention, text, flags=re.IGNORECASE)
    return text


def to_command_text(text: str, people: Iterable[Member], channels: Iterable[Channel]) -> str:
    """Return a command's text with mentions as `should_escape` writes them: `<@U…|name>` and `<#C…|name>`."""
    names = {one.id: one.name for one in people}
    return re.sub(r"<@(U\w+)>", lambda match: f"<@{match[1]}|{names[match[1]]}>", to_mrkdwn(text, people, channels))


def rich_text(text: str) -> Json:
    """Return the rich_text block that Slack's composer would create for this mrkdwn."""
    parts: list[Json] = []
    line: list[Json] = []
    end = 0
    for match in _PIECE.finditer(text):
        _append_text(line, text[end : match.start()])
        end = match.end()
        if match["pre"]:
            parts += [{"type": "rich_text_section", "elements": line}] if line else []
            plain = {"type": "text", "text": html.unescape(match["pre"])}
            parts.append({"type": "rich_text_preformatted", "elements": [plain], "border": 0})
            line = []
        else:
            line.append(_inline_element(match))
    _append_text(line, text[end:])
    if line or not parts:
        parts.append({"type": "rich_text_section", "elements": line})
    return {"type": "rich_text", "elements": parts}


def _append_text(line: list[Json], text: str) -> None:
    if text:
        line.append({"type": "text", "text": html.unescape(text)})


def _inline_element(match: re.Match[str]) -> Json:
    if match["angle"]:
        return _bracketed_element(match["angle"])
    if match["emoji"]:
        return {"type": "emoji", "name": match["emoji"]}
    style = next(name for name in ("code", "bold", "italic", "strike") if match[name])
    return {"type": "text", "text": html.unescape(match[style]), "style": {style: True}}


def _bracketed_element(inner: str) -> Json:
    target, _, label = inner.partition("|")
    if target.startswith("@"):
        return {"type": "user", "user_id": target[1:]}
    if target.startswith("#"):
        return {"type": "channel", "channel_id": target[1:]}
    if target.startswith("!subteam^"):
        return {"type": "usergroup", "usergroup_id": target.removeprefix("!subteam^")}
    if date := re.fullmatch(r"!date\^(\d+)\^([^^]+)(?:\^.*)?", target):
        return {"type": "date", "timestamp": int(date[1]), "format": date[2], "fallback": label}
    if target.startswith("!"):
        return {"type": "broadcast", "range": target[1:]}
    return {"type": "link", "url": html.unescape(target)} | ({"text": html.unescape(label)} if label else {})
