"""How calls of Slack's Web API fail."""

from collections.abc import Awaitable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.errors import Undelivered

SLACK_FAILURES = (SlackClientError, aiohttp.ClientError, TimeoutError)
"""All that a call of the client raises. Where it is no SlackApiError, nobody knows whether Slack did what was asked."""

TRANSIENT_ERRORS = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        # What an operator repairs: a new token, an app that was switched off for a while.
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_expired",
        "token_revoked",
        "accesslimited",
    }
)
"""Slack's errors that may pass (docs.slack.dev, chat.postMessage). Any other one is an answer that will not change."""


def error_name(error: BaseException) -> str | None:
    """Slack's word for what is wrong; None where there was no answer, or one of something else, as of a gateway."""
    if not isinstance(error, SlackApiError):
        return None
    data: Any = getattr(error.response, "data", None)
    name = data.get("error") if isinstance(data, dict) else None
    return str(name) if name else None


async def delivered(request: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Await a request of the client. Raises Undelivered with Slack's word for what is wrong."""
    try:
        return await request
    except SLACK_FAILURES as error:
        name = error_name(error)
        raise Undelivered(
            name or type(error).__name__, final=name is not None and name not in TRANSIENT_ERRORS
        ) from error
