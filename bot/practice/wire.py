"""Shared protocol parts: JSON objects, ids, call arguments, and Slack's errors."""

import logging
import secrets
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from bot.practice.json_text import parse_json

log = logging.getLogger(__name__)
Json = dict[str, Any]
_ALPHABET = string.ascii_uppercase + string.digits


class SlackError(Exception):
    """An error answer of Slack.

    `error` is Slack's snake_case name, `messages` become `response_metadata.messages`, `details` are further fields.
    """

    def __init__(self, error: str, *messages: str, **details: Any) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages
        self.details = details

    def body(self) -> Json:
        """Return the body of Slack's answer, which has status 200."""
        answer: Json = {"ok": False, "error": self.error, **self.details}
        if self.messages:
            answer["errors"] = list(self.messages)
            answer["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        return answer


@contextmanager
def refuse_other_shapes() -> Iterator[None]:
    """Turn the errors of arguments that have another shape than the code expects into an answer of Slack's.

    Raises:
        SlackError: `invalid_arguments`.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        log.debug("a call has arguments of another shape", exc_info=error)
        raise SlackError("invalid_arguments") from None


def new_id(prefix: str) -> str:
    """Return a new id in Slack's form: the prefix, a zero, and nine capital letters or digits."""
    return f"{prefix}0{''.join(secrets.choice(_ALPHABET) for _ in range(9))}"


class Args:
    """The arguments of one call. A form cannot carry objects, so a string argument may hold JSON."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """Return a required argument.

        Raises:
            SlackError: `invalid_arguments` if the argument is missing or empty.
        """
        if value := self.text(name):
            return value
        raise SlackError("invalid_arguments", f"missing required field: {name}")

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in {"1", "true"}

    def number(self, name: str, default: int, maximum: int) -> int:
        """Return a number of at least 1, cut at `maximum`.

        Raises:
            SlackError: `invalid_limit` for `limit`, `invalid_arguments` for any other argument.
        """
        value = self.text(name)
        if not value:
            return default
        if not value.isascii() or not value.isdigit() or int(value) < 1:
            raise SlackError("invalid_limit" if name == "limit" else "invalid_arguments")
        return min(int(value), maximum)

    def data(self, name: str, error: str) -> Any:
        """Return a JSON argument, decoded if it is a string.

        Raises:
            SlackError: `error`, if the string is not JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return parse_json(value) if value else None
        except ValueError:
            raise SlackError(error) from None


async def read_args(request: Request) -> Args:
    """Return the query merged with a form or a JSON body. As on Slack, a token inside a JSON body is ignored.

    Raises:
        SlackError: `invalid_json` or `json_not_object`.
    """
    values: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json":
        values |= {key: value for key, value in _json_object(await request.body()).items() if key != "token"}
    elif kind == "multipart/form-data":
        async with request.form() as form:
            values |= {key: value for key, value in form.items() if isinstance(value, str)}
    elif kind == "application/x-www-form-urlencoded":
        values |= dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
    return Args(values)


def _json_object(body: bytes) -> Json:
    try:
        value = parse_json(body or b"{}")
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackError("json_not_object")
    return value
