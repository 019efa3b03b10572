"""What the whole bot costs over a bare slack-bolt handler, with a model that answers at once."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tests.bench.workplace import SPREAD, Program, Site, bot, database_at, line, program, site, spread

ABREAST = 8
ROUNDS = 5
"""What is compared is measured in turns, so that what else the machine does falls on each of them."""
PRESSES = 100


class Meter:
    """Asks a program questions, `ABREAST` at a time, and adds up what they cost."""

    HEAD = f"{'a second':>9} {'cpu ms':>8} {SPREAD}"

    def __init__(self, place: Site, under_test: Program) -> None:
        self.place = place
        self.program = under_test
        self._taken: list[float] = []
        self._seconds = self._cpu = 0.0
        self._numbers = itertools.count()

    async def round(self, questions: int) -> None:
        """Ask so many."""
        gate = asyncio.Semaphore(ABREAST)
        started, cpu = time.perf_counter(), self.program.cpu_seconds
        await asyncio.gather(*(self._ask(gate) for _ in range(questions)))
        self._seconds += time.perf_counter() - started
        self._cpu += self.program.cpu_seconds - cpu

    async def _ask(self, gate: asyncio.Semaphore) -> None:
        async with gate:
            started = time.perf_counter()
            await self.place.answered(f"How do I reset password number {next(self._numbers)}?")
            self._taken.append(time.perf_counter() - started)

    @property
    def seconds(self) -> float:
        """Of the wall's clock, for one question."""
        return self._seconds / len(self._taken)

    @property
    def cpu(self) -> float:
        """Seconds of the processor, for one question."""
        return self._cpu / len(self._taken)

    def __str__(self) -> str:
        return f"{1 / self.seconds:9.0f} {self.cpu * 1000:8.2f} {spread(self._taken)}"


async def warmed(place: Site, under_test: Program) -> Meter:
    """A meter of a program that has its caches and connections."""
    await Meter(place, under_test).round(2 * ABREAST)
    return Meter(place, under_test)


async def compared(meters: Sequence[Meter], questions: int) -> None:
    """Ask each so many questions, in turns."""
    for _ in range(ROUNDS):
        for meter in meters:
            await meter.round(questions // ROUNDS)


async def pressed(place: Site) -> None:
    """Press one card after the other, while questions are asked `ABREAST` at a time."""
    over = asyncio.Event()

    async def ask(n: int) -> None:
        while not over.is_set():
            await place.answered(f"Where is printer number {n}?")

    place.forget()
    asking = [asyncio.create_task(ask(n)) for n in range(ABREAST)]
    for ts in list(place.answers)[:PRESSES]:
        await place.agree(ts)
    over.set()
    await asyncio.gather(*asking)


async def main(questions: int, databases: Sequence[str]) -> None:
    """Print the table."""
    line(f"{questions} questions, {ABREAST} at a time, a model that answers at once")
    line(f"{'':<34} {Meter.HEAD}   press {SPREAD}  > 3 s")
    async with AsyncExitStack() as stack:
        meters: dict[str, Meter] = {}
        for name in ("bare handler that posts", "bare handler that asks and posts", *databases):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            place, env = await stack.enter_async_context(site())
            if name in databases:
                opened = bot(env, folder, database_at(name, folder))
            else:
                opened = program(env, folder, "tests.bench.bare", *(["model"] if "asks" in name else []))
            meters[name] = await warmed(place, await stack.enter_async_context(opened))
        await compared([*meters.values()], questions)
        for kind in databases:
            await pressed(meters[kind].place)
    bare = [meter for name, meter in meters.items() if name not in databases]
    for name, meter in meters.items():
        timed = meter.place.timed
        presses = f"         {spread(timed.took['pressed'])} {timed.late['pressed']:6}" if name in databases else ""
        line(f"{'whole bot, ' + name if name in databases else name:<34} {meter}{presses}")
    for kind in databases:
        cpu = " and ".join(f"{meters[kind].cpu / one.cpu:.1f}" for one in bare)
        wall = " and ".join(f"{meters[kind].seconds / one.seconds:.1f}" for one in bare)
        line(f"on {kind}: {cpu} times the processor of the bare ones, {wall} times the time")
    line()
