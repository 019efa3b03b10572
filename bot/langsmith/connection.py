"""A connection to LangSmith: the SDK's client, run in a thread pool."""

import asyncio
import contextvars
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from langsmith import Client
from requests.adapters import HTTPAdapter

from bot.domain.errors import TracesDown, TrackerDown, TrackerReason, TrackerRefused
from bot.langsmith.wire import DeadlineSession, NotFound, status_of, tracker_error, translate_errors

CONCURRENT_REQUESTS = 4
"""Most requests under way at once."""
REQUEST_SECONDS = 10.0
"""Deadline of one whole request, in seconds."""
WEB_HOST = re.compile(r"(?:(?!api\.)[\w-]+\.)?smith\.langchain\.com")
"""The hosts of LangSmith's own pages; those of its API have the label `api`, as in eu.api.smith.langchain.com."""

CallArgs = ParamSpec("CallArgs")
Returned = TypeVar("Returned")


class Connection:
    """A thread pool for calls of the SDK, each with a known outcome. Close it with `aclose`.

    The client has no queue and no threads of its own (`auto_batch_tracing=False`), so a process can end at once. All
    settings are passed explicitly, so that the SDK takes none from the environment.

    Args:
        endpoint: The address of LangSmith's API.
        key: The API key.
        workspace: The workspace's id, for keys that are valid in several workspaces.
        seconds: Deadline of one request.
        adapter: Replaces the HTTP adapter, as to trust other certificate authorities.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        workspace: str | None = None,
        *,
        seconds: float = REQUEST_SECONDS,
        adapter: HTTPAdapter | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._workspace = workspace
        self.session = DeadlineSession(endpoint, seconds, adapter)
        self._pool = ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="langsmith")
        self._closed = False
        self._client_lock = threading.Lock()
        self._client: Client | None = None
        self._ingest_errors: contextvars.ContextVar[list[Exception]] = contextvars.ContextVar("ingest_errors")

    async def run(
        self, call: Callable[CallArgs, Returned], *args: CallArgs.args, **kwargs: CallArgs.kwargs
    ) -> Returned:
        """Run `call` in a thread and return its result.

        Raises:
            TrackerDown: The same call may succeed later, or the connection is closed.
            TrackerRefused: The call is refused for good.
            NotFound: Status 404.
            AlreadyExists: Status 409.
        """

        def run_translated() -> Returned:
            with translate_errors():
                return call(*args, **kwargs)

        if self._closed:
            raise TrackerDown("the connection is closed")
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(run_translated))

    @property
    def client(self) -> Client:
        """The SDK's client. Use it only within `run`: the first access fetches the server's capabilities."""
        with self._client_lock:
            if self._client is None:
                self._client = self._new_client(self._fetch_info())
            return self._client

    def ingest(self, runs: Sequence[dict[str, Any]]) -> bool:
        """Send runs in one request.

        The SDK swallows the errors of this request and passes them to a callback in the same thread.

        Returns:
            False if LangSmith already has at least one of the runs; then the others may be lost.

        Raises:
            TracesDown: LangSmith limits the number of traces per hour and per month.
        """
        errors: list[Exception] = []
        self._ingest_errors.set(errors)
        self.client.multipart_ingest(create=[dict(run) for run in runs])
        if errors:
            status, after = status_of(errors[0])
            if status == 429:
                raise TracesDown("no more traces are accepted: status 429", after) from None
            raise tracker_error(errors[0]) from None
        return self.session.last_status != 409

    async def aclose(self) -> None:
        """Cancel the requests under way; their callers get TrackerDown."""
        self._closed = True
        self.session.cancel_all()
        self._pool.shutdown(wait=False)  # queued calls fail at their first request
        if self._client is not None:
            self._client.close(timeout=0)

    def _fetch_info(self) -> dict[str, Any]:
        """Fetch the server's capabilities.

        After a failed request, the SDK itself would assume an old server until the process ends.

        Raises:
            TrackerRefused: WRONG_ADDRESS, when the server is not LangSmith; WEB_ADDRESS, when it answers with a page.
        """
        probe = self._new_client({})
        try:
            answer = probe.request_with_retries("GET", "/info")
        except Exception as error:
            if isinstance(tracker_error(error), NotFound):
                if WEB_HOST.fullmatch(urlsplit(self._endpoint).hostname or ""):
                    raise TrackerRefused(TrackerReason.WEB_ADDRESS, "the host is that of the pages") from None
                raise TrackerRefused(TrackerReason.WRONG_ADDRESS, "there is no /info") from None
            raise
        if "html" in answer.headers.get("content-type", ""):
            raise TrackerRefused(TrackerReason.WEB_ADDRESS, "the answer of /info is a page")
        try:
            info = answer.json()
        except (ValueError, RecursionError):
            info = None
        if not isinstance(info, dict) or not isinstance(info.get("version"), str):
            raise TrackerRefused(TrackerReason.WRONG_ADDRESS, "the answer of /info is not LangSmith's")
        return info

    def _new_client(self, info: dict[str, Any]) -> Client:
        return Client(
            self._endpoint,
            api_key=self._key,
            workspace_id=self._workspace or "",
            web_url=self._endpoint,
            session=self.session,
            info=info,
            retry_config=HTTPAdapter(max_retries=0).max_retries,
            auto_batch_tracing=False,
            tracing_mode="langsmith",
            tracing_sampling_rate=1.0,
            tracing_error_callback=self._collect_error,
            hide_inputs=False,
            hide_outputs=False,
            hide_metadata=False,
            omit_traced_runtime_info=True,
            disable_prompt_cache=True,
        )

    def _collect_error(self, error: Exception) -> None:
        self._ingest_errors.get([]).append(error)
