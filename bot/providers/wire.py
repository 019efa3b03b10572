"""Helpers for all provider requests: strict parsing of responses, and error messages without secrets."""

import json
import re
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from httpx2 import Request, RequestNotRead, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.domain.certificates import refused_certificate
from bot.domain.characters import clean_values
from bot.domain.errors import ModelDown, ModelError, ModelRefused, Trouble
from bot.providers.sdk import sdk

if TYPE_CHECKING:
    from openai._legacy_response import LegacyAPIResponse  # the type of `with_raw_response`; it has no public name

MESSAGE_CHARS = 300
"""Most characters of a provider's message that are passed on."""
QUOTED_CHARS = 8
"""How many consecutive characters of a question make a message count as quoting it."""
UNPAID = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Error codes that only a payment resolves, whatever the status."""
LONGEST_WAIT_S = 10.0
"""Longest `Retry-After`, in seconds, that is waited for within a request."""

_STATUS_WORDS = {
    "rate_limit": 429,
    "quota": 429,
    "timeout": 408,
    "not_found": 404,
    "authentication": 401,
    "api_key": 401,
    "permission": 403,
    "invalid_request": 400,
    "content_filter": 400,
    "moderation": 400,
    "context_length": 400,
}
"""The statuses that words in an error's code or type stand for."""
_ABOUT_MODEL = re.compile(r"\b(model|deployment|endpoints)\b|model_not_found|DeploymentNotFound", re.IGNORECASE)

_NOT_DEPLOYED = re.compile(r"DeploymentNotFound|\bdeployment\b.{0,40} does not exist", re.IGNORECASE)
_FILTERED = re.compile(
    r"content_?filter|content_?policy|ResponsibleAI|moderation|data_?inspection|safety|prohibited_?content",
    re.IGNORECASE,
)
"""The codes of a content filter: of OpenAI, Azure, DashScope and others."""

_OTHER_ENCODER, _NO_VECTORS = "other_encoder", "encoder_unavailable"
"""Error codes of the embedded model; `param` names the encoder."""


class ResponseBody(BaseModel):
    """A part of a provider's response that is read. Errors about it hide it, because it may repeat a question."""

    model_config = ConfigDict(hide_input_in_errors=True, defer_build=True)


Read = TypeVar("Read", bound=ResponseBody)


async def read(call: "Awaitable[LegacyAPIResponse[Any] | Response]", shape: type[Read]) -> Read:
    """Return the validated body of a raw response; the SDK alone does not validate bodies.

    Raises:
        openai.OpenAIError: Any error of the SDK; an APIStatusError also for an error in the body of a 200.
        pydantic.ValidationError: Broken JSON, or JSON of another shape.
    """
    response = await call
    try:
        return parse_body(response.content, shape)
    except ValidationError:
        failure = _error_within(response)
        if failure is None:
            raise
    raise failure


def parse_body(content: bytes | str, shape: type[Read]) -> Read:
    """Return the JSON as an object of this shape, half characters replaced; raises pydantic.ValidationError."""
    try:
        return shape.model_validate_json(content)
    except ValidationError:
        body = _json_of(content)
        if body is None:
            raise
    return shape.model_validate(body)


def _json_of(content: bytes | str) -> Any:
    """Return JSON with all half characters replaced, which pydantic refuses; None if it is no JSON."""
    text = content.decode("utf-8-sig", "replace") if isinstance(content, bytes) else content
    try:
        return clean_values(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _error_within(response: "LegacyAPIResponse[Any] | Response") -> "sdk.APIStatusError | None":
    """Return the error in the body of a 200, as if it had come with the status that it names."""
    body = _json_of(response.content)
    if not isinstance(body, dict):
        return None
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = body.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
    if body.get("object") == "error":
        error = error or body
    if not error:
        return None
    error = error if isinstance(error, dict) else {"message": str(error)}
    status = _status_of(error)
    failed = Response(
        status,
        json={"error": error},
        request=response.request if isinstance(response, Response) else response.http_request,
    )
    return sdk.APIStatusError(str(error.get("message") or f"Error code: {status}"), response=failed, body=error)


def _status_of(error: dict[str, Any]) -> int:
    """Return the status that an error names by number or word; 502 if it names none, as for a failed upstream."""
    for named in ("status", "status_code", "code"):
        if re.fullmatch(r"[45]\d\d", str(error.get(named))):
            return int(error[named])
    words = f"{error.get('code')} {error.get('type')}".lower()
    return next((status for word, status in _STATUS_WORDS.items() if word in words), 502)


async def disable_vain_retries(response: Response) -> None:
    """Tell the SDK, in a header that it obeys, not to retry when only payment or a long wait helps.

    This is an event hook of the HTTP client.
    """
    if response.status_code < 400:
        return
    await response.aread()
    wait_s = retry_after(response)
    if is_unpaid(response) or (wait_s is not None and wait_s > LONGEST_WAIT_S):
        response.headers["x-should-retry"] = "false"


def retry_after(response: Response) -> float | None:
    """Return `Retry-After` in seconds, or OpenAI's own header in milliseconds converted to seconds, or None."""
    for name, divisor in (("retry-after-ms", 1_000), ("retry-after", 1)):
        try:
            return float(response.headers[name]) / divisor
        except (KeyError, ValueError):
            continue
    return None


def is_unpaid(response: Response) -> bool:
    """Return whether an error is about payment or quota."""
    if response.status_code == 402:
        return True
    try:
        error = response.json()["error"]
        return bool(UNPAID & {error.get("code"), error.get("type")})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def is_transient(error: "sdk.APIStatusError") -> bool:
    """Return whether the same request may succeed later: the statuses that the SDK retries (408, 409, 429, 5xx)."""
    return error.status_code in {408, 409, 429} or error.status_code >= 500


def named_parameter(error: "sdk.APIStatusError", among: Sequence[str]) -> str | None:
    """Return the name in `among` that an error is about: its `param`, else the first in its body, or None."""
    param = re.split(r"[.\[]", str(error.param or ""))[0]
    if param in among:
        return param
    body = json.dumps(error.body, ensure_ascii=False, default=str)
    return next((name for name in among if re.search(rf"\b{name}\b", body)), None)


def is_about_model(error: "sdk.APIStatusError") -> bool:
    """Return whether a 404 is about the model, not the address: then its JSON body says so."""
    if not isinstance(error.body, dict) or error.code == "unknown_url":
        return False
    said = json.dumps(error.body, ensure_ascii=False, default=str)
    model = _model_of(error.request)
    named = bool(model) and re.search(rf"(?<!\w){re.escape(model)}(?!\w)", said) is not None
    return named or bool(_ABOUT_MODEL.search(said))


def _model_of(request: Request) -> str:
    """Return the model that a request names; empty for an upload, whose body is a stream that is gone."""
    try:
        asked = _json_of(request.content)
    except RequestNotRead:
        return ""
    return str(asked.get("model") or "") if isinstance(asked, dict) else ""


def is_filtered(error: "sdk.APIStatusError") -> bool:
    """Return whether a provider's content filter stopped a question: the error's codes say so, never its words alone.

    OpenAI and Azure answer 400, DashScope 400, OpenRouter 403 with the reasons of its moderation.
    """
    return names_filter(error.status_code, error.body)


def names_filter(status: int, error: object) -> bool:
    """Return whether an error with this status, as the field `error` of a body holds it, is a content filter's."""
    body = error if isinstance(error, dict) else {}
    inner, metadata = body.get("innererror"), body.get("metadata")
    codes = [body.get("code"), body.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    moderated = isinstance(metadata, dict) and ("flagged_input" in metadata or "moderation" in str(metadata).lower())
    said = status < 500 and any(_FILTERED.search(str(code)) for code in codes)
    return said or (moderated and status in {400, 403})


def safe_message(error: "sdk.APIStatusError", hide: str = "") -> str:
    """Return the provider's message, cut and without the API key; only the status if the message quotes `hide`."""
    message = error.message
    key = error.request.headers.get("authorization", "").removeprefix("Bearer ")
    if key:
        message = message.replace(key, "…")
    run = min(QUOTED_CHARS, len(hide))
    if run and any(hide[i : i + run] in message for i in range(len(hide) - run + 1)):
        return f"Error code: {error.status_code}"
    return " ".join(message.split())[:MESSAGE_CHARS]


@contextmanager
def translate_errors(hide: str = "") -> Iterator[None]:
    """Turn the SDK's errors into ours, without their causes, which hold the requests.

    Args:
        hide: A question's text, which must not appear in a message.

    Raises:
        ModelDown: Timeout, connection error, 408, 409, 429, 5xx, or a malformed body.
        ModelRefused: Any other status, and 429 if it is about payment.
    """
    try:
        yield
    except sdk.APIStatusError as error:
        of_encoder = error.code in {_OTHER_ENCODER, _NO_VECTORS}
        raise (_encoder_error(error, hide) if of_encoder else _model_error(error, hide)) from None
    except (sdk.APITimeoutError, TimeoutError):
        raise ModelDown("the provider did not answer in time", Trouble.SLOW) from None
    except sdk.APIConnectionError as error:
        refused = refused_certificate(error)
        if refused:
            raise ModelDown(f"the provider's certificate is refused: {refused}", Trouble.CERTIFICATE) from None
        raise ModelDown("the provider could not be reached, or closed the connection", Trouble.UNREACHABLE) from None
    except (ValidationError, json.JSONDecodeError, RecursionError):  # the last: nested too deeply
        raise ModelDown("the provider's answer is malformed", Trouble.BROKEN) from None
    except sdk.OpenAIError as error:
        raise ModelRefused(f"the request could not be made: {type(error).__name__}") from None


def _model_error(error: "sdk.APIStatusError", hide: str) -> ModelError:
    status, message = error.status_code, safe_message(error, hide)
    if is_unpaid(error.response):
        return ModelRefused(message, Trouble.QUOTA)
    if is_filtered(error):
        return ModelRefused(message, Trouble.FILTERED)
    if is_transient(error):
        kinds = {408: Trouble.SLOW, 409: Trouble.BUSY, 429: Trouble.BUSY}
        return ModelDown(message, kinds.get(status, Trouble.DOWN), wait_s=retry_after(error.response))
    if status == 404 and _NOT_DEPLOYED.search(f"{error.code} {error.message}"):
        return ModelRefused(message, Trouble.NOT_DEPLOYED)
    if status == 404 and not is_about_model(error):
        return ModelRefused(message, Trouble.UNKNOWN_ADDRESS)
    kinds = {401: Trouble.KEY, 403: Trouble.KEY, 404: Trouble.UNKNOWN_MODEL}
    return ModelRefused(message, kinds.get(status, Trouble.REFUSED))


def _encoder_error(error: "sdk.APIStatusError", hide: str) -> ModelError:
    """Return the trouble that the embedded model has with its encoder; that of a service is the service's own."""
    message = safe_message(error, hide)
    encoder = str(error.param or "")
    if error.code == _OTHER_ENCODER:
        found: ModelError = ModelRefused(message, Trouble.OTHER_ENCODER)
    else:
        named = error.body.get("trouble") if isinstance(error.body, dict) else None
        trouble = Trouble(named) if named in {one.value for one in Trouble} else Trouble.DOWN
        kind = ModelRefused if trouble.lasting or trouble.of_this_question else ModelDown
        found = kind(message, trouble)
        found.model = encoder if "/" in encoder.strip("/") else None
    found.encoder = encoder
    return found
