"""Worker pools: bounded, quickly awake, and never ended by an error."""

import asyncio

import pytest

from handlers.server.pool import Pool


class Work:
    """Countable work; each item waits until the gate is open."""

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
        await self._notify()
        await self.gate.wait()
        self.at_once -= 1
        self.done += 1
        await self._notify()
        return True

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, done: int = 0, at_once: int = 0) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.done >= done and self.at_once >= at_once)


async def test_all_work_is_done_within_pool_size() -> None:
    work = Work(20)
    work.gate.clear()
    pool = Pool(work, 3, poll=60)
    pool.start()
    await work.until(at_once=3)
    work.gate.set()
    await work.until(done=20)
    await pool.stop(1)
    assert (work.done, work.most) == (20, 3)


async def test_pool_counts_waiting_workers() -> None:
    work = Work(1)
    work.gate.clear()
    pool = Pool(work, 3, poll=60)

    async def wait_for(workers: int) -> None:
        async with asyncio.timeout(5):
            while pool.waiting() != workers:  # noqa: ASYNC110 - a worker that begins to wait tells nobody
                await asyncio.sleep(0)

    await wait_for(0)
    pool.start()
    await work.until(at_once=1)
    await wait_for(2)
    work.gate.set()
    await wait_for(3)
    await pool.stop(1)
    assert pool.waiting() == 0


async def test_second_start_adds_no_workers() -> None:
    work = Work(20)
    work.gate.clear()
    pool = Pool(work, 3, poll=60)
    pool.start()
    pool.start()
    await work.until(at_once=3)
    work.gate.set()
    await work.until(done=20)
    await pool.stop(60)
    assert work.most == 3
    work.left = 1
    pool.start()
    await work.until(done=21)
    await pool.stop(60)


async def test_idle_pool_is_woken() -> None:
    work = Work()
    pool = Pool(work, 2, poll=60)
    pool.start()
    await asyncio.sleep(0)
    work.left = 2
    pool.wake()
    await work.until(done=2)
    await pool.stop(1)


async def test_polling_finds_unannounced_work() -> None:
    work = Work()
    pool = Pool(work, 4, poll=0.01)
    pool.start()
    await asyncio.sleep(0)
    work.left = 1
    await work.until(done=1)
    await pool.stop(1)


async def test_error_is_logged_and_worker_survives(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(3)
    work.failures = 2
    pool = Pool(work, 1, poll=0.01)
    pool.start()
    await work.until(done=3)
    await pool.stop(1)
    assert caplog.text.count("a worker failed") == 1
    assert caplog.text.count("a worker works again") == 1


async def test_stop_finishes_running_work_and_takes_none() -> None:
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


async def test_work_is_cancelled_at_the_deadline() -> None:
    work = Work(1)
    work.gate.clear()
    pool = Pool(work, 1, poll=60)
    pool.start()
    await work.until(at_once=1)
    await pool.stop(0.01)
    assert work.done == 0
