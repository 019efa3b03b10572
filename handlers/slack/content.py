"""The text of a message, and its unread parts: files, other people's messages, and blocks without text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.masking import masked
from bot.domain.question import Unread
from handlers.texts.blocks import block_text, objects
from handlers.texts.escape import shorten

LINK_MARKS = ("is_msg_unfurl", "is_reply_unfurl", "is_thread_root_unfurl")
"""Fields of an attachment that shows another message. With `is_share` it is a forward, without it only a link."""
FOREIGN_MARKS = (
    *("from_url", "original_url", "app_unfurl_url", "is_app_unfurl", "service_name"),
    *("author_id", "author_name", "author_link", "channel_id", "bot_id", "app_id"),
)
"""Fields of an attachment that its message's author did not write: the preview of a link, or an app's."""
SILENT_BLOCKS = frozenset({"divider"})
MOST_FILES = 5
"""Maximum number of files that are named on a card."""
FILE_NAME_LENGTH = 80


@dataclass(frozen=True)
class Content:
    """A message's text in Slack's format, and what was not read, as in `Arrival.unread`."""

    text: str
    unread: str = ""
    forwards: tuple[Mapping[str, Any], ...] = ()
    """The attachments that forward other messages. Their words are not in `text`."""


def content_of(message: Mapping[str, Any]) -> Content:
    """Return what the author of a message wrote: its text, its tables, and the blocks of attachments of its own."""
    typed = str(message.get("text") or "").strip()
    texts, unread, forwards = [typed], list(_files(message)), []
    for block in objects(message.get("blocks")):
        # All other blocks stand in `text` too, if there is one.
        if not typed or block.get("type") == "table":
            _read(block, texts, unread)
    for attachment in objects(message.get("attachments")):
        if attachment.get("is_share"):
            forwards.append(attachment)
        elif any(attachment.get(mark) for mark in LINK_MARKS):
            unread.append(Unread.FORWARD)
        elif not any(attachment.get(mark) for mark in FOREIGN_MARKS):
            blocks = list(objects(attachment.get("blocks")))
            unread += [] if blocks else [Unread.OTHER]
            for block in blocks:
                _read(block, texts, unread)
    return Content("\n".join(filter(None, texts)), "\n".join(dict.fromkeys(unread)), tuple(forwards))


def _read(block: Mapping[str, Any], texts: list[str], unread: list[str]) -> None:
    text = block_text(block).strip()
    if text:
        texts.append(text)
    elif str(block.get("type")) not in SILENT_BLOCKS:
        unread.append(Unread.OTHER)


def _files(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield the name and type of each file that is still there."""
    files = [file for file in objects(message.get("files")) if file.get("mode") != "tombstone"]
    for file in files[:MOST_FILES]:
        kind = _line(file.get("pretty_type") or file.get("filetype")).upper()
        name = masked(_line(file.get("name") or file.get("title") or file.get("id"))) or "?"
        yield f"{name} ({kind})" if kind else name
    if len(files) > MOST_FILES:
        yield f"+{len(files) - MOST_FILES}"


def _line(value: Any) -> str:
    """Return a name as one short line that every database can store."""
    storable = str(value or "").encode("utf-8", "ignore").decode()
    return shorten(" ".join(storable.split()).lstrip(":"), FILE_NAME_LENGTH)
