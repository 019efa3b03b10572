"""Many questions within seconds, with a model that takes a second: ack times, memory, and the rate of answers."""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence

from handlers.server.workers import ANSWERERS
from tests.bench.workplace import (
    PERCENTILES_HEADER,
    BenchWorkspace,
    RunningProgram,
    create_database,
    open_workspace,
    percentiles,
    print_line,
    run_bot,
    run_program,
)

MODEL_SECONDS = 1.0
PRESS_INTERVAL = 0.5


class MemoryMonitor:
    """A monitor of a program's memory. Its text has three columns: megabytes at the start, at the peak, and now."""

    def __init__(self, program: RunningProgram) -> None:
        self._program = program
        self._samples = [program.megabytes]

    async def watch(self) -> None:
        """Take two samples per second until cancelled."""
        while True:
            await asyncio.sleep(0.5)
            self._samples.append(self._program.megabytes)

    def __str__(self) -> str:
        return f"{self._samples[0]:8.0f} {max(self._samples):8.0f} {self._samples[-1]:8.0f}"


async def wait_for_answers(workspace: BenchWorkspace, questions: int) -> None:
    async with asyncio.timeout(60 + 2 * questions * MODEL_SECONDS / ANSWERERS):
        while len(workspace.answers) < questions:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.1)


async def press(workspace: BenchWorkspace) -> None:
    """Confirm a random answer every PRESS_INTERVAL seconds until cancelled, each answer once."""
    confirmed: set[str] = set()
    while True:
        await asyncio.sleep(PRESS_INTERVAL)
        candidates = [ts for ts in workspace.answers if ts not in confirmed]
        if candidates:
            confirmed.add(ts := random.choice(candidates))
            await workspace.agree(ts)


async def ask(workspace: BenchWorkspace, questions: int, within: float) -> None:
    """Ask the questions at equal intervals over `within` seconds; 0 asks all at once."""
    started = time.perf_counter()
    for n in range(questions):
        workspace.say(f"How do I reset password number {n}?")
        if within:
            await asyncio.sleep(max(0.0, started + within * n / questions - time.perf_counter()))


async def flood(
    workspace: BenchWorkspace, program: RunningProgram, questions: int, within: float
) -> tuple[float, MemoryMonitor]:
    """Ask the questions and return the answers per second and the memory used meanwhile."""
    memory = MemoryMonitor(program)
    tasks = [asyncio.create_task(memory.watch()), asyncio.create_task(press(workspace))]
    started = time.perf_counter()
    await ask(workspace, questions, within)
    await wait_for_answers(workspace, questions)
    rate = questions / (time.perf_counter() - started)
    await asyncio.sleep(2)  # a second answer to a question would appear now
    for task in tasks:
        task.cancel()
    workspace.check(questions)
    return rate, memory


async def main(questions: int, within: float, databases: Sequence[str]) -> None:
    """Print the table."""
    limit = ANSWERERS / MODEL_SECONDS
    print_line(
        f"{questions} questions within {within:g} s, a model that takes {MODEL_SECONDS:g} s, {ANSWERERS} at a time"
    )
    head = f"{'ack':<16} {PERCENTILES_HEADER} {'> 3 s':>6}  press {PERCENTILES_HEADER} {'> 3 s':>6}"
    print_line(f"{head} {'per s':>9} {'of limit':>8} {'MB start':>8} {'peak':>8} {'end':>8}")
    with tempfile.TemporaryDirectory() as folder:
        async with open_workspace() as (workspace, env), run_program(env, folder, "tests.bench.bare"):
            workspace.say("Is anybody there?")
            await ask(workspace, questions, within)
            await wait_for_answers(workspace, questions)
            acks = percentiles(workspace.timed.seconds["asked"])
            print_line(f"{'bare, no model':<16} {acks} {workspace.timed.late['asked']:6}")
    for kind in databases:
        with tempfile.TemporaryDirectory() as folder:
            url = create_database(kind, folder)
            async with open_workspace(MODEL_SECONDS) as (workspace, env), run_bot(env, folder, url) as program:
                rate, memory = await flood(workspace, program, questions, within)
        seconds, late = workspace.timed.seconds, workspace.timed.late
        acks = f"{percentiles(seconds['asked'])} {late['asked']:6}"
        presses = f"{percentiles(seconds['pressed'])} {late['pressed']:6}"
        print_line(f"{kind:<16} {acks}        {presses} {rate:9.1f} {rate / limit:8.0%} {memory}")
    print_line()
