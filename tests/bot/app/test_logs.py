"""Log lines: for a program or for a person, and without secrets."""

import io
import json
import logging

import pytest
from slack_bolt.async_app import AsyncApp

from bot.app import logs

SECRET = "xoxb-s3cr3t-token"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_pipe_gets_one_json_object_per_line() -> None:
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)
    logging.getLogger("bot.questions.answering").info(
        "a question ended", extra={"question": "q1", "seconds": 1.5, "why": None}
    )
    logging.getLogger("handlers.pool").error("it failed", exc_info=RuntimeError("two\nlines"))
    ended, failed = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ended["at"].endswith("+00:00")
    del ended["at"]
    assert ended == {
        "level": "INFO",
        "logger": "bot.questions.answering",
        "message": "a question ended",
        "question": "q1",
        "seconds": 1.5,
        "why": None,
    }
    assert "RuntimeError" in failed["exc_info"]


def test_terminal_gets_plain_line_with_facts() -> None:
    stream = Terminal()
    logs.configure("INFO", stream=stream)
    logging.getLogger("bot.questions.answering").info("a question ended", extra={"question": "q1", "why": None})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("INFO bot.questions.answering: a question ended question=q1")


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_secrets_are_masked_in_every_record(kind: type[io.StringIO]) -> None:
    stream = kind()
    logs.configure("DEBUG", [SECRET, "none"], stream)
    trouble = RuntimeError(f"the answer to {SECRET}")
    logging.getLogger("some.library").error("with %s", SECRET, exc_info=trouble, extra={"token": SECRET})
    assert SECRET not in stream.getvalue()
    logging.getLogger("bot").error("none of it")
    assert "none of it" in stream.getvalue(), "a short key is an ordinary word"


def test_library_records_below_warning_are_never_written() -> None:
    stream = io.StringIO()
    logs.configure("DEBUG", stream=stream)
    logging.getLogger("bot.questions.answering").debug("ours")
    for library in ("openai", "slack_sdk.web", "aiosqlite", "httpx2", "asyncio"):
        logging.getLogger(library).info("a text")
    AsyncApp(token="xoxb-1", signing_secret="s")  # Bolt resets its logger's level
    logging.getLogger("slack_bolt.AsyncApp").warning("Unhandled request ({'text': 'a text'})")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["ours"]


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", False), ("cp932", False), ("utf-8", True)])
def test_any_encoding_gets_readable_json(encoding: str, *, shown: bool) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace", write_through=True)
    logs.configure("INFO", stream=stream)
    logging.getLogger("bot").warning("窓口😀.csv")
    line = raw.getvalue().decode(encoding)
    assert json.loads(line)["message"] == "窓口😀.csv"
    assert ("窓口" in line) is shown
