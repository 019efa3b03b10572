"""The text of Block Kit blocks, as Slack writes it in a message's `text`."""

import html
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

STACKED = frozenset({"rich_text", "rich_text_list"})
LEAVES = {
    "link": "<{url}|{text}>",
    "user": "<@{user_id}>",
    "usergroup": "<!subteam^{usergroup_id}>",
    "channel": "<#{channel_id}>",
    "broadcast": "<!{range}>",
    "emoji": ":{name}:",
    "date": "{fallback}",
}


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a list; none if it is no list."""
    if isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Mapping))


def block_text(block: Mapping[str, Any]) -> str:
    """Return the text of a block; empty if the block has none or is of a kind that is not read."""
    kind = str(block.get("type"))
    if kind in {"rich_text", "raw_text", "raw_number"}:
        return rich_text(block)
    if kind == "table":
        return table_text(block)
    if kind == "section":
        return "\n".join(filter(None, map(_object_text, objects([block.get("text"), *_list(block.get("fields"))]))))
    if kind == "context":
        return " ".join(filter(None, map(_object_text, objects(block.get("elements")))))
    return _object_text(block.get("text")) if kind in {"header", "markdown"} else ""


def table_text(block: Mapping[str, Any]) -> str:
    """Return the text of a table: one line per row, with ` | ` between the cells."""
    rows = ([block_text(cell).replace("\n", " ") for cell in objects(row)] for row in _list(block.get("rows")))
    return "\n".join(" | ".join(cells) for cells in rows if any(cells))


def rich_text(element: Mapping[str, Any]) -> str:
    """Return the text of a rich text element or of a plain cell."""
    kind = str(element.get("type"))
    if "elements" in element:
        return ("\n" if kind in STACKED else "").join(map(rich_text, objects(element["elements"])))
    raw = element.get("text")
    text = html.escape(str(element.get("value", "") if raw is None else raw), quote=False)
    return LEAVES.get(kind, "{text}").format_map(defaultdict(str, element, text=text))


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _object_text(value: Any) -> str:
    """Return the text of a text object, in which only mrkdwn is escaped already."""
    if isinstance(value, Mapping):
        text = str(value.get("text") or "")
        return text if value.get("type") == "mrkdwn" else html.escape(text, quote=False)
    return html.escape(value, quote=False) if isinstance(value, str) else ""
