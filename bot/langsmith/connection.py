"""One connection to LangSmith: its SDK's client, in threads of its own."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from langsmith import Client
from requests.adapters import HTTPAdapter

from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.langsmith.wire import NotThere, Wire, ours, translated

CONCURRENT_REQUESTS = 4
"""Requests under way."""
REQUEST_SECONDS = 10.0
"""That one request may take, all of it."""

CallArgs = ParamSpec("CallArgs")
Returned = TypeVar("Returned")


class Connection:
    """Runs what uses the SDK's client, off the event loop, with its outcome known. Close it with `aclose`.

    The client has no queue and no threads of its own (`auto_batch_tracing=False`), so a process that ends waits for
    none. Whatever it would take from the environment it is given.

    Args:
        endpoint: where LangSmith's API is.
        key: its API key.
        workspace: the id of the workspace, where the key alone does not tell.
        seconds: instead of SECONDS.
    """

    def __init__(
        self, endpoint: str, key: str, workspace: str | None = None, *, seconds: float = REQUEST_SECONDS
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._workspace = workspace
        self.wire = Wire(endpoint, seconds)
        self._pool = ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="langsmith")
        self._closed = False
        self._made = threading.Lock()
        self._client: Client | None = None
        self._failed: contextvars.ContextVar[list[Exception]] = contextvars.ContextVar("failed")

    async def run(
        self, verb: Callable[CallArgs, Returned], *args: CallArgs.args, **kwargs: CallArgs.kwargs
    ) -> Returned:
        """What `verb` returns, run in a thread.

        Raises:
            TrackerDown, TrackerRefused, NotThere, TakenBefore.
        """

        def told() -> Returned:
            with translated():
                return verb(*args, **kwargs)

        if self._closed:
            raise TrackerDown("the connection is closed")
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(told))

    @property
    def client(self) -> Client:
        """The SDK's client. Only for what runs in a thread: the first one to ask finds out what the server can."""
        with self._made:
            if self._client is None:
                self._client = self._open(self._info())
            return self._client

    def ingest(self, runs: Sequence[dict[str, Any]]) -> bool:
        """Send runs in one request. False where at least one of them was received before; others may be lost then.

        The SDK passes over the errors of this request and tells them to a callback, in the same thread.
        """
        failed: list[Exception] = []
        self._failed.set(failed)
        self.client.multipart_ingest(create=[dict(run) for run in runs])
        if failed:
            raise ours(failed[0]) from None
        return self.wire.status != 409

    async def aclose(self) -> None:
        """End what is under way; whoever waits for it gets TrackerDown."""
        self._closed = True
        self.wire.cut()
        self._pool.shutdown(wait=False)  # what is queued there ends at its first request
        if self._client is not None:
            self._client.close(timeout=0)

    def _info(self) -> dict[str, Any]:
        """What the server can. The SDK itself would take no answer for an old server, until the process ends."""
        probe = self._open({})
        try:
            info = probe.request_with_retries("GET", "/info").json()
        except Exception as error:
            if isinstance(ours(error), NotThere):
                raise TrackerRefused(TrackerReason.WRONG_ADDRESS, "there is no /info") from None
            raise
        if not isinstance(info, dict) or not isinstance(info.get("version"), str):
            raise TrackerRefused(TrackerReason.WRONG_ADDRESS, "what /info tells is not LangSmith's")
        return info

    def _open(self, info: dict[str, Any]) -> Client:
        return Client(
            self._endpoint,
            api_key=self._key,
            workspace_id=self._workspace or "",
            web_url=self._endpoint,
            session=self.wire,
            info=info,
            retry_config=HTTPAdapter(max_retries=0).max_retries,
            auto_batch_tracing=False,
            tracing_mode="langsmith",
            tracing_sampling_rate=1.0,
            tracing_error_callback=self._notice,
            hide_inputs=False,
            hide_outputs=False,
            hide_metadata=False,
            omit_traced_runtime_info=True,
            disable_prompt_cache=True,
        )

    def _notice(self, error: Exception) -> None:
        self._failed.get([]).append(error)
