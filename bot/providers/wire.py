"""What all requests to a provider share: reading answers strictly, and telling errors without their secrets."""

import json
import re
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from httpx2 import Response
from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError
from openai._legacy_response import LegacyAPIResponse  # what `with_raw_response` gives; it has no public name
from pydantic import BaseModel, ValidationError

from bot.domain.errors import ModelDown, ModelError, ModelRefused, Trouble

LONGEST_MESSAGE = 300
"""Characters of a provider's message that are passed on."""
COPIED_RUN = 8
"""So many characters of a question in a row are enough to call a message a copy of it."""
UNPAID = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Codes of errors that only a payment ends, whatever their status."""
LONGEST_WAIT_S = 10.0
"""A provider that wants to be left alone for longer is not waited for within a request."""

Read = TypeVar("Read", bound=BaseModel)


async def read(call: Awaitable[LegacyAPIResponse[Any]], shape: type[Read]) -> Read:
    """The answer of a `with_raw_response` call, validated: the SDK itself passes on whatever a server sends.

    Raises:
        openai.OpenAIError: as the SDK does.
        pydantic.ValidationError: broken JSON, or JSON of another shape.
    """
    return shape.model_validate_json((await call).content)


async def never_retried(response: Response) -> None:
    """An event hook of the HTTP client: tell the SDK, by the header that it obeys, what to send again is in vain."""
    if response.status_code < 400:
        return
    await response.aread()
    wait_s = wanted_wait(response)
    if is_unpaid(response) or (wait_s is not None and wait_s > LONGEST_WAIT_S):
        response.headers["x-should-retry"] = "false"


def wanted_wait(response: Response) -> float | None:
    """The seconds of `Retry-After`, or of OpenAI's own header in milliseconds; None where there is none."""
    for name, divisor in (("retry-after-ms", 1_000), ("retry-after", 1)):
        try:
            return float(response.headers[name]) / divisor
        except (KeyError, ValueError):
            continue
    return None


def is_unpaid(response: Response) -> bool:
    """Whether an error is about money."""
    if response.status_code == 402:
        return True
    try:
        error = response.json()["error"]
        return bool(UNPAID & {error.get("code"), error.get("type")})
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def passing(error: APIStatusError) -> bool:
    """Whether the same request may succeed later: the statuses that the SDK retries (408, 409, 429, 5xx)."""
    return error.status_code in {408, 409, 429} or error.status_code >= 500


def named_parameter(error: APIStatusError, among: Sequence[str]) -> str | None:
    """Which of these request parameters an error is about: its `param`, else the first one that its body names."""
    param = re.split(r"[.\[]", str(error.param or ""))[0]
    if param in among:
        return param
    said = json.dumps(error.body, ensure_ascii=False, default=str)
    return next((name for name in among if re.search(rf"\b{name}\b", said)), None)


def told(error: APIStatusError, hide: str = "") -> str:
    """The provider's message, cut, without the API key; only its status where it repeats part of `hide`."""
    message = error.message
    key = error.request.headers.get("authorization", "").removeprefix("Bearer ")
    if key:
        message = message.replace(key, "…")
    run = min(COPIED_RUN, len(hide))
    if run and any(hide[i : i + run] in message for i in range(len(hide) - run + 1)):
        return f"Error code: {error.status_code}"
    return " ".join(message.split())[:LONGEST_MESSAGE]


@contextmanager
def translated(hide: str = "") -> Iterator[None]:
    """Turn the SDK's errors into ours; their causes hold requests, so they are not kept.

    Args:
        hide: a question's text, which must not be in a message.

    Raises:
        ModelDown: timeout, connection, 408, 409, 429, 5xx, or a body that is not what the protocol says.
        ModelRefused: any other status, and 429 where it is about money.
    """
    try:
        yield
    except APIStatusError as error:
        raise _meant(error, hide) from None
    except (APITimeoutError, TimeoutError):
        raise ModelDown("the provider did not answer in time", Trouble.SLOW) from None
    except APIConnectionError:
        raise ModelDown("the provider could not be reached, or hung up", Trouble.UNREACHABLE) from None
    except (ValidationError, json.JSONDecodeError):
        raise ModelDown("the provider's answer is not what its protocol says", Trouble.BROKEN) from None
    except OpenAIError as error:
        raise ModelRefused(f"the request could not be made: {type(error).__name__}") from None


def _meant(error: APIStatusError, hide: str) -> ModelError:
    status, message = error.status_code, told(error, hide)
    if is_unpaid(error.response):
        return ModelRefused(message, Trouble.QUOTA)
    if passing(error):
        kinds = {408: Trouble.SLOW, 409: Trouble.BUSY, 429: Trouble.BUSY}
        return ModelDown(message, kinds.get(status, Trouble.DOWN), wait_s=wanted_wait(error.response))
    kinds = {401: Trouble.KEY, 403: Trouble.KEY, 404: Trouble.UNKNOWN_MODEL}
    return ModelRefused(message, kinds.get(status, Trouble.REFUSED))
