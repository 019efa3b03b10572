"""Many questions within seconds, with a model that takes a second: acks, memory, and how fast the backlog goes."""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence

from bot.app.lifecycle import ANSWERERS
from tests.bench.workplace import SPREAD, Program, Site, bot, database_at, line, program, site, spread

THINK = 1.0
PRESS_EVERY = 0.5


class Memory:
    """Looks at a program's memory twice a second while the block runs."""

    def __init__(self, one: Program) -> None:
        self._one = one
        self.seen = [one.megabytes]

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(0.5)
            self.seen.append(self._one.megabytes)

    def __str__(self) -> str:
        return f"{self.seen[0]:8.0f} {max(self.seen):8.0f} {self.seen[-1]:8.0f}"


async def answered(place: Site, questions: int) -> None:
    async with asyncio.timeout(60 + 2 * questions * THINK / ANSWERERS):
        while len(place.answers) < questions:  # noqa: ASYNC110 - what it waits for is another process's
            await asyncio.sleep(0.1)


async def press(place: Site) -> None:
    """Agree with an answer every now and then, until cancelled."""
    done: set[str] = set()
    while True:
        await asyncio.sleep(PRESS_EVERY)
        there = [ts for ts in place.answers if ts not in done]
        if there:
            done.add(chosen := random.choice(there))
            await place.agree(chosen)


async def ask(place: Site, questions: int, within: float) -> None:
    """Ask so many questions, evenly over so many seconds."""
    started = time.perf_counter()
    for n in range(questions):
        place.say(f"How do I reset password number {n}?")
        if within:
            await asyncio.sleep(max(0.0, started + within * n / questions - time.perf_counter()))


async def flood(place: Site, one: Program, questions: int, within: float) -> tuple[float, Memory]:
    """Ask them; how many were answered a second, and the memory meanwhile."""
    memory = Memory(one)
    beside = [asyncio.create_task(memory.watch()), asyncio.create_task(press(place))]
    started = time.perf_counter()
    await ask(place, questions, within)
    await answered(place, questions)
    rate = questions / (time.perf_counter() - started)
    await asyncio.sleep(2)  # what is posted twice would come now
    for task in beside:
        task.cancel()
    place.check(questions)
    return rate, memory


async def main(questions: int, within: float, databases: Sequence[str]) -> None:
    """Print the table."""
    limit = ANSWERERS / THINK
    line(f"{questions} questions within {within:g} s, a model that takes {THINK:g} s, {ANSWERERS} asked at a time")
    head = f"{'ack':<16} {SPREAD} {'> 3 s':>6}  press {SPREAD} {'> 3 s':>6}"
    line(f"{head} {'a second':>9} {'of limit':>8} {'MB start':>8} {'peak':>8} {'end':>8}")
    with tempfile.TemporaryDirectory() as folder:
        async with site() as (place, env), program(env, folder, "tests.bench.bare") as one:
            place.say("Is anybody there?")
            await ask(place, questions, within)
            await answered(place, questions)
            acks = spread(place.timed.took["asked"])
            line(f"{'bare, no model':<16} {acks} {place.timed.late['asked']:6}")
    for kind in databases:
        with tempfile.TemporaryDirectory() as folder:
            async with site(THINK) as (place, env), bot(env, folder, database_at(kind, folder)) as one:
                rate, memory = await flood(place, one, questions, within)
        took, late = place.timed.took, place.timed.late
        acks = f"{spread(took['asked'])} {late['asked']:6}        {spread(took['pressed'])} {late['pressed']:6}"
        line(f"{kind:<16} {acks} {rate:9.1f} {rate / limit:8.0%} {memory}")
    line()
