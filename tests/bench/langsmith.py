"""A full loop with LangSmith on, off, and failing in each way; and a backlog of many rows.

Each round is a bot of its own beside a LangSmith of its own: questions, presses, an undo, a fine-tune and an evaluation
while LangSmith fails; then it is well, until all is there; then it fails again, and the bot is told to end; then both
start anew, and what a person corrects there comes home. Rounds take turns where times are taken, and wait together.
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
from tests.bench.burst import Memory
from tests.bench.neighbours import questions
from tests.bench.workplace import SPREAD, Program, Site, database_at, environment, line, program, spread
from tests.kits.langsmith_server import Fault, Got, LangSmithServer
from tests.kits.langsmith_server.server import KEY
from tests.kits.openai_server import OpenAIServer
from tests.loop.story import ENGLISH, LoopDesk, at_the_desk, taught, trained, words

PROJECT = "madoguchi"
LOOK_S = 0.25
PATIENCE_S = 420.0
"""Longer than the longest pause of the mirror."""
HEAD = (
    f"{'LangSmith':<22} {'waiting':>7} {'age s':>6} {'tries':>5} {'requests':>8} {'failed':>6} "
    f"{'caught up s':>11} {'end s':>6} {'home s':>6} {'runs':>5} {'feedback':>8} {'rows':>6}"
)


class Tally(list[Got]):
    """Counts requests and keeps none: of many rows they would be all of the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.so_far = 0

    def append(self, _got: Got) -> None:
        self.so_far += 1


class There:
    """A LangSmith that can be taken away, and that forgets nothing meanwhile."""

    def __init__(self) -> None:
        self.server = LangSmithServer()
        self.tally = Tally()
        self.server.requests = self.tally
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._listening = AsyncExitStack()

    async def listen(self) -> None:
        await self._listening.enter_async_context(self.server.running(self.port))

    async def refuse(self) -> None:
        await self._listening.aclose()

    @property
    def requests(self) -> int:
        return self.tally.so_far

    def delete_dataset(self) -> None:
        with suppress(StopIteration):
            self.server.people.delete_dataset(PROJECT)


async def nothing(_there: There) -> None:
    pass


@dataclass(frozen=True)
class Trouble:
    """A way to fail: how it begins and ends, and what status says of it; `late`: it begins when all is there."""

    name: str
    said: str = "down"
    begin: Callable[[There], Any] = nothing
    end: Callable[[There], Any] = nothing
    late: bool = False

    async def start(self, there: There) -> None:
        if done := self.begin(there):
            await done

    async def stop(self, there: There) -> None:
        if done := self.end(there):
            await done


def failing(name: str, fault: Fault) -> Trouble:
    return Trouble(name, begin=lambda there: there.server.fail(fault), end=lambda there: there.server.heal())


def locked(name: str, said: str, keys: Mapping[str, set[str | None]]) -> Trouble:
    right = LangSmithServer().keys
    return Trouble(
        name,
        said,
        begin=lambda there: setattr(there.server, "keys", dict(keys)),
        end=lambda there: setattr(there.server, "keys", right),
    )


OFF, ON = Trouble("off", ""), Trouble("on", "")
TROUBLES = (
    OFF,
    ON,
    locked("wrong key, 401", "wrong_key", {}),
    locked("wrong workspace, 403", "wrong_workspace", {KEY: {"another"}}),
    failing("429, Retry-After: 5", Fault(429, headers={"retry-after": "5"})),
    failing("429", Fault(429)),
    failing("500", Fault(500)),
    failing("answers after 30 s", Fault(wait_s=30)),
    failing("black hole", Fault(silent=True)),
    Trouble("connection refused", begin=There.refuse, end=There.listen),
    Trouble("dataset deleted", "", begin=There.delete_dataset, late=True),
)


@dataclass
class Record:
    """What stands in the bot's database, read from outside."""

    file: str
    waiting: int = 0
    age: float = 0.0
    """The most that ever waited, and for how long."""

    def ask(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    def lag(self) -> int:
        ((waiting, oldest),) = self.ask("SELECT count(*), min(added_at) FROM outbox WHERE topic = ?", MIRROR_TOPIC)
        self.waiting = max(self.waiting, waiting)
        if oldest:
            age = datetime.now(UTC) - datetime.fromisoformat(oldest).replace(tzinfo=UTC)  # noqa: TID251 - it is measured
            self.age = max(self.age, age.total_seconds())
        return int(waiting)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            with suppress(sqlite3.OperationalError):  # there are no tables yet
                await asyncio.to_thread(self.lag)
            await asyncio.sleep(LOOK_S)

    def missing(self, server: LangSmithServer) -> list[str]:
        """What is in the record and not over there."""
        trouble = self.ask("SELECT position FROM cursors WHERE name = ? AND position != ''", MIRROR_TROUBLE)
        found = [f"trouble: {name}" for (name,) in trouble]
        found += [f"{waiting} changes" for waiting in [self.lag()] if waiting]
        told = {run.replace("-", "") for run in server.traces.runs}
        found += [f"run of {verdict}" for (verdict,) in self.ask("SELECT id FROM verdicts") if verdict not in told]
        rows = {row for (row,) in self.ask("SELECT id FROM rows WHERE withdrawn_at IS NULL")}
        found += [f"row {row}" for row in rows ^ examples(server).keys()]
        ((corrected,),) = self.ask("SELECT count(DISTINCT question_id) FROM corrections")
        said = [one for one in server.traces.feedback.values() if one["key"] in {"category", "undone"}]
        return found + ([f"feedback: {len(said)} of {corrected}"] if len(said) != corrected else [])


def examples(server: LangSmithServer) -> dict[str, dict[str, Any]]:
    """Row id → its example."""
    sets = [one for one in server.datasets.by_id.values() if one.about["name"] == PROJECT]
    return {example["metadata"]["row"]: example for one in sets for example in one.at(None)}


@dataclass
class Round:
    """A bot and a LangSmith. `busy` is held while processors are."""

    trouble: Trouble
    busy: asyncio.Lock
    there: There = field(default_factory=There)
    answers: list[float] = field(default_factory=list)
    caught_up = ended = home = float("nan")
    failed = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Site, Server]]:
        """All but the bot."""
        place, model = Site(), OpenAIServer()
        with tempfile.TemporaryDirectory() as self.folder:
            async with AsyncExitStack() as stack:
                server = await stack.enter_async_context(serve(place))
                await stack.enter_async_context(model.running())
                self.env = environment(server, model.url) | {
                    "BOT_SERVING": "local/base",
                    "BOT_STAFF": server.people.staff[0].id,
                    "DATABASE_URL": f"sqlite:///{self.folder}/bench.db",
                }
                if self.trouble is not OFF:
                    self.env |= {"LANGSMITH_API_KEY": KEY, "LANGSMITH_ENDPOINT": self.there.url, "LANGSMITH_STAFF": "*"}
                await self.there.listen()
                stack.push_async_callback(self.there.refuse)
                yield place, server

    def bot(self) -> AbstractAsyncContextManager[Program]:
        return program(self.env, self.folder, "bot", "run", "--log-level", "DEBUG")

    async def play(self) -> str:
        """The line of the table."""
        async with self.open() as (_, server), AsyncExitStack() as stack:
            self.record = Record(f"{self.folder}/bench.db")
            watching = asyncio.create_task(self.record.watch())
            stack.callback(watching.cancel)
            desk = await stack.enter_async_context(at_the_desk(SimpleNamespace(practice=server)))  # type: ignore[arg-type]
            await self._loop(desk)
            return self.line()

    async def _loop(self, desk: LoopDesk) -> None:
        on = self.trouble is not OFF
        async with AsyncExitStack() as stack:
            async with self.busy:
                if not self.trouble.late:
                    await self.begin()
                await stack.enter_async_context(self.bot())
                await self.use(desk)
            if on:
                await self.catch_up(late=self.trouble.late)
            async with self.busy:
                await self.begin()
                for text in (ENGLISH.again, ENGLISH.similar):
                    await desk.settle(await desk.ask(text), "it")
                await asyncio.sleep(3)  # a request is on its way
                told = time.perf_counter()
                await stack.aclose()
                self.ended = time.perf_counter() - told
        if on:
            await self.finish()
            async with self.bot():
                await self.until(lambda: not self.record.missing(self.there.server))
                changed, started = self.correct_there(), time.perf_counter()
                await self.until(lambda: self.came_home(changed))
                self.home = time.perf_counter() - started
                await self.until(lambda: not self.record.missing(self.there.server))
        if "Traceback" in (log := Path(self.folder, "log").read_text(encoding="utf-8")):
            raise RuntimeError(log)

    async def begin(self) -> None:
        self._before = self.there.requests
        await self.trouble.start(self.there)

    async def finish(self) -> None:
        if self.trouble not in {ON, OFF} and not self.trouble.late:
            self.failed += self.there.requests - self._before
        await self.trouble.stop(self.there)

    async def use(self, desk: LoopDesk) -> None:
        """All that people do with a bot."""
        await taught(desk, ENGLISH)
        card = await desk.settle(await desk.ask("Who waters the plants in the hall?"), "general_affairs")
        await desk.staff.press(card, ids.UNDO)
        await trained(desk)
        await desk.command("evaluate")
        await desk.admin.message(lambda m: bool(m.get("files")), timeout=120)
        if self.trouble.said:
            status = words(await desk.command("status"))
            if texts("en")[f"tracker.{self.trouble.said}"] not in status:
                raise RuntimeError(f"{self.trouble.name}: status does not say so: {status}")

    async def catch_up(self, *, late: bool) -> None:
        if late:
            await self.until(lambda: not self.record.missing(self.there.server))
            await self.begin()
        await self.finish()
        started = time.perf_counter()
        await self.until(lambda: not self.record.missing(self.there.server))
        self.caught_up = time.perf_counter() - started

    async def until(self, done: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await asyncio.to_thread(done):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            missing = self.record.missing(self.there.server)
            raise RuntimeError(
                f"{self.trouble.name}: {missing[:9]} {Path(self.folder, 'log').read_text()[-4000:]}"
            ) from None

    def correct_there(self) -> str:
        """A person edits an example; the row's id."""
        row_id, example = next(iter(examples(self.there.server).items()))
        self.there.server.people.edit(example["id"], outputs={"category": "Other", "reason": "It is nobody's."})
        return row_id

    def came_home(self, row_id: str) -> bool:
        by = self.record.ask("SELECT by FROM corrections WHERE question_id = ? ORDER BY seq", row_id)
        return bool(by) and by[-1][0].startswith("langsmith:")

    def line(self) -> str:
        server, log = self.there.server, Path(self.folder, "log").read_text(encoding="utf-8")
        tries = sum("again in" in json.loads(one)["message"] for one in log.splitlines() if one.startswith("{"))
        lag = f"{self.record.waiting:7} {self.record.age:6.0f} {tries:5} {self.there.requests:8} {self.failed:6}"
        ends = f"{self.caught_up:11.1f} {self.ended:6.1f} {self.home:6.1f}"
        counts = f"{len(server.traces.runs):5} {len(server.traces.feedback):8} {len(examples(server)):6}"
        return f"{self.trouble.name:<22} {lag} {ends} {counts}"


async def turns(asked: int) -> None:
    """Print how long an answer takes, of bots that are asked in turns: whatever else runs, it holds up all alike."""
    line(f"{'LangSmith':<22} {SPREAD} {'processor ms':>12}")
    busy = asyncio.Lock()
    async with AsyncExitStack() as stack:
        rounds = [Round(one, busy) for one in TROUBLES if one.name in {"off", "on", "500", "black hole"}]
        bots = []
        for one in rounds:
            await one.trouble.start(one.there)
            place, _ = await stack.enter_async_context(one.open())
            bots.append((one, place, await stack.enter_async_context(one.bot())))
        for place in [place for _, place, _ in bots]:
            await place.answered("Is anybody there?")
        before = [bot.cpu_seconds for _, _, bot in bots]
        for n in range(asked):
            for one, place, _ in bots:
                started = time.perf_counter()
                await place.answered(f"How do I reset password number {n}?")
                one.answers.append(time.perf_counter() - started)
        for (one, _, bot), was in zip(bots, before, strict=True):
            spent = (bot.cpu_seconds - was) / asked * 1000
            line(f"{one.trouble.name:<22} {spread(one.answers)} {spent:12.1f}")
    line()


async def loops(only: str | None) -> None:
    """Print a line for each way to fail."""
    line(HEAD)
    busy = asyncio.Lock()
    rounds = [Round(trouble, busy) for trouble in TROUBLES if only in {None, trouble.name}]
    for told in await asyncio.gather(*(one.play() for one in rounds)):
        line(told)
    line()


async def store_rows(url: str, count: int) -> None:
    """Rows as an import makes them, each noted for the mirror."""
    database, now = Database(url), datetime.now(UTC)  # noqa: TID251 - rows are of now
    store, many = SqlStore(database, mirrored=True), list(questions(count))
    for start in range(0, count, 1_000):
        made = []
        for n, text in enumerate(many[start : start + 1_000], start=start):
            group = group_of(text)
            about = {"group": group, "split": split_of(group), "source": Source.IMPORT, "by": "U0"}
            at = now - timedelta(seconds=count - n)
            made.append(Row(id=f"row-{n:07}", text=text, category="it", reason=None, settled_at=at, **about))
        async with store.transaction() as tx:
            await tx.rows.put(*made)
    await database.close()


async def backlog(count: int) -> None:
    """Print what it takes to send so many rows that wait, and all of them anew after the dataset was deleted."""
    line(f"{'rows':<28} {'seconds':>8} {'a second':>8} {'requests':>8} {'MB start':>8} {'peak':>8} {'end':>8}")
    with tempfile.TemporaryDirectory() as folder:
        place, model, there = Site(), OpenAIServer(), There()
        url = database_at("sqlite", folder)
        record = Record(f"{folder}/bench.db")
        async with serve(place) as server, model.running(), there.server.running(there.port):
            env = environment(server, model.url) | {"BOT_SERVING": "local/base", "DATABASE_URL": url}
            async with program(env, folder, "bot", "run"):
                pass  # the tables
            await store_rows(url, count)
            async with program(env, folder, "bot", "run") as one:
                await asyncio.sleep(5)
                memory = Memory(one)
                line(f"{'there, without LangSmith':<28} {'':>8} {'':>8} {'':>8} {memory}")
            env |= {"LANGSMITH_API_KEY": KEY, "LANGSMITH_ENDPOINT": there.url}
            async with program(env, folder, "bot", "run") as one:
                await sent("waited in the outbox", record, there, Memory(one), count)
                there.delete_dataset()
                await sent("anew, dataset deleted", record, there, Memory(one), count)
    line()


async def sent(name: str, record: Record, there: There, memory: Memory, count: int) -> None:
    started, before = time.perf_counter(), there.requests
    watching = asyncio.create_task(memory.watch())

    def there_now() -> bool:
        filled = record.ask("SELECT count(*) FROM cursors WHERE name = 'mirror:filled' AND position LIKE '% *'")
        return filled == [(1,)] and record.lag() == 0 and len(examples(there.server)) == count

    while not await asyncio.to_thread(there_now):  # noqa: ASYNC110 - what it waits for is another process's
        await asyncio.sleep(1)
    seconds = time.perf_counter() - started
    watching.cancel()
    line(f"{name:<28} {seconds:8.0f} {count / seconds:8.0f} {there.requests - before:8} {memory}")


async def main(asked: int, rows: int, only: str | None) -> None:
    """Print the three tables."""
    if asked:
        await turns(asked)
    await loops(only)
    if rows:
        await backlog(rows)
