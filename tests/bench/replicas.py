"""Many replicas, each a process, on one PostgreSQL: its statements and its processor time, at rest and under load."""

import asyncio
import os
import re
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.workplace import (
    BenchWorkspace,
    RunningProgram,
    open_workspace,
    percentiles,
    print_line,
    run_bot,
)
from tests.kits.postgres import start_server

REST_S = 30.0
SETTLE_S = 10.0
MOST_KINDS = 12
LOGGED = re.compile(r"^LOG:  (?:statement|execute [^:]*): ((?:.|\n\t)*)", re.MULTILINE)
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)", re.IGNORECASE)
PING = "(empty: is the connection alive?)"
FRAMES = frozenset({"BEGIN", "COMMIT", "ROLLBACK", PING})


@dataclass(frozen=True)
class Spent:
    """The work of a PostgreSQL server: statements by kind, and processor seconds of all its processes."""

    seconds: float
    kinds: Counter[str]
    processor: float

    @property
    def statements(self) -> int:
        """Statements but for those that begin and end a transaction, or only try the connection."""
        return sum(count for kind, count in self.kinds.items() if kind not in FRAMES)

    @property
    def transactions(self) -> int:
        return self.kinds["COMMIT"] + self.kinds["ROLLBACK"]


class WatchedServer:
    """A PostgreSQL server of its own that logs each statement, and syncs each commit to disk."""

    def __init__(self) -> None:
        self._server: Any = start_server()
        self.url = str(self._server.get_uri())
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting in ("fsync = on", "log_statement = 'all'", "log_line_prefix = ''"):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")

    async def watch(self, seconds: float) -> Spent:
        """Return what the server does in the next seconds."""
        log, before, started = self._log_size(), self._processor(), time.perf_counter()
        await asyncio.sleep(seconds)
        return self.since(log, before, started)

    def mark(self) -> tuple[int, float, float]:
        """Return where the log, the processor time and the clock stand, for `since`."""
        return self._log_size(), self._processor(), time.perf_counter()

    def since(self, log: int, before: float, started: float) -> Spent:
        """Return what the server did since a mark."""
        with Path(self._server.log).open("rb") as file:
            file.seek(log)
            text = file.read().decode(errors="replace")
        kinds = Counter(_kind(found[1]) for found in LOGGED.finditer(text))
        return Spent(time.perf_counter() - started, kinds, self._processor() - before)

    def _log_size(self) -> int:
        return Path(self._server.log).stat().st_size

    def _processor(self) -> float:
        """Return the processor seconds of the server and of all processes that it started, also those that ended."""
        server = int(self._server.get_pid())
        ticks = 0
        for process in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = process.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            is_server = int(process.parent.name) == server
            if is_server or int(fields[1]) == server:
                ticks += sum(map(int, fields[11:15] if is_server else fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def _kind(statement: str) -> str:
    """Return the first word of a statement and the table that it is about."""
    words = statement.strip("; \n\t").split()
    if not words:
        return PING
    table, verb = TABLE.search(statement), words[0].upper()
    return f"{verb} {table[1]}" if table else verb


async def main(replicas: int, rate: float, questions: int) -> None:
    """Print what one server does for these replicas at rest, and while questions arrive at this rate."""
    server = WatchedServer()
    print_line(f"{replicas} replicas, each a process with 8 answerers, on one PostgreSQL; a model that answers at once")
    async with AsyncExitStack() as stack:
        workspace, env = await stack.enter_async_context(open_workspace())
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(replicas)]
        bots = [run_bot(env | {"BOT_ENCODER": "none"}, folder, server.url) for folder in folders]
        programs = [await stack.enter_async_context(bots[0])]  # makes the tables
        programs += await asyncio.gather(*map(stack.enter_async_context, bots[1:]))
        await _settle(programs)
        rest = await server.watch(REST_S)
        _print_rest(rest, replicas)
        await _load(workspace, server, programs, rate, questions)
    print_line()


async def _settle(programs: list[RunningProgram]) -> None:
    """Wait until the replicas have done what they do after a start."""
    while True:
        before = sum(one.cpu_seconds for one in programs)
        await asyncio.sleep(SETTLE_S)
        if sum(one.cpu_seconds for one in programs) - before < 0.03 * SETTLE_S * len(programs):
            return


def _print_rest(rest: Spent, replicas: int) -> None:
    each = rest.statements / rest.seconds / replicas
    print_line(
        f"at rest, {rest.seconds:.0f} s: {rest.statements / rest.seconds:.1f} statements a second "
        f"({each:.2f} a replica) in {rest.transactions / rest.seconds:.1f} transactions; "
        f"PostgreSQL needs {rest.processor / rest.seconds:.1%} of a processor"
    )
    for kind, count in rest.kinds.most_common(MOST_KINDS):
        print_line(f"    {count / rest.seconds:6.2f} a second  {kind}")


async def _load(
    workspace: BenchWorkspace, server: WatchedServer, programs: list[RunningProgram], rate: float, questions: int
) -> None:
    """Ask at this rate, whether answers come or not, and print what all that costs."""
    bots, mark = sum(one.cpu_seconds for one in programs), server.mark()
    started = time.perf_counter()

    async def ask(number: int) -> float:
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        asked = time.perf_counter()
        await workspace.ask(f"How do I reset password number {number}?")
        return time.perf_counter() - asked

    seconds = await asyncio.gather(*(ask(number) for number in range(questions)))
    took = time.perf_counter() - started
    await asyncio.sleep(1)  # a second answer to a question would appear now
    workspace.check(questions)
    spent = server.since(*mark)
    print_line(
        f"{questions} questions, {rate:g} a second asked, {questions / took:.1f} a second answered; "
        f"each has one answer, after p50, p99 and longest of{percentiles(seconds)} ms"
    )
    each = spent.processor / questions
    print_line(
        f"meanwhile {spent.statements / spent.seconds:.0f} statements a second; a question, with all polling: "
        f"{spent.statements / questions:.1f} statements, {spent.transactions / questions:.1f} transactions, "
        f"{each * 1000:.1f} ms of PostgreSQL and "
        f"{(sum(one.cpu_seconds for one in programs) - bots) / questions * 1000:.1f} ms of the replicas"
    )
    print_line(
        f"at that cost {rate:g} questions a second are {spent.statements / questions * rate:.0f} statements a second "
        f"and {each * rate:.2f} processors of PostgreSQL"
    )
