"""Helpers for all requests to LangSmith: a deadline per request, and error messages without secrets."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from langsmith.utils import LangSmithError
from requests.adapters import HTTPAdapter

from bot.domain.certificates import refused_certificate
from bot.domain.errors import TrackerDown, TrackerError, TrackerReason, TrackerRefused

CONNECT_S = 5.0
"""Deadline for connecting, in seconds."""
RETRIED_STATUSES = frozenset({408, 425, 429})
"""Statuses below 500 of requests that may succeed later."""

# The SDK logs responses, which may quote what was sent. Callers get the outcome as a result or an exception anyway.
logging.getLogger("langsmith").setLevel(logging.CRITICAL + 1)


class NotFound(TrackerError):  # noqa: N818 - reads as what happened
    """Status 404: the caller knows what is missing."""


class AlreadyExists(TrackerError):  # noqa: N818 - reads as what happened
    """Status 409: something with this id exists, or existed once."""


class DeadlineSession(requests.Session):
    """The SDK's HTTP session. Each request ends within `seconds`, and `cancel_all` ends those under way.

    A socket's timeout covers a single read, so a slow trickle of bytes would never time out. A thread that reads from a
    socket cannot be stopped either. So each request runs in a daemon thread that may be abandoned.

    Args:
        endpoint: The address of all requests.
        seconds: Deadline of one request.
        adapter: Replaces the adapter of `requests`, and the SDK's, for the endpoint.
    """

    def __init__(self, endpoint: str, seconds: float, adapter: HTTPAdapter | None = None) -> None:
        super().__init__()
        if adapter:
            self.mount(endpoint, adapter)  # the longest prefix wins, so the SDK's own adapters are not used
        self._seconds = seconds
        self._cancelled: Future[None] = Future()
        self._per_thread = threading.local()
        # The environment's proxy must not be used for a server on this machine.
        self.trust_env = urlsplit(endpoint).hostname not in {"127.0.0.1", "::1", "localhost"}
        self.auth = lambda request: request  # otherwise requests sends a password from ~/.netrc

    @property
    def last_status(self) -> int | None:
        """The status of the last response that this thread received."""
        return getattr(self._per_thread, "status", None)

    def cancel_all(self) -> None:
        """End all requests under way and refuse new ones."""
        with suppress(Exception):
            self._cancelled.set_result(None)
        self.close()

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request and wait for the response.

        Raises:
            requests.ReadTimeout: The deadline passed, or the session is cancelled. The SDK would retry other errors at
                once.
        """
        kwargs["timeout"] = (min(CONNECT_S, self._seconds), self._seconds)
        answer: Future[requests.Response] = Future()

        def send() -> None:
            try:
                answer.set_result(super(DeadlineSession, self).request(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - the caller gets it from the future
                answer.set_exception(error)

        if not self._cancelled.done():
            threading.Thread(target=send, daemon=True, name="langsmith-request").start()
        futures: tuple[Future[Any], ...] = (answer, self._cancelled)
        done, _ = wait(futures, self._seconds, FIRST_COMPLETED)
        if answer not in done:
            raise requests.ReadTimeout("no answer in time")
        response = answer.result()
        self._per_thread.status = response.status_code
        return response


MISSHAPEN_ANSWERS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""The errors of the SDK for JSON of another shape, and for JSON that is nested too deeply."""


def status_of(error: BaseException) -> tuple[int | None, timedelta | None]:
    """Return the HTTP status behind an SDK error and the server's `Retry-After`; None for what is unknown."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, requests.Response):
            with suppress(ValueError):
                return response.status_code, timedelta(seconds=float(response.headers.get("retry-after", "")))
            return response.status_code, None
        cause = cause.__cause__ or cause.__context__
    return None, None


def tracker_error(error: Exception) -> TrackerError:
    """Return our error for an SDK error. The SDK's message is dropped: it may hold sent data and parts of the key."""
    status, after = status_of(error)
    message = f"status {status}"
    refused = refused_certificate(error) if status is None else None
    if refused:
        return TrackerRefused(TrackerReason.CERTIFICATE, refused)
    if status is None and isinstance(error, (LangSmithError, requests.RequestException)):
        return TrackerDown("LangSmith could not be reached, or did not answer in time")
    if status is None:
        return TrackerDown(f"LangSmith's answer is malformed ({type(error).__name__})")
    if status in RETRIED_STATUSES or status >= 500:
        return TrackerDown(message, after)
    known = {
        401: TrackerRefused(TrackerReason.WRONG_KEY, message),
        403: TrackerRefused(TrackerReason.WRONG_WORKSPACE, message),
        404: NotFound(message),
        409: AlreadyExists(message),
    }
    return known.get(status) or TrackerRefused(TrackerReason.NOT_TAKEN, message)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn the SDK's errors into ours. For a malformed answer the SDK raises built-in errors such as KeyError.

    Raises:
        TrackerDown: The same request may succeed later.
        TrackerRefused: The request is refused for good.
        NotFound: Status 404.
        AlreadyExists: Status 409.
    """
    try:
        yield
    except TrackerError:
        raise
    except (LangSmithError, requests.RequestException, *MISSHAPEN_ANSWERS) as error:
        raise tracker_error(error) from None
