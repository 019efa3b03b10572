"""The bot with LangSmith on, off, and failing in each way; and a backlog of many rows.

Each round of the full loop has its own bot and its own LangSmith stand-in:

1. People ask, press, undo, fine-tune and evaluate while LangSmith fails.
2. LangSmith works again until it has received everything.
3. LangSmith fails again, people ask and press, and the bot is told to end.
4. Both start again, and the correction that a person makes in LangSmith reaches the bot.

A lock lets one round at a time use the processors while times are measured. The rounds wait for LangSmith in parallel.
"""

import asyncio
import json
import socket
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bot.domain.dataset import Row, Source, group_of, split_of
from bot.domain.mirrored import MIRROR_TOPIC, MIRROR_TROUBLE
from bot.practice import Server, serve
from handlers.texts.words import texts
from handlers.views import ids
from storage.database import Database
from storage.store import SqlStore
from tests.bench.burst import MemoryMonitor
from tests.bench.neighbours import make_questions
from tests.bench.workplace import (
    PERCENTILES_HEADER,
    BenchWorkspace,
    RunningProgram,
    create_database,
    environment,
    percentiles,
    print_line,
    run_program,
)
from tests.kits.langsmith_server import Got, LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY
from tests.kits.openai_server import OpenAIServer
from tests.loop.story import ENGLISH, LoopDesk, open_loop_desk, run_finetune, settle_all_questions, words

PROJECT = "madoguchi"
POLL_S = 0.25
TIMEOUT_S = 420.0
"""Longest wait for the bot or for LangSmith, in seconds: longer than the mirror's longest backoff."""
RETRY_MARK = "; next try in "
"""Part of the message that `bot/mirror/outbound.py` logs after each failed try."""
HEADER = (
    f"{'LangSmith':<22} {'waiting':>7} {'age s':>6} {'tries':>5} {'requests':>8} {'failed':>6} "
    f"{'caught up s':>11} {'end s':>6} {'home s':>6} {'runs':>5} {'feedback':>8} {'rows':>6}"
)


class RequestCounter(list[Got]):
    """A list that counts requests without keeping them: those of a large backlog would fill the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def append(self, _got: Got) -> None:
        self.total += 1


class StoppableLangSmith:
    """A LangSmith stand-in that can stop and start on the same port without losing its state."""

    def __init__(self) -> None:
        self.server = LangSmithServer()
        self._counter = RequestCounter()
        self.server.requests = self._counter
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._running = AsyncExitStack()

    async def start(self) -> None:
        await self._running.enter_async_context(self.server.running(self.port))

    async def stop(self) -> None:
        await self._running.aclose()

    @property
    def requests(self) -> int:
        """Number of requests received so far."""
        return self._counter.total

    def delete_dataset(self) -> None:
        with suppress(StopIteration):
            self.server.people.delete_dataset(PROJECT)


async def do_nothing(_langsmith: StoppableLangSmith) -> None:
    pass


@dataclass(frozen=True)
class Failure:
    """A way in which LangSmith fails.

    Attributes:
        status: Key under `tracker.` of the text that `/finetune status` must show; empty if it shows none.
        begin: Starts the failure, directly or as a coroutine.
        end: Repairs it, directly or as a coroutine.
        after_delivery: Start the failure only when LangSmith has received everything, instead of from the start.
    """

    name: str
    status: str = "down"
    begin: Callable[[StoppableLangSmith], Any] = do_nothing
    end: Callable[[StoppableLangSmith], Any] = do_nothing
    after_delivery: bool = False

    async def start(self, langsmith: StoppableLangSmith) -> None:
        if coroutine := self.begin(langsmith):
            await coroutine

    async def stop(self, langsmith: StoppableLangSmith) -> None:
        if coroutine := self.end(langsmith):
            await coroutine


def answers_with(name: str, fault: ServerFault) -> Failure:
    """Return a failure in which every request gets the fault."""
    return Failure(
        name,
        begin=lambda langsmith: langsmith.server.fail(fault),
        end=lambda langsmith: langsmith.server.heal(),
    )


def accepts_only(name: str, status: str, keys: Mapping[str, set[str | None]]) -> Failure:
    """Return a failure in which only these keys and workspaces are accepted."""
    correct_keys = LangSmithServer().keys
    return Failure(
        name,
        status,
        begin=lambda langsmith: setattr(langsmith.server, "keys", dict(keys)),
        end=lambda langsmith: setattr(langsmith.server, "keys", correct_keys),
    )


OFF, ON = Failure("off", ""), Failure("on", "")
FAILURES = (
    OFF,
    ON,
    accepts_only("wrong key, 401", "wrong_key", {}),
    accepts_only("wrong workspace, 403", "wrong_workspace", {KEY: {"another"}}),
    answers_with("429, Retry-After: 5", ServerFault(429, headers={"retry-after": "5"})),
    answers_with("429", ServerFault(429)),
    answers_with("500", ServerFault(500)),
    answers_with("answers after 30 s", ServerFault(wait_s=30)),
    answers_with("black hole", ServerFault(silent=True)),
    Failure("connection refused", begin=StoppableLangSmith.stop, end=StoppableLangSmith.start),
    Failure("dataset deleted", "", begin=StoppableLangSmith.delete_dataset, after_delivery=True),
)


@dataclass
class BotDatabase:
    """The bot's SQLite file, opened read-only by this process.

    Attributes:
        most_waiting: The most changes for LangSmith that ever waited.
        longest_wait: The greatest age that a waiting change ever had, in seconds.
    """

    file: str
    most_waiting: int = 0
    longest_wait: float = 0.0

    def query(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    def waiting_changes(self) -> int:
        """Return how many changes wait for LangSmith, and update `most_waiting` and `longest_wait`."""
        ((waiting, oldest),) = self.query("SELECT count(*), min(added_at) FROM outbox WHERE topic = ?", MIRROR_TOPIC)
        self.most_waiting = max(self.most_waiting, waiting)
        if oldest:
            age = datetime.now(UTC) - datetime.fromisoformat(oldest).replace(tzinfo=UTC)  # noqa: TID251 - it is measured
            self.longest_wait = max(self.longest_wait, age.total_seconds())
        return int(waiting)

    async def watch(self) -> None:
        """Look at the waiting changes every POLL_S seconds until cancelled."""
        while True:
            with suppress(sqlite3.OperationalError):  # the tables do not exist yet
                await asyncio.to_thread(self.waiting_changes)
            await asyncio.sleep(POLL_S)

    def missing(self, server: LangSmithServer) -> list[str]:
        """Return the differences between the database and LangSmith; empty once LangSmith has everything."""
        trouble = self.query("SELECT position FROM cursors WHERE name = ? AND position != ''", MIRROR_TROUBLE)
        found = [f"trouble: {name}" for (name,) in trouble]
        found += [f"{waiting} changes" for waiting in [self.waiting_changes()] if waiting]
        runs = {run.replace("-", "") for run in server.traces.runs}
        found += [f"run of {verdict}" for (verdict,) in self.query("SELECT id FROM verdicts") if verdict not in runs]
        rows = {row for (row,) in self.query("SELECT id FROM rows WHERE withdrawn_at IS NULL")}
        found += [f"row {row}" for row in rows ^ examples(server).keys()]
        ((corrected,),) = self.query("SELECT count(DISTINCT question_id) FROM corrections")
        feedback = [one for one in server.traces.feedback.values() if one["key"] in {"category", "undone"}]
        return found + ([f"feedback: {len(feedback)} of {corrected}"] if len(feedback) != corrected else [])


def examples(server: LangSmithServer) -> dict[str, dict[str, Any]]:
    """Return the examples in the project's dataset, by the id of their row."""
    datasets = [one for one in server.datasets.by_id.values() if one.about["name"] == PROJECT]
    return {example["metadata"]["row"]: example for dataset in datasets for example in dataset.at(None)}


@dataclass
class Round:
    """One bot with its own LangSmith.

    Attributes:
        cpu_lock: Held by the round that may use the processors.
        answers: Seconds per answer.
        caught_up: Seconds from the end of the failure until LangSmith had received everything.
        ended: Seconds from the stop signal to the bot's end.
        home: Seconds until a person's edit in LangSmith was a correction in the bot's database.
        failed: Requests that LangSmith received during the failures.
    """

    failure: Failure
    cpu_lock: asyncio.Lock
    langsmith: StoppableLangSmith = field(default_factory=StoppableLangSmith)
    answers: list[float] = field(default_factory=list)
    caught_up = ended = home = float("nan")
    failed = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[BenchWorkspace, Server]]:
        """Start the workspace, the model and LangSmith, but not the bot."""
        workspace, model = BenchWorkspace(), OpenAIServer()
        with tempfile.TemporaryDirectory() as self.folder:
            async with AsyncExitStack() as stack:
                server = await stack.enter_async_context(serve(workspace))
                await stack.enter_async_context(model.running())
                self.env = environment(server, model.url) | {
                    "BOT_SERVING": "local/base",
                    "BOT_STAFF": server.people.staff[0].id,
                    "DATABASE_URL": f"sqlite:///{self.folder}/bench.db",
                }
                if self.failure is not OFF:
                    self.env |= {
                        "LANGSMITH_API_KEY": KEY,
                        "LANGSMITH_ENDPOINT": self.langsmith.url,
                        "LANGSMITH_STAFF": "*",
                    }
                await self.langsmith.start()
                stack.push_async_callback(self.langsmith.stop)
                yield workspace, server

    def run_bot(self) -> AbstractAsyncContextManager[RunningProgram]:
        return run_program(self.env, self.folder, "bot", "run", "--log-level", "DEBUG")

    async def play(self) -> str:
        """Play the full loop and return its line of the table."""
        async with self.open() as (_, server), AsyncExitStack() as stack:
            self.database = BotDatabase(f"{self.folder}/bench.db")
            watching = asyncio.create_task(self.database.watch())
            stack.callback(watching.cancel)
            desk = await stack.enter_async_context(open_loop_desk(SimpleNamespace(practice=server)))  # type: ignore[arg-type]
            await self._play_steps(desk)
            return self._table_line()

    async def _play_steps(self, desk: LoopDesk) -> None:
        on = self.failure is not OFF
        async with AsyncExitStack() as stack:
            async with self.cpu_lock:
                if not self.failure.after_delivery:
                    await self._begin_failure()
                await stack.enter_async_context(self.run_bot())
                await self._use_bot(desk)
            if on:
                await self._catch_up()
            async with self.cpu_lock:
                await self._begin_failure()
                for text in (ENGLISH.again, ENGLISH.similar):
                    await desk.settle(await desk.ask(text), "it")
                await asyncio.sleep(3)  # so that the bot must end while a request to LangSmith is in progress
                stopped_at = time.perf_counter()
                await stack.aclose()
                self.ended = time.perf_counter() - stopped_at
        if on:
            await self._end_failure()
            async with self.run_bot():
                await self._wait_until_delivered()
                row_id, started = self._edit_example(), time.perf_counter()
                await self._wait_until(lambda: self._was_corrected(row_id))
                self.home = time.perf_counter() - started
                await self._wait_until_delivered()
        if "Traceback" in (log := Path(self.folder, "log").read_text(encoding="utf-8")):
            raise RuntimeError(log)

    async def _begin_failure(self) -> None:
        self._requests_before = self.langsmith.requests
        await self.failure.start(self.langsmith)

    async def _end_failure(self) -> None:
        if self.failure not in {ON, OFF} and not self.failure.after_delivery:
            self.failed += self.langsmith.requests - self._requests_before
        await self.failure.stop(self.langsmith)

    async def _use_bot(self, desk: LoopDesk) -> None:
        """Ask, correct, undo, fine-tune and evaluate, then check that status names the failure."""
        await settle_all_questions(desk, ENGLISH)
        card = await desk.settle(await desk.ask("Who waters the plants in the hall?"), "general_affairs")
        await desk.staff.press(card, ids.UNDO)
        await run_finetune(desk)
        await desk.command("evaluate")
        await desk.admin.message(lambda m: bool(m.get("files")), timeout=120)
        if self.failure.status:
            status = words(await desk.command("status"))
            if texts("en")[f"tracker.{self.failure.status}"] not in status:
                raise RuntimeError(f"{self.failure.name}: status does not say so: {status}")

    async def _catch_up(self) -> None:
        """End the failure, and measure how long the bot takes to deliver everything."""
        if self.failure.after_delivery:
            await self._wait_until_delivered()
            await self._begin_failure()
        await self._end_failure()
        started = time.perf_counter()
        await self._wait_until_delivered()
        self.caught_up = time.perf_counter() - started

    async def _wait_until_delivered(self) -> None:
        await self._wait_until(lambda: not self.database.missing(self.langsmith.server))

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Poll the condition until it holds.

        Raises:
            RuntimeError: It does not hold after TIMEOUT_S; the message has the first differences and the log's end.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another process fulfils it
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            missing = self.database.missing(self.langsmith.server)
            raise RuntimeError(
                f"{self.failure.name}: {missing[:9]} {Path(self.folder, 'log').read_text()[-4000:]}"
            ) from None

    def _edit_example(self) -> str:
        """Edit one example as a person in LangSmith, and return the id of its row."""
        row_id, example = next(iter(examples(self.langsmith.server).items()))
        self.langsmith.server.people.edit(example["id"], outputs={"category": "Other", "reason": "It is nobody's."})
        return row_id

    def _was_corrected(self, row_id: str) -> bool:
        """Return whether the newest correction of the row's question came from LangSmith."""
        by = self.database.query("SELECT by FROM corrections WHERE question_id = ? ORDER BY seq", row_id)
        return bool(by) and by[-1][0].startswith("langsmith:")

    def _table_line(self) -> str:
        server, log = self.langsmith.server, Path(self.folder, "log").read_text(encoding="utf-8")
        tries = sum(RETRY_MARK in json.loads(one)["message"] for one in log.splitlines() if one.startswith("{"))
        lag = f"{self.database.most_waiting:7} {self.database.longest_wait:6.0f}"
        requests = f"{tries:5} {self.langsmith.requests:8} {self.failed:6}"
        times = f"{self.caught_up:11.1f} {self.ended:6.1f} {self.home:6.1f}"
        counts = f"{len(server.traces.runs):5} {len(server.traces.feedback):8} {len(examples(server)):6}"
        return f"{self.failure.name:<22} {lag} {requests} {times} {counts}"


async def measure_answers(asked: int) -> None:
    """Print the time of an answer for four bots that take turns, so that other work slows all of them alike."""
    print_line(f"{'LangSmith':<22} {PERCENTILES_HEADER} {'processor ms':>12}")
    cpu_lock = asyncio.Lock()
    async with AsyncExitStack() as stack:
        rounds = [Round(one, cpu_lock) for one in FAILURES if one.name in {"off", "on", "500", "black hole"}]
        bots = []
        for one in rounds:
            await one.failure.start(one.langsmith)
            workspace, _ = await stack.enter_async_context(one.open())
            bots.append((one, workspace, await stack.enter_async_context(one.run_bot())))
        for _, workspace, _ in bots:
            await workspace.ask("Is anybody there?")
        cpu_before = [bot.cpu_seconds for _, _, bot in bots]
        for n in range(asked):
            for one, workspace, _ in bots:
                started = time.perf_counter()
                await workspace.ask(f"How do I reset password number {n}?")
                one.answers.append(time.perf_counter() - started)
        for (one, _, bot), before in zip(bots, cpu_before, strict=True):
            cpu_ms = (bot.cpu_seconds - before) / asked * 1000
            print_line(f"{one.failure.name:<22} {percentiles(one.answers)} {cpu_ms:12.1f}")
    print_line()


async def play_loops(only: str | None) -> None:
    """Play the full loop with each failure, or with the one named `only`, and print a line for each."""
    print_line(HEADER)
    cpu_lock = asyncio.Lock()
    rounds = [Round(failure, cpu_lock) for failure in FAILURES if only in {None, failure.name}]
    for table_line in await asyncio.gather(*(one.play() for one in rounds)):
        print_line(table_line)
    print_line()


async def store_rows(url: str, count: int) -> None:
    """Store rows as an import does, each with a change that waits for the mirror."""
    database, now = Database(url), datetime.now(UTC)  # noqa: TID251 - rows are of now
    store, questions = SqlStore(database, mirrored=True), make_questions(count)
    for start in range(0, count, 1_000):
        rows = []
        for n, text in enumerate(questions[start : start + 1_000], start=start):
            group = group_of(text)
            origin = {"group": group, "split": split_of(group), "source": Source.IMPORT, "by": "U0"}
            at = now - timedelta(seconds=count - n)
            rows.append(Row(id=f"row-{n:07}", text=text, category="it", reason=None, settled_at=at, **origin))
        async with store.transaction() as tx:
            await tx.rows.put(*rows)
    await database.close()


async def measure_backlog(count: int) -> None:
    """Print the cost of delivering a backlog of rows, and of delivering all of them again to a new dataset."""
    print_line(f"{'rows':<28} {'seconds':>8} {'per s':>8} {'requests':>8} {'MB start':>8} {'peak':>8} {'end':>8}")
    with tempfile.TemporaryDirectory() as folder:
        workspace, model, langsmith = BenchWorkspace(), OpenAIServer(), StoppableLangSmith()
        url = create_database("sqlite", folder)
        database = BotDatabase(f"{folder}/bench.db")
        async with serve(workspace) as server, model.running(), langsmith.server.running(langsmith.port):
            env = environment(server, model.url) | {"BOT_SERVING": "local/base", "DATABASE_URL": url}
            async with run_program(env, folder, "bot", "run"):
                pass  # the first start creates the tables
            await store_rows(url, count)
            async with run_program(env, folder, "bot", "run") as bot:
                await asyncio.sleep(5)
                memory = MemoryMonitor(bot)
                print_line(f"{'stored, without LangSmith':<28} {'':>8} {'':>8} {'':>8} {memory}")
            env |= {"LANGSMITH_API_KEY": KEY, "LANGSMITH_ENDPOINT": langsmith.url}
            async with run_program(env, folder, "bot", "run") as bot:
                await measure_delivery("waited in the outbox", database, langsmith, MemoryMonitor(bot), count)
                langsmith.delete_dataset()
                await measure_delivery("again, dataset deleted", database, langsmith, MemoryMonitor(bot), count)
    print_line()


async def measure_delivery(
    name: str, database: BotDatabase, langsmith: StoppableLangSmith, memory: MemoryMonitor, count: int
) -> None:
    """Wait until LangSmith has all `count` rows, and print the line of the table."""
    started, requests_before = time.perf_counter(), langsmith.requests
    watching = asyncio.create_task(memory.watch())

    def delivered() -> bool:
        filled = database.query("SELECT count(*) FROM cursors WHERE name = 'mirror:filled' AND position LIKE '% *'")
        return filled == [(1,)] and database.waiting_changes() == 0 and len(examples(langsmith.server)) == count

    while not await asyncio.to_thread(delivered):  # noqa: ASYNC110 - another process delivers
        await asyncio.sleep(1)
    seconds = time.perf_counter() - started
    watching.cancel()
    requests = langsmith.requests - requests_before
    print_line(f"{name:<28} {seconds:8.0f} {count / seconds:8.0f} {requests:8} {memory}")


async def main(asked: int, rows: int, only: str | None) -> None:
    """Print the three tables: answers, full loops, backlog. 0 for `asked` or `rows` leaves that table out."""
    if asked:
        await measure_answers(asked)
    await play_loops(only)
    if rows:
        await measure_backlog(rows)
