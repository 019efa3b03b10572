"""Workers for what was written down: a bounded number, woken at once, and never ended by an error."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from handlers.server.backoff import Backoff


class Pool:
    """Calls `work` again and again, at most `size` times at once.

    `work` does one thing and returns whether there was one to do. A pool with nothing to do asks the database once in
    `poll` seconds, whatever its size: for work that came due, or that another replica wrote down.
    """

    def __init__(self, work: Callable[[], Awaitable[bool]], size: int, *, poll: float = 1.0) -> None:
        self._work = work
        self._size = size
        self._poll = poll
        self._setbacks = Backoff(getattr(work, "__qualname__", "a worker"), poll)
        self._bell: asyncio.Queue[None] = asyncio.Queue(maxsize=size)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Start the workers in the running event loop."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._worker(polls=n == 0)) for n in range(self._size)]

    def wake(self) -> None:
        """Say that there may be work; may be called before `start` and as often as one likes."""
        if not self._bell.full():
            self._bell.put_nowait(None)

    async def stop(self, deadline: float) -> None:
        """Take nothing new; wait up to `deadline` seconds for what is under way, then cancel it."""
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
                rest = self._setbacks.failed(error)
                await asyncio.sleep(self._poll)
                await self._bell_or(rest - self._poll)
                continue
            self._setbacks.worked()
            if found:
                self.wake()  # where there was one there may be more than this worker can take
            else:
                await self._bell_or(self._poll if polls else None)

    async def _bell_or(self, seconds: float | None) -> None:
        """Wait until somebody says that there may be work, at most so long; None: however long it takes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._bell.get(), seconds)
