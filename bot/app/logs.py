"""The log: one JSON object per line, or plain lines on a terminal."""

import logging
import sys
from collections.abc import Iterable
from typing import TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from bot.domain.disk import DISK_FULL_FIELD, is_disk_full

OUR_LOGGERS = ("bot", "handlers", "storage")
CHATTY_LOGGERS = ("apscheduler", "slack_bolt")
"""Loggers that are written from ERROR up, because Bolt's warnings contain whole messages."""
DISK_FULL_SECONDS = 60.0
"""Shortest interval between two lines about a full disk, in seconds."""
SHORTEST_SECRET = 8
"""Minimum length of a secret. A shorter key, such as the `none` of a server without keys, is an ordinary word."""


class _PlainFormatter(logging.Formatter):
    """A formatter for people: one line, followed by the record's facts as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        facts = {k: v for k, v in vars(record).items() if k not in RESERVED_ATTRS and v is not None}
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in facts.items())])


class _DiskFullFilter:
    """A filter that shows a full disk as one line a minute: everything fails then, and each failure says the same."""

    def __init__(self) -> None:
        self._shown_at = float("-inf")

    def __call__(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not hasattr(record, DISK_FULL_FIELD) and not is_disk_full(error):
            return True
        record.exc_info = record.exc_text = None
        if record.created - self._shown_at < DISK_FULL_SECONDS:
            return False
        self._shown_at = record.created
        return True


class _MaskingHandler(logging.StreamHandler[TextIO]):
    """A handler that masks secrets, also those in messages of libraries."""

    def __init__(self, stream: TextIO, secrets: Iterable[str]) -> None:
        super().__init__(stream)
        self._secrets = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "…")
        return line


def _is_wanted(record: logging.LogRecord) -> bool:
    """Return whether to write the record. Levels alone fail, because Bolt resets those of its loggers for each app."""
    return record.levelno >= logging.ERROR or record.name.partition(".")[0] not in CHATTY_LOGGERS


def _has_all_characters(stream: TextIO) -> bool:
    """Return whether a stream has every character. Python's own escapes, as of an emoji, are no JSON."""
    try:
        "\U0001f600".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def configure(level: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard error by default), as plain lines on a terminal and as JSON elsewhere.

    Args:
        level: Lowest level of our own records. Records of libraries below WARNING are never written, because they
            contain messages and tokens.
        secrets: Values that are masked in every line.
        stream: Where to write.
    """
    out = stream or sys.stderr
    handler = _MaskingHandler(out, secrets)
    as_json = JsonFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="at",
        json_ensure_ascii=not _has_all_characters(out),
    )
    handler.addFilter(_is_wanted)
    handler.addFilter(_DiskFullFilter())
    handler.setFormatter(_PlainFormatter() if out.isatty() else as_json)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level)
