"""A process with a tracker, for tests of how it ends and of what its environment changes.

The arguments are the endpoint, the key, and `works` or `hangs`. The process prints a line when its work is done.
"""

import asyncio
import sys
import time

from bot.langsmith import LangSmithTracker
from tests.bot.langsmith.things import copy, trace


async def main(endpoint: str, key: str, mode: str) -> None:
    tracker = LangSmithTracker(key, "madoguchi", endpoint=endpoint, seconds=60)
    try:
        if mode == "hangs":
            waiting = [asyncio.create_task(tracker.trace([trace(f"q{n}")])) for n in range(6)]
            waiting += [asyncio.create_task(tracker.put_rows("0" * 32, [copy(f"q{n}")])) for n in range(6)]
            await asyncio.sleep(1)
            assert not any(one.done() for one in waiting)
        else:
            dataset = await tracker.dataset()
            await tracker.put_rows(dataset, [copy("a")])
            await tracker.trace([trace("q1")])
        print("done", time.time(), flush=True)  # noqa: T201 - the test reads this line
    finally:
        await tracker.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
