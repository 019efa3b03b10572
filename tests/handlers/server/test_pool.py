"""Workers: bounded, awake, and never ended by an error."""

import asyncio

import pytest

from handlers.server.pool import Pool


class Work:
    """Things to do; each waits for the gate."""

    def __init__(self, things: int = 0) -> None:
        self.left = things
        self.done = 0
        self.at_once = 0
        self.most = 0
        self.failures = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Condition()

    async def __call__(self) -> bool:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database went away")
        if not self.left:
            return False
        self.left -= 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self._tell()
        await self.gate.wait()
        self.at_once -= 1
        self.done += 1
        await self._tell()
        return True

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, done: int = 0, at_once: int = 0) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.done >= done and self.at_once >= at_once)


async def test_all_work_is_done_and_never_more_than_size_at_once() -> None:
    work = Work(20)
    work.gate.clear()
    pool = Pool(work, 3, poll=60)
    pool.start()
    await work.until(at_once=3)
    work.gate.set()
    await work.until(done=20)
    await pool.stop(1)
    assert (work.done, work.most) == (20, 3)


async def test_a_resting_pool_is_woken() -> None:
    work = Work()
    pool = Pool(work, 2, poll=60)
    pool.start()
    await asyncio.sleep(0)
    work.left = 2
    pool.wake()
    await work.until(done=2)
    await pool.stop(1)


async def test_work_that_nobody_told_of_is_found_by_looking() -> None:
    work = Work()
    pool = Pool(work, 4, poll=0.01)
    pool.start()
    await asyncio.sleep(0)
    work.left = 1
    await work.until(done=1)
    await pool.stop(1)


async def test_an_error_ends_no_worker_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(3)
    work.failures = 2
    pool = Pool(work, 1, poll=0.01)
    pool.start()
    await work.until(done=3)
    await pool.stop(1)
    assert caplog.text.count("a worker failed") == 1
    assert caplog.text.count("a worker works again") == 1


async def test_stopping_finishes_what_is_under_way_and_takes_nothing_new() -> None:
    work = Work(5)
    work.gate.clear()
    pool = Pool(work, 2, poll=60)
    pool.start()
    await work.until(at_once=2)
    stopping = asyncio.create_task(pool.stop(5))
    await asyncio.sleep(0)
    work.gate.set()
    await stopping
    assert (work.done, work.left) == (2, 3)


async def test_what_does_not_end_by_the_deadline_is_cancelled() -> None:
    work = Work(1)
    work.gate.clear()
    pool = Pool(work, 1, poll=60)
    pool.start()
    await work.until(at_once=1)
    await pool.stop(0.01)
    assert work.done == 0
