"""Training on very many rows and comparing: time, memory, and how questions are acked and answered meanwhile."""

import asyncio
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bot.app.wiring import SystemClock, open_core
from bot.domain.dataset import Source, group_of, split_of
from bot.practice import Person, serve
from bot.settings import Settings
from handlers.views import ids
from storage.database import Database
from storage.tables import rows
from tests.bench.neighbours import make_questions
from tests.bench.stored import CATEGORIES, keep_index
from tests.bench.workplace import (
    PERCENTILES_HEADER,
    BenchWorkspace,
    RunningProgram,
    create_database,
    environment,
    percentiles,
    print_line,
    run_bot,
)

QUESTION_INTERVAL = 0.5
"""Seconds between two questions while the bot trains or compares."""
PEOPLE = 500
FIRST_NUMBER = 10_000
"""The number in the first question. A short one, such as 911, may be a cry for help, which gets no card."""
LONGEST = 3_600.0
"""Most seconds of a training or a comparison."""
Message = dict[str, Any]


async def fill_rows(url: str, count: int) -> None:
    """Store `count` imported rows. A text's category follows from its first letters, so there is something to learn."""
    settings = Settings(_env_file=None, database_url=url, bot_language="en", bot_serving="local/base")
    async with open_core(settings):
        pass
    database, now, values = Database(url), SystemClock().now(), []
    for n, question in enumerate(make_questions(count)):
        group, at = group_of(question), now - timedelta(seconds=count - n)
        category = CATEGORIES[zlib.crc32(question[:3].encode()) % len(CATEGORIES)]
        row = {"id": f"q{n}", "text": question, "group": group, "category": category, "reason": None}
        row |= {"split": split_of(group).value, "source": Source.IMPORT.value, "by": f"U0{n % PEOPLE}"}
        values.append(row | {"audience": "public", "settled_at": at, "touched_at": at})
    async with database.begin() as connection:
        await connection.execute(insert(rows), values)
    await database.close()
    await keep_index(settings)


class Peak:
    """The most memory of a program, and of the processes that it starts, in megabytes."""

    def __init__(self, program: RunningProgram) -> None:
        self._program = program
        self.bot = self.children = 0.0

    async def watch(self) -> None:
        """Look four times a second until cancelled."""
        while True:
            self.bot = max(self.bot, self._program.megabytes)
            started = [folder for folder in Path("/proc").glob("[0-9]*") if _parent(folder) == self._program.pid]
            for folder in started:
                with suppress(OSError):  # it has ended meanwhile
                    self.children = max(self.children, RunningProgram(int(folder.name)).megabytes)
            await asyncio.sleep(0.25)


def _parent(folder: Path) -> int:
    with suppress(OSError):
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return 0


@asynccontextmanager
async def asked_meanwhile(workspace: BenchWorkspace) -> AsyncIterator[list[float]]:
    """Ask a question each half second; the list gets how long each answer took."""
    took: list[float] = []

    async def ask(n: int) -> None:
        started = time.perf_counter()
        await workspace.ask(f"How do I reset password number {FIRST_NUMBER + n}?")
        took.append(time.perf_counter() - started)

    async def ask_repeatedly() -> None:
        async with asyncio.TaskGroup() as group:
            n = 0
            while not done.is_set():
                group.create_task(ask(n := n + 1))
                await asyncio.sleep(QUESTION_INTERVAL)

    done = asyncio.Event()
    workspace.reset_times()
    asking = asyncio.create_task(ask_repeatedly())
    yield took
    done.set()
    await asking


async def measure(
    name: str, workspace: BenchWorkspace, program: RunningProgram, work: Callable[[], Awaitable[object]]
) -> None:
    """Do the work while questions are asked, and print a line of the table."""
    peak = Peak(program)
    watching = asyncio.create_task(peak.watch())
    async with asked_meanwhile(workspace) as answered:
        started, cpu = time.perf_counter(), program.cpu_seconds
        await work()
        seconds, cpu = time.perf_counter() - started, program.cpu_seconds - cpu
    watching.cancel()
    acks, late = workspace.timed.seconds["asked"], workspace.timed.late["asked"]
    memory = f"{peak.bot:6.0f} {peak.children:8.0f}"
    print_line(
        f"{name:<18} {seconds:8.1f} {cpu:9.1f} {memory}   {percentiles(acks)} {late:5}   {percentiles(answered)}"
    )


def _actions(message: Message) -> set[str]:
    return {one.get("action_id", "") for block in message.get("blocks", []) for one in block.get("elements", [])}


async def train(admin: Person, channel: str) -> None:
    """Start a training and wait until its version is announced."""
    await admin.command("/finetune start", channel)
    plan = await admin.message(lambda m: ids.FINETUNE_CONFIRM in _actions(m), timeout=LONGEST)
    await admin.press(plan, ids.FINETUNE_CONFIRM)
    await admin.message(lambda m: ids.FINETUNE_COMPARE in _actions(m), timeout=LONGEST)


async def compare(admin: Person, channel: str) -> None:
    """Compare the newest version with the serving one, and wait for the result."""
    await admin.command("/finetune evaluate", channel)
    await admin.message(
        lambda m: any(block.get("block_id", "").startswith("compared.") for block in m.get("blocks", [])),
        timeout=LONGEST,
    )


async def open_and_measure(count: int, *, compares: bool) -> None:
    """Train on `count` rows, and print the line of it; then compare what came of it with the untrained model."""
    workspace = BenchWorkspace()
    with tempfile.TemporaryDirectory() as folder:
        url = create_database("sqlite", folder)
        await fill_rows(url, count)
        async with serve(workspace) as server:
            env = environment(server, "") | {"BOT_SERVING": "local/base", "BOT_STUDENT": "local/base"}
            del env["OPENAI_API_KEY"], env["OPENAI_BASE_URL"]
            channel = server.channels.ops.id
            async with run_bot(env, folder, url) as program, Person(server.url, server.people.admin.id) as admin:
                await measure(f"training {count:,}", workspace, program, lambda: train(admin, channel))
                if compares:
                    await measure(f"comparison {count:,}", workspace, program, lambda: compare(admin, channel))


async def main(count: int) -> None:
    """Print the table."""
    print_line(f"the embedded model with its encoder, a question each {QUESTION_INTERVAL} s meanwhile")
    acks, answers = f"acks {PERCENTILES_HEADER}", f"answers {PERCENTILES_HEADER}"
    print_line(f"{'rows':<18} {'s':>8} {'bot cpu s':>9} {'bot MB':>6} {'train MB':>8}   {acks} > 3 s   {answers}")
    await open_and_measure(count // 10, compares=False)
    await open_and_measure(count // 5, compares=True)
    await open_and_measure(count, compares=False)
    print_line()
