"""Error responses in the format of OpenAI's API and SDKs."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.embedded.fetched import EncoderUnavailable

OTHER_ENCODER = "other_encoder"
"""Error code of a model that was trained with another encoder than the configured one, which `param` names."""
NO_VECTORS = "encoder_unavailable"
"""Error code of a model whose encoder's service, which `param` names, gives no vectors; `trouble` says why."""


class RequestRefused(Exception):  # noqa: N818 -- a refusal is a normal answer of the protocol
    """An invalid request; the message is sent to the caller.

    Args:
        message: The error, and values that would be accepted.
        status: HTTP status code.
        param: The invalid parameter, as a path such as `messages[0].role`.
        code: OpenAI's machine-readable error code, if it has one.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def no_such_model(name: str) -> RequestRefused:
    """Return the error that OpenAI sends for an unknown model."""
    return RequestRefused(
        f"The model `{name}` does not exist or you do not have access to it.",
        status=404,
        param="model",
        code="model_not_found",
    )


def error_response(message: str, status: int, param: str | None = None, code: str | None = None) -> JSONResponse:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


async def _handle_refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestRefused):
        raise error
    return error_response(str(error), error.status, error.param, error.code)


async def _handle_no_vectors(_: Request, error: Exception) -> Response:
    if not isinstance(error, EncoderUnavailable):
        raise error
    about = {"message": str(error), "type": "server_error", "param": error.encoder, "code": NO_VECTORS}
    # The encoder has had its own retries, and the model itself is well.
    return JSONResponse({"error": about | {"trouble": error.trouble}}, 503, {"x-should-retry": "false"})


async def _handle_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return error_response(f"Invalid URL ({request.method} {request.url.path})", 404)
    return error_response(error.detail, error.status_code)


async def _handle_crash(_: Request, __: Exception) -> Response:
    return error_response("The server had an error while processing your request. Sorry about that!", 500)


HANDLERS = {
    RequestRefused: _handle_refusal,
    EncoderUnavailable: _handle_no_vectors,
    HTTPException: _handle_http_error,
    Exception: _handle_crash,
}
