"""The cost of the whole bot compared with a bare slack-bolt handler, with a model that answers at once."""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple, Self

from tests.bench.proxied import ProxiedProgram, run_litellm
from tests.bench.workplace import (
    PERCENTILES_HEADER,
    BenchWorkspace,
    RunningProgram,
    create_database,
    median_and_range,
    open_workspace,
    percentiles,
    print_line,
    run_bot,
    run_program,
)

CONCURRENCY = 8
ROUNDS = 5
"""Number of turns. The programs take turns so that other work on the machine slows all of them alike."""
PRESSES = 100


class Round(NamedTuple):
    """What the questions of one turn cost, in seconds."""

    cpu: float
    """Of the processor, per question."""
    seconds: float
    """Of the clock, per question."""
    answered: float
    """From a question to its answer, the median."""


class Meter:
    """A client that asks a program questions, CONCURRENCY at a time, and adds up their cost."""

    HEADER = f"{'per s':>9} {'cpu ms':>8} {PERCENTILES_HEADER}"

    def __init__(self, workspace: BenchWorkspace, program: RunningProgram) -> None:
        self.workspace = workspace
        self.program = program
        self._answer_seconds: list[float] = []
        self.rounds: list[Round] = []
        self._numbers = itertools.count()

    async def run_round(self, questions: int) -> None:
        gate = asyncio.Semaphore(CONCURRENCY)
        started, cpu, before = time.perf_counter(), self.program.cpu_seconds, len(self._answer_seconds)
        await asyncio.gather(*(self._ask(gate) for _ in range(questions)))
        seconds, cpu = time.perf_counter() - started, self.program.cpu_seconds - cpu
        answered = statistics.median(self._answer_seconds[before:])
        self.rounds.append(Round(cpu / questions, seconds / questions, answered))

    async def _ask(self, gate: asyncio.Semaphore) -> None:
        async with gate:
            started = time.perf_counter()
            await self.workspace.ask(f"How do I reset password number {next(self._numbers)}?")
            self._answer_seconds.append(time.perf_counter() - started)

    @property
    def cpu(self) -> float:
        """Processor seconds per question, the median of all turns."""
        return statistics.median(one.cpu for one in self.rounds)

    def ratios(self, other: Self, figure: str, digits: int = 1) -> str:
        """Return how many times the other's a figure of `Round` is, as the median of all turns."""
        both = zip(self.rounds, other.rounds, strict=True)
        return median_and_range([getattr(ours, figure) / getattr(theirs, figure) for ours, theirs in both], digits)

    def __str__(self) -> str:
        per_second = 1 / statistics.median(one.seconds for one in self.rounds)
        return f"{per_second:9.0f} {self.cpu * 1000:8.2f} {percentiles(self._answer_seconds)}"


async def warm_up(workspace: BenchWorkspace, program: RunningProgram) -> Meter:
    """Ask until the program's caches and connections are filled, and return a meter that starts at zero."""
    await Meter(workspace, program).run_round(2 * CONCURRENCY)
    return Meter(workspace, program)


async def measure_in_turns(meters: Sequence[Meter], questions: int) -> None:
    """Ask each program `questions` questions, in ROUNDS turns."""
    for _ in range(ROUNDS):
        for meter in meters:
            await meter.run_round(questions // ROUNDS)


async def press_under_load(workspace: BenchWorkspace) -> None:
    """Confirm up to PRESSES answers, one after the other, while questions are asked CONCURRENCY at a time."""
    done = asyncio.Event()

    async def ask_repeatedly(n: int) -> None:
        while not done.is_set():
            await workspace.ask(f"Where is printer number {n}?")

    workspace.reset_times()
    asking = [asyncio.create_task(ask_repeatedly(n)) for n in range(CONCURRENCY)]
    for ts in list(workspace.answers)[:PRESSES]:
        await workspace.agree(ts)
    done.set()
    await asyncio.gather(*asking)


async def _add_proxied(meters: dict[str, Meter], stack: AsyncExitStack) -> None:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    workspace, env = await stack.enter_async_context(open_workspace())
    found = await stack.enter_async_context(run_litellm(folder, env["OPENAI_BASE_URL"]))
    if found is None:
        return
    proxy, asked = found
    program = await stack.enter_async_context(run_program(env | asked, folder, "tests.bench.bare", "model"))
    meters["the same through LiteLLM's proxy"] = await warm_up(workspace, ProxiedProgram(program.pid, proxy))


async def main(questions: int, databases: Sequence[str], *, through_proxy: bool = False) -> None:
    """Print the table, with the bare handler behind LiteLLM's proxy if that is asked for."""
    print_line(f"{questions} questions, {CONCURRENCY} at a time, a model that answers at once")
    print_line(f"{'':<34} {Meter.HEADER}   press {PERCENTILES_HEADER}  > 3 s")
    async with AsyncExitStack() as stack:
        meters: dict[str, Meter] = {}
        for name in ("bare handler that posts", "bare handler that asks and posts", *databases):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            workspace, env = await stack.enter_async_context(open_workspace())
            if name in databases:
                program = run_bot(env, folder, create_database(name, folder))
            else:
                program = run_program(env, folder, "tests.bench.bare", *(["model"] if "asks" in name else []))
            meters[name] = await warm_up(workspace, await stack.enter_async_context(program))
        if through_proxy:
            await _add_proxied(meters, stack)
        await measure_in_turns([*meters.values()], questions)
        for kind in databases:
            await press_under_load(meters[kind].workspace)
    bare_meters = [meter for name, meter in meters.items() if name not in databases]
    for name, meter in meters.items():
        timed = meter.workspace.timed
        presses = f"         {percentiles(timed.seconds['pressed'])} {timed.late['pressed']:6}"
        if name in databases:
            print_line(f"{'whole bot, ' + name:<34} {meter}{presses}")
        else:
            print_line(f"{name:<34} {meter}")
    for kind in databases:
        cpu = " and ".join(meters[kind].ratios(bare, "cpu") for bare in bare_meters)
        wall = " and ".join(meters[kind].ratios(bare, "seconds") for bare in bare_meters)
        print_line(f"{kind}: {cpu} times the processor time of the bare handlers, {wall} times the wall-clock time")
    print_line()
