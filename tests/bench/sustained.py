"""What the whole bot costs over a bare slack-bolt handler, with a model that answers at once."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.workplace import SPREAD, Program, Site, bot, database_at, line, program, site, spread

ABREAST = 8
PRESSES = 100


@dataclass(frozen=True)
class Cost:
    """Of a number of questions, a few at a time."""

    rate: float
    cpu_ms: float
    """Of the processor, for one question."""
    taken: list[float]

    def __str__(self) -> str:
        return f"{self.rate:9.0f} {self.cpu_ms:8.2f} {spread(self.taken)}"


HEAD = f"{'a second':>9} {'cpu ms':>8} {SPREAD}"


async def measured(place: Site, under_test: Program, questions: int) -> Cost:
    """Ask so many questions, `ABREAST` at a time."""
    gate = asyncio.Semaphore(ABREAST)
    taken: list[float] = []

    async def ask(n: int) -> None:
        async with gate:
            started = time.perf_counter()
            await place.answered(f"How do I reset password number {n}?")
            taken.append(time.perf_counter() - started)

    await asyncio.gather(*(ask(-n) for n in range(1, 2 * ABREAST)))  # the first ones make caches and connections
    taken.clear()
    started, cpu = time.perf_counter(), under_test.cpu_seconds
    await asyncio.gather(*map(ask, range(questions)))
    seconds = time.perf_counter() - started
    return Cost(questions / seconds, (under_test.cpu_seconds - cpu) / questions * 1000, taken)


async def pressed(place: Site, questions: int) -> Sequence[float]:
    """How long acks of presses take, one after the other, while so many questions a time are answered."""
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
    return place.timed.took["pressed"]


async def main(questions: int, databases: Sequence[str]) -> None:
    """Print the table."""
    line(f"{questions} questions, {ABREAST} at a time, a model that answers at once")
    line(f"{'':<34} {HEAD}   press {SPREAD} later than 3 s")
    bare = {}
    for name, command in (("bare handler that posts", ""), ("bare handler that asks and posts", "model")):
        with tempfile.TemporaryDirectory() as folder:
            async with site() as (place, env), program(env, folder, "tests.bench.bare", command) as one:
                bare[name] = await measured(place, one, questions)
                line(f"{name:<34} {bare[name]}")
    for kind in databases:
        with tempfile.TemporaryDirectory() as folder:
            async with site() as (place, env), bot(env, folder, database_at(kind, folder)) as one:
                cost = await measured(place, one, questions)
                presses = await pressed(place, questions)
        line(f"{'whole bot on ' + kind:<34} {cost}         {spread(presses)} {place.timed.late['pressed']:14}")
        ratios = [f"{cost.cpu_ms / other.cpu_ms:.1f} times the processor of a {name}" for name, other in bare.items()]
        slower = [f"{other.rate / cost.rate:.1f}" for other in bare.values()]
        line(f"{'':<34} {', '.join(ratios)}; {' and '.join(slower)} times the time")
    line()
