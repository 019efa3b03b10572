"""The cost of a press that corrects or confirms a card, compared with a bare handler that updates its message."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tests.bench.sustained import CONCURRENCY, ROUNDS
from tests.bench.workplace import (
    BenchWorkspace,
    RunningProgram,
    create_database,
    median_and_range,
    open_workspace,
    print_line,
    run_bot,
    run_program,
)

BARE = "bare handler that updates"


class Presser:
    """One of the staff who confirms answers, CONCURRENCY at a time, until each message has changed."""

    def __init__(self, workspace: BenchWorkspace, program: RunningProgram) -> None:
        self._workspace = workspace
        self._program = program
        self.rounds: list[float] = []
        """Processor seconds per press, of each turn."""

    async def run_round(self, presses: int) -> None:
        """Ask questions, which is not counted, and confirm each answer."""
        asked = [await self._workspace.ask(f"How do I reset password number {n}?") for n in range(presses)]
        gate = asyncio.Semaphore(CONCURRENCY)
        await asyncio.sleep(1)  # later work of an answer is not counted either
        before = self._program.cpu_seconds
        await asyncio.gather(*(self._confirm(ts, gate) for ts in asked))
        self.rounds.append((self._program.cpu_seconds - before) / presses)

    async def _confirm(self, ts: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            await self._workspace.confirm(ts)


async def main(presses: int, databases: Sequence[str]) -> None:
    """Print the table."""
    print_line(f"{presses} presses, {CONCURRENCY} at a time")
    print_line(f"{'':<34} {'cpu ms':>20} {'ratio':>20}")
    async with AsyncExitStack() as stack:
        pressers: dict[str, Presser] = {}
        for name in (BARE, *databases):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            workspace, env = await stack.enter_async_context(open_workspace())
            bare = name == BARE
            program = run_program(env, folder, "tests.bench.bare", "press") if bare else None
            bot = program or run_bot(env, folder, create_database(name, folder))
            running = await stack.enter_async_context(bot)
            await Presser(workspace, running).run_round(2 * CONCURRENCY)
            pressers[name] = Presser(workspace, running)
        for _ in range(ROUNDS):
            for presser in pressers.values():
                await presser.run_round(presses // ROUNDS)
    for name, presser in pressers.items():
        label = name if name == BARE else f"whole bot, {name}"
        ratios = [ours / bare for ours, bare in zip(presser.rounds, pressers[BARE].rounds, strict=True)]
        cost = median_and_range([seconds * 1000 for seconds in presser.rounds])
        print_line(f"{label:<34} {cost:>20} {median_and_range(ratios):>20}")
    print_line()
