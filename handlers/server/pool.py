"""Worker pools: a bounded number of workers that can be woken at once and survive errors."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from handlers.server.backoff import Backoff


class Pool:
    """Workers that call one function again and again.

    Args:
        work: Handles one item of work, and returns whether there may be another one.
        size: Number of workers, and so the maximum number of calls at once.
        poll: Seconds between calls while the pool is idle, whatever its size. These calls find work that has come due
            or that another replica has stored. None waits for `wake`, with the default between two failures.
    """

    def __init__(self, work: Callable[[], Awaitable[bool]], size: int, *, poll: float | None = 1.0) -> None:
        self._work = work
        self._size = size
        self._poll = poll
        self._pause = 1.0 if poll is None else poll
        self._backoff = Backoff(getattr(work, "__qualname__", "a worker"), self._pause)
        self._wakeups: asyncio.Queue[None] = asyncio.Queue(maxsize=size)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._waiting = 0

    def waiting(self) -> int:
        """Return the number of workers that wait for `wake`."""
        return self._waiting

    def start(self) -> None:
        """Start the workers in the running event loop, unless they run."""
        if self._tasks:
            return
        self._stopping = False
        self._tasks = [asyncio.create_task(self._worker(polls=n == 0)) for n in range(self._size)]

    def wake(self) -> None:
        """Wake a worker, because there may be work. May be called at any time, even before `start`."""
        if not self._wakeups.full():
            self._wakeups.put_nowait(None)

    async def stop(self, deadline: float) -> None:
        """Take no new work, wait up to `deadline` seconds for the calls in progress, then cancel them."""
        self._stopping = True
        for _ in self._tasks:
            self.wake()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=deadline)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._tasks = []

    async def _worker(self, *, polls: bool) -> None:
        while not self._stopping:
            try:
                found = await self._work()
            except Exception as error:  # noqa: BLE001 - it is logged, and the worker goes on
                delay = self._backoff.record_failure(error)
                await asyncio.sleep(self._pause)
                await self._wait_for_wakeup(delay - self._pause)
                continue
            self._backoff.record_success()
            if found:
                self.wake()  # there may be more work than this worker can take
            else:
                self._waiting += 1
                try:
                    await self._wait_for_wakeup(self._poll if polls else None)
                finally:
                    self._waiting -= 1

    async def _wait_for_wakeup(self, seconds: float | None) -> None:
        """Wait for a call of `wake`, up to `seconds`; None means without a limit."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wakeups.get(), seconds)
