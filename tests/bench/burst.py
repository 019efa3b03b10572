"""Many questions within seconds, with a model that takes a second: ack times, memory, and the rate of answers."""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence

from handlers.server.workers import ANSWERERS
from tests.bench.workplace import (
    BenchWorkspace,
    Figures,
    RunningProgram,
    TimedSockets,
    create_database,
    open_workspace,
    print_figures,
    print_line,
    run_bot,
    run_program,
)

MODEL_SECONDS = 1.0
PRESS_INTERVAL = 0.5


class MemoryMonitor:
    """A monitor of a program's memory."""

    def __init__(self, program: RunningProgram) -> None:
        self._program = program
        self._samples = [program.megabytes]

    async def watch(self) -> None:
        """Take two samples per second until cancelled."""
        while True:
            await asyncio.sleep(0.5)
            self._samples.append(self._program.megabytes)

    def figures(self) -> dict[str, float]:
        """Return megabytes at the start, at the peak, and at the end."""
        first, *_, last = self._samples
        return {"MB at the start": first, "MB at most": max(self._samples), "MB at the end": last}


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


async def ask_bare(questions: int, within: float) -> Figures:
    """Ask the handler that does nothing but answer."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_workspace() as (workspace, env), run_program(env, folder, "tests.bench.bare"):
            workspace.say("Is anybody there?")
            await ask(workspace, questions, within)
            await wait_for_answers(workspace, questions)
    return timed_figures("ack", workspace.timed, "asked")


async def ask_bot(questions: int, within: float, kind: str) -> Figures:
    """Ask the whole bot on a new database."""
    with tempfile.TemporaryDirectory() as folder:
        url = create_database(kind, folder)
        async with open_workspace(MODEL_SECONDS) as (workspace, env), run_bot(env, folder, url) as program:
            rate, memory = await flood(workspace, program, questions, within)
    figures = {"answers a second": rate, "% of the model's limit": 100 * rate * MODEL_SECONDS / ANSWERERS}
    acks, presses = timed_figures("ack", workspace.timed, "asked"), timed_figures("press", workspace.timed, "pressed")
    return {**acks, **presses, **figures, **memory.figures()}


def timed_figures(name: str, timed: TimedSockets, kind: str) -> Figures:
    """Return the figures of one kind of request: in milliseconds, and how many were acked too late for Slack."""
    ranked = sorted(timed.seconds[kind])
    places = {"p50": len(ranked) // 2, "p99": int(len(ranked) * 0.99), "longest": -1}
    figures = {f"{name} {figure}, ms": ranked[place] * 1000 for figure, place in places.items()}
    return figures | {f"{name} later than 3 s": timed.late[kind]}


async def main(questions: int, within: float, databases: Sequence[str], runs: int) -> None:
    """Print the table."""
    print_line(
        f"{questions} questions within {within:g} s, a model that takes {MODEL_SECONDS:g} s, {ANSWERERS} at a time"
    )
    print_line(f"{runs} runs of each in turns: the median, and the range")
    found: dict[str, list[Figures]] = {}
    for _ in range(runs):
        found.setdefault("bare, no model", []).append(await ask_bare(questions, within))
        for kind in databases:
            found.setdefault(kind, []).append(await ask_bot(questions, within, kind))
    print_figures(found)
    print_line()
