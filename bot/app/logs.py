"""The log: one JSON object a line, or plain lines on a terminal."""

import logging
import sys
from collections.abc import Iterable
from typing import TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

OUR_LOGGERS = ("bot", "handlers", "storage")
CHATTY_LOGGERS = ("apscheduler", "slack_bolt")
"""Heard from ERROR on: Bolt's warnings hold whole messages."""
SHORTEST = 8
"""A key of fewer characters, such as the `none` of a server that asks for no key, is a word and no secret."""


class _PlainFormatter(logging.Formatter):
    """A line, with the facts behind it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        facts = {k: v for k, v in vars(record).items() if k not in RESERVED_ATTRS and v is not None}
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in facts.items())])


class _Redacted(logging.StreamHandler[TextIO]):
    """Writes no secret, whatever a library put into its message."""

    def __init__(self, stream: TextIO, secrets: Iterable[str]) -> None:
        super().__init__(stream)
        self._secrets = [secret for secret in secrets if len(secret) >= SHORTEST]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "…")
        return line


def _wanted(record: logging.LogRecord) -> bool:
    """Asked of each line, for Bolt gives its loggers the root's level whenever an app is made."""
    return record.levelno >= logging.ERROR or record.name.partition(".")[0] not in CHATTY_LOGGERS


def configure(level: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send the log to `stream`, by default standard error: plain on a terminal, JSON wherever a program reads it.

    `level` is for our own lines. Those of libraries below WARNING are never written: they hold messages and tokens.
    """
    out = stream or sys.stderr
    handler = _Redacted(out, secrets)
    as_json = JsonFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="at",
        json_ensure_ascii=False,
    )
    handler.addFilter(_wanted)
    handler.setFormatter(_PlainFormatter() if out.isatty() else as_json)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level)
