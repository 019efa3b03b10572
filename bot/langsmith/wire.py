"""What all requests to LangSmith share: a deadline, and errors told without their secrets."""

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

from bot.domain.errors import TrackerDown, TrackerError, TrackerReason, TrackerRefused

CONNECT_S = 5.0
"""Seconds in which a connection stands, or does not."""
RETRIED_STATUSES = frozenset({408, 425, 429})
"""Statuses below 500 of what may succeed later."""

# The SDK logs what it was answered, which may hold what it was sent. Whoever asked for it is told the outcome anyway.
logging.getLogger("langsmith").setLevel(logging.CRITICAL + 1)


class NotThere(TrackerError):  # noqa: N818 - reads as what happened
    """404: the verb knows what of."""


class TakenBefore(TrackerError):  # noqa: N818 - reads as what happened
    """409: what has this id is there, or was once."""


class Wire(requests.Session):
    """The SDK's way out: each request ends within `seconds`, and those under way end when it is cut.

    A socket's timeout alone is for each read, so that an answer that drips has none; and a thread that reads from a
    socket cannot be told to stop. So each request has a thread that may be left behind.

    Attributes:
        near: it is on this machine, so a proxy of the environment is not for it.
    """

    def __init__(self, endpoint: str, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._cut: Future[None] = Future()
        self._told = threading.local()
        self.trust_env = urlsplit(endpoint).hostname not in {"127.0.0.1", "::1", "localhost"}
        self.auth = lambda request: request  # else the password that ~/.netrc may hold for the host is sent

    @property
    def status(self) -> int | None:
        """Of the last answer to a request of this thread."""
        return getattr(self._told, "status", None)

    def cut(self) -> None:
        """End what is under way; nothing is sent from now on."""
        with suppress(Exception):
            self._cut.set_result(None)
        self.close()

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises requests.ReadTimeout at the deadline and once cut: after others the SDK would send again at once."""
        kwargs["timeout"] = (min(CONNECT_S, self._seconds), self._seconds)
        answer: Future[requests.Response] = Future()

        def send() -> None:
            try:
                answer.set_result(super(Wire, self).request(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it
                answer.set_exception(error)

        if not self._cut.done():
            threading.Thread(target=send, daemon=True, name="langsmith-request").start()
        either: tuple[Future[Any], ...] = (answer, self._cut)
        done, _ = wait(either, self._seconds, FIRST_COMPLETED)
        if answer not in done:
            raise requests.ReadTimeout("no answer in time")
        response = answer.result()
        self._told.status = response.status_code
        return response


def status_of(error: BaseException) -> tuple[int | None, timedelta | None]:
    """The status that an error of the SDK comes from, and how long the server asked to be left alone."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        if isinstance(response, requests.Response):
            with suppress(ValueError):
                return response.status_code, timedelta(seconds=float(response.headers.get("retry-after", "")))
            return response.status_code, None
        cause = cause.__cause__ or cause.__context__
    return None, None


def ours(error: Exception) -> TrackerError:
    """What an error of the SDK is to us. Its message may hold what was sent and parts of the key: it is not kept."""
    status, after = status_of(error)
    what = f"status {status}"
    if status is None and isinstance(error, (LangSmithError, requests.RequestException)):
        return TrackerDown("it could not be reached, or did not answer in time")
    if status is None:
        return TrackerDown(f"its answer is not what its protocol says ({type(error).__name__})")
    if status in RETRIED_STATUSES or status >= 500:
        return TrackerDown(what, after)
    known = {
        401: TrackerRefused(TrackerReason.WRONG_KEY, what),
        403: TrackerRefused(TrackerReason.WRONG_WORKSPACE, what),
        404: NotThere(what),
        409: TakenBefore(what),
    }
    return known.get(status) or TrackerRefused(TrackerReason.NOT_TAKEN, what)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the SDK's errors into ours. It raises the plainest kinds where an answer has another shape.

    Raises:
        TrackerDown, TrackerRefused, NotThere, TakenBefore.
    """
    try:
        yield
    except TrackerError:
        raise
    except (LangSmithError, requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ours(error) from None
