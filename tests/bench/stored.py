"""The cost of a question when few and when very many questions are stored, measured in turns within one run."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app.wiring import SystemClock, open_core
from bot.domain.dataset import Source, group_of, split_of
from bot.practice import interactions
from bot.settings import Settings
from storage.database import Database
from storage.tables import rows
from tests.bench.neighbours import make_questions
from tests.bench.start import wait_for_rest
from tests.bench.sustained import Meter, measure_in_turns, warm_up
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
)

FEW = 1_000
SETTLED_EVERY = 10
"""Every tenth stored question is settled: it has a correction and a row."""
PRESSES = 50
TURNS = 5
CATEGORIES = ("labor", "hr", "general_affairs", "accounting", "it", "other")

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
MOMENT = {
    "sqlite": "datetime('now', '-' || (31 * (:count - i)) || ' seconds') || '.000000'",
    "postgresql": "now() - (:count - i) * interval '31 seconds'",
}
"""SQL of the time of question `i`. Questions are 31 seconds apart, so a million of them span a year."""
INSERTS = (
    """INSERT INTO questions
    (id, text, asker, team, channel, ts, via, language, asked_at, cut, late, card_ts, settled)
    SELECT 'q' || i, 'Where do I find form number ' || i || ' of last year?', 'U0' || i % 500, 'T0', 'C0',
    i || '.000100', 'channel', 'en', {moment}, false, false, i || '.000200', CASE WHEN i % :settled = 0 THEN 'it' END
    FROM n""",
    """INSERT INTO verdicts (id, question_id, release_id, category, reason, confidence, latency_ms,
    tokens_in, tokens_out, at, provisional)
    SELECT 'v' || i, 'q' || i, :release, 'it', 'It is about a form.', 0.9, 800, 900, 30, {moment}, false FROM n""",
    """INSERT INTO inbox (event_id, place, arrival, received_at, due_at, attempts, holder, ending, ended_at)
    SELECT 'Ev' || i, 'T0:C0:' || i, {json}, {moment}, {moment}, 1, 'somebody', 'answered', {moment} FROM n""",
    """INSERT INTO corrections (question_id, seq, kind, verdict_id, category, by, at)
    SELECT 'q' || i, 1, 'agree', 'v' || i, 'it', 'U0', {moment} FROM n WHERE i % :settled = 0""",
)
JSON = """'{"event_id": "Ev' || i || '", "kind": "asked", "via": "channel", "place": {"team": "T0", "channel": "C0",'
|| ' "ts": "' || i || '.000100", "thread_ts": null}, "asker": "U0", "text": "", "language": "en"}'"""


async def fill(url: str, count: int, encoder: str = "usem3") -> None:
    """Store `count` answered questions with SQL, and the index of their rows, which a bot stores as they come."""
    settings = Settings(_env_file=None, database_url=url, bot_language="en", bot_encoder=encoder)
    async with open_core(settings) as core:
        release = (await core.acts.releasing.serving()).id
    database = Database(url)
    async with database.begin() as connection:
        kind = connection.dialect.name
        if kind == "postgresql":
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
        json = f"({JSON})::json" if kind == "postgresql" else JSON
        facts = {"count": count, "settled": SETTLED_EVERY, "release": release}
        for statement in INSERTS:
            # SQLAlchemy would take a colon in the JSON for the start of a parameter.
            filled = NUMBERS + statement.format(moment=MOMENT[kind], json=json.replace(":", "\\:"))
            await connection.execute(text(filled), facts)
        await _insert_rows(connection, count)
    await database.close()
    await keep_index(settings)


async def keep_index(settings: Settings) -> None:
    """Store the index of all rows with their vectors, as a running bot does."""
    async with open_core(settings) as core:
        await core.load_rows()
        await core.encode_rows()
        await core.keep_index()


async def _insert_rows(connection: AsyncConnection, count: int) -> None:
    now = SystemClock().now()
    values = []
    for n, question in enumerate(make_questions(count // SETTLED_EVERY), start=1):
        group, i = group_of(question), n * SETTLED_EVERY
        at = now - timedelta(seconds=31 * (count - i))
        place = {"team": "T0", "channel": "C0", "ts": f"{i}.000100"}
        split, category = split_of(group).value, CATEGORIES[n % len(CATEGORIES)]
        row = {"id": f"q{i}", "text": question, "group": group, "category": category, "reason": None, "split": split}
        values.append(row | place | {"source": Source.AGREE.value, "by": "U0", "settled_at": at, "touched_at": at})
    await connection.execute(insert(rows), values)


class Started(NamedTuple):
    """One start of a bot."""

    seconds: float
    """From its start until it was connected."""
    rest: float
    """Its memory in megabytes, once what a start does in the background is done."""


class Setup:
    """A bot on a database with `stored` questions, started TURNS times."""

    HEADER = (
        f"{'stored':>11} {'start s':>18} {'MB at rest':>18} {Meter.HEADER}   press {PERCENTILES_HEADER} "
        f"{'status s':>18} {'MB':>6}"
    )

    def __init__(self, stored: int, starts: Sequence[Started], meter: Meter) -> None:
        self.stored = stored
        self.starts = starts
        self.meter = meter
        self.status: list[float] = []
        self.memory = 0.0

    async def measure_presses_and_status(self) -> None:
        """Confirm up to PRESSES answers, one after the other, then run `/finetune status` TURNS times."""
        workspace = self.meter.workspace
        workspace.reset_times()
        for ts in list(workspace.answers)[:PRESSES]:
            await workspace.agree(ts)
        for _ in range(TURNS):
            started = time.perf_counter()
            await _ask_for_status(workspace)
            self.status.append(time.perf_counter() - started)
        self.memory = self.meter.program.megabytes

    @property
    def median_press(self) -> float:
        """Median time of a press, in seconds."""
        return statistics.median(self.meter.workspace.timed.seconds["pressed"])

    @property
    def mean_press(self) -> float:
        """Mean time of a press, in seconds."""
        seconds = self.meter.workspace.timed.seconds["pressed"]
        return sum(seconds) / len(seconds)

    def __str__(self) -> str:
        presses = percentiles(self.meter.workspace.timed.seconds["pressed"])
        start = median_and_range([one.seconds for one in self.starts])
        rest = median_and_range([one.rest for one in self.starts], 0)
        costs = f"{start:>18} {rest:>18} {self.meter}         {presses}"
        return f"{self.stored:11,} {costs} {median_and_range(self.status, 2):>18} {self.memory:6.0f}"


async def _ask_for_status(workspace: BenchWorkspace) -> None:
    """Send `/finetune status` and wait for the answer."""
    channel = workspace.sample.ops.id
    workspace.board.ephemerals.pop(channel, None)
    await interactions.command(workspace, workspace.people.admin, channel, "/finetune status")
    async with asyncio.timeout(120):
        while not workspace.board.ephemerals.get(channel):  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.005)


@asynccontextmanager
async def open_setup(kind: str, stored: int) -> AsyncIterator[Setup]:
    """Fill a new database and run a bot on it."""
    with tempfile.TemporaryDirectory() as folder:
        url = create_database(kind, folder)
        started = time.perf_counter()
        await fill(url, stored)
        print_line(f"{'':8} stored {stored:,} questions in {kind} within {time.perf_counter() - started:.0f} s")
        async with open_workspace() as (workspace, env):
            starts: list[Started] = []
            for _ in range(TURNS - 1):
                async with _start(env, folder, url, starts):
                    pass
            async with _start(env, folder, url, starts) as program:
                yield Setup(stored, starts, await warm_up(workspace, program))


@asynccontextmanager
async def _start(env: dict[str, str], folder: str, url: str, starts: list[Started]) -> AsyncIterator[RunningProgram]:
    """Run a bot, and note how it started."""
    started = time.perf_counter()
    async with run_bot(env, folder, url) as program:
        seconds = time.perf_counter() - started
        await wait_for_rest(program)
        starts.append(Started(seconds, program.megabytes))
        yield program


def plot(setups: Mapping[str, Sequence[Setup]], file: Path) -> None:
    """Draw how time and memory grow with the number of stored questions, a line for each database."""
    drawn: dict[str, Callable[[Setup], float]] = {
        "processor a question, ms": lambda setup: setup.meter.cpu * 1000,
        "median press, ms": lambda setup: setup.median_press * 1000,
        "status, s": lambda setup: statistics.median(setup.status),
        "start, s": lambda setup: statistics.median(one.seconds for one in setup.starts),
        "memory at rest, MB": lambda setup: statistics.median(one.rest for one in setup.starts),
    }
    figure = Figure(figsize=(12, 2.8), dpi=100, layout="constrained")
    for axes, (name, value) in zip(figure.subplots(1, len(drawn)), drawn.items(), strict=True):
        for kind, measured in setups.items():
            axes.plot([one.stored for one in measured], [value(one) for one in measured], marker="o", label=kind)
        axes.set(title=name, xscale="log", xlabel="stored questions")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file)


async def main(stored: int, questions: int, databases: Sequence[str], picture: Path | None = None) -> None:
    """Print the table, and draw it if a file is named."""
    print_line(
        f"{questions} questions, a model that answers at once; one stored question in {SETTLED_EVERY} is settled"
    )
    print_line(f"{'':<10} {Setup.HEADER}")
    setups: dict[str, list[Setup]] = {}
    for kind in databases:
        async with AsyncExitStack() as stack:
            sizes = sorted({FEW, stored // 10, stored})
            setups[kind] = [await stack.enter_async_context(open_setup(kind, count)) for count in sizes]
            await measure_in_turns([setup.meter for setup in setups[kind]], questions)
            for setup in setups[kind]:
                await setup.measure_presses_and_status()
                print_line(f"{kind:<10} {setup}")
            few, *_, many = setups[kind]
            cpu, wall = many.meter.ratios(few.meter, "cpu", 2), many.meter.ratios(few.meter, "seconds", 2)
            press = many.mean_press / few.mean_press
            print_line(
                f"{'':<10} {cpu} times the processor time, {wall} times the wall-clock time, "
                f"{press:.2f} times the time of a press"
            )
    if picture:
        plot(setups, picture)
    print_line()
