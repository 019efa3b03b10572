"""The statements that a replica sends to its database: each second at rest, and for each question."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.counted import TRANSACTIONS
from tests.bench.sustained import CONCURRENCY, warm_up
from tests.bench.workplace import RunningProgram, create_database, open_workspace, print_line, run_program

FIRST_SECONDS = 10.0
"""The work of a start is over after this time."""
MOST_SHOWN = 25
COLUMNS = 110


class CountedBot:
    """A bot whose statements are counted."""

    def __init__(self, program: RunningProgram, file: Path) -> None:
        self.program = program
        self._file = file

    async def counted(self) -> dict[str, int]:
        """Return how often each statement was sent since the last call; TRANSACTIONS has the transactions."""
        self._file.unlink(missing_ok=True)
        os.kill(self.program.pid, signal.SIGUSR1)
        async with asyncio.timeout(30):
            while not self._file.exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)
        found: dict[str, int] = json.loads(self._file.read_text(encoding="utf-8"))
        return found


async def run_counted(stack: AsyncExitStack, env: dict[str, str], kind: str) -> CountedBot:
    """Run a bot whose statements are counted, on a new database."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    file = Path(folder, "counted.json")
    env = {**env, "DATABASE_URL": create_database(kind, folder)}
    return CountedBot(await stack.enter_async_context(run_program(env, folder, "tests.bench.counted", str(file))), file)


def print_counted(name: str, counted: dict[str, int], each: float, unit: str) -> None:
    """Print how many statements and transactions there were for each unit, and the statements sent most often."""
    transactions = counted.pop(TRANSACTIONS, 0)
    statements = sum(counted.values())
    print_line(f"{name}: {statements / each:.2f} statements a {unit} in {transactions / each:.2f} transactions")
    for statement, times in sorted(counted.items(), key=lambda one: -one[1])[:MOST_SHOWN]:
        print_line(f"  {times / each:6.2f}  {' '.join(statement.split())[:COLUMNS]}")


async def main(seconds: float, questions: int, databases: Sequence[str]) -> None:
    """Print the statements of a replica on each database, and which they are."""
    print_line(f"at rest for {seconds:g} s")
    async with AsyncExitStack() as stack:
        bots, workspaces = {}, {}
        for kind in databases:
            workspaces[kind], env = await stack.enter_async_context(open_workspace())
            bots[kind] = await run_counted(stack, {**env, "BOT_AUTO_TRAIN": "propose"}, kind)
        await asyncio.sleep(FIRST_SECONDS)
        for bot in bots.values():
            await bot.counted()
        await asyncio.sleep(seconds)
        for kind, bot in bots.items():
            print_counted(kind, await bot.counted(), seconds, "second")
        print_line(f"{questions} questions, {CONCURRENCY} at a time")
        for kind, bot in bots.items():
            meter = await warm_up(workspaces[kind], bot.program)
            await bot.counted()
            await meter.run_round(questions)
            print_counted(kind, await bot.counted(), questions, "question")
    print_line()
