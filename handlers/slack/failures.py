"""Failures of calls to Slack's Web API."""

from collections.abc import Awaitable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.errors import Undelivered

SLACK_FAILURES = (SlackClientError, aiohttp.ClientError, TimeoutError)
"""Every exception that a call can raise. Unless it is a SlackApiError, Slack may have done what was asked."""

TRANSIENT_ERRORS = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        # An operator can repair these, with a new token or by enabling the app again.
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_expired",
        "token_revoked",
        "accesslimited",
    }
)
"""Slack's temporary errors (docs.slack.dev, chat.postMessage). Every other error is final."""

VIEW_CHANGED_ERRORS = frozenset({"hash_conflict", "not_found"})
"""Slack's errors for a modal that was changed or closed meanwhile."""


def error_name(error: BaseException) -> str | None:
    """Return Slack's name for the error; None without an answer, or if the answer came from a gateway, not Slack."""
    if not isinstance(error, SlackApiError):
        return None
    data: Any = getattr(error.response, "data", None)
    name = data.get("error") if isinstance(data, dict) else None
    return str(name) if name else None


def lacking_scope(error: BaseException | None) -> str | None:
    """Return the scope without which Slack refused a call; None if the error is another one."""
    while error is not None:
        if error_name(error) == "missing_scope":
            data: Any = getattr(error, "response", None)
            return str(data.get("needed") or "?")
        error = error.__cause__
    return None


async def call_slack(request: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Await a call of the client and return its response.

    Raises:
        Undelivered: The call failed; the message is Slack's name for the error, or the exception's type.
    """
    try:
        return await request
    except SLACK_FAILURES as error:
        name = error_name(error)
        raise Undelivered(
            name or type(error).__name__, final=name is not None and name not in TRANSIENT_ERRORS
        ) from error
