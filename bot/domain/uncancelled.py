"""Work in threads that a cancelled caller waits for, so that nobody else touches what the thread still changes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def to_its_end(work: Awaitable[_T]) -> _T:
    """Wait until work in a thread has ended, however often the caller is cancelled meanwhile."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise


async def in_thread(work: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run work in a thread to its end. A lock that the caller holds is then held as long as the thread runs."""
    return await to_its_end(asyncio.to_thread(work, *args, **kwargs))
