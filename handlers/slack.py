"""How calls of Slack's Web API fail."""

from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

TROUBLE = (SlackClientError, aiohttp.ClientError, TimeoutError)
"""All that a call of the client raises. Where it is no SlackApiError, nobody knows whether Slack did what was asked."""


def error_name(error: BaseException) -> str | None:
    """Slack's word for what is wrong; None where there was no answer, or one of something else, as of a gateway."""
    if not isinstance(error, SlackApiError):
        return None
    data: Any = getattr(error.response, "data", None)
    name = data.get("error") if isinstance(data, dict) else None
    return str(name) if name else None
