"""Refusals in the shape that OpenAI's API and its SDKs speak."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class RequestRefused(Exception):  # noqa: N818 -- a refusal is an answer of the protocol, not a fault
    """A request that can't be granted; its words reach the caller.

    Args:
        message: What is wrong and what would be right.
        status: The HTTP status.
        param: The parameter at fault, as a path such as `messages[0].role`.
        code: OpenAI's machine-readable name, where it has one.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def no_such_model(name: str) -> RequestRefused:
    """Return the refusal that OpenAI gives for a model it does not serve."""
    return RequestRefused(
        f"The model `{name}` does not exist or you do not have access to it.",
        status=404,
        param="model",
        code="model_not_found",
    )


def shaped(message: str, status: int, param: str | None = None, code: str | None = None) -> JSONResponse:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestRefused):
        raise error
    return shaped(str(error), error.status, error.param, error.code)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return shaped(f"Invalid URL ({request.method} {request.url.path})", 404)
    return shaped(error.detail, error.status_code)


async def _broken(_: Request, __: Exception) -> Response:
    return shaped("The server had an error while processing your request. Sorry about that!", 500)


HANDLERS = {RequestRefused: _refused, HTTPException: _http, Exception: _broken}
