"""What all requests to a provider share: reading answers strictly, and telling errors without their secrets."""

import json
import re
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError
from openai._legacy_response import LegacyAPIResponse  # what `with_raw_response` gives; it has no public name
from pydantic import BaseModel, ValidationError

from bot.domain.errors import ModelDown, ModelRefused

LONGEST = 300
"""Characters of a provider's message that are passed on."""
RUN = 8
"""So many characters of a question in a row are enough to call a message a copy of it."""

Read = TypeVar("Read", bound=BaseModel)


async def read(call: Awaitable[LegacyAPIResponse[Any]], shape: type[Read]) -> Read:
    """The answer of a `with_raw_response` call, validated: the SDK itself passes on whatever a server sends.

    Raises:
        openai.OpenAIError: as the SDK does.
        pydantic.ValidationError: broken JSON, or JSON of another shape.
    """
    return shape.model_validate_json((await call).content)


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
    run = min(RUN, len(hide))
    if run and any(hide[i : i + run] in message for i in range(len(hide) - run + 1)):
        return f"Error code: {error.status_code}"
    return " ".join(message.split())[:LONGEST]


@contextmanager
def translated(hide: str = "") -> Iterator[None]:
    """Turn the SDK's errors into ours; their causes hold requests, so they are not kept.

    Args:
        hide: a question's text, which must not be in a message.

    Raises:
        ModelDown: timeout, connection, 408, 409, 429, 5xx, or a body that is not what the protocol says.
        ModelRefused: any other status.
    """
    try:
        yield
    except APIStatusError as error:
        raise (ModelDown if passing(error) else ModelRefused)(told(error, hide)) from None
    except (APITimeoutError, TimeoutError):
        raise ModelDown("the provider did not answer in time") from None
    except APIConnectionError:
        raise ModelDown("the provider could not be reached, or hung up") from None
    except (ValidationError, json.JSONDecodeError):
        raise ModelDown("the provider's answer is not what its protocol says") from None
    except OpenAIError as error:
        raise ModelRefused(f"the request could not be made: {type(error).__name__}") from None
