"""What a question costs beside few and beside very many stored ones, in turns within one run."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app.wiring import SystemClock, open_core
from bot.domain.dataset import Source, group_of, split_of
from bot.practice import interactions
from bot.settings import Settings
from storage.database import Database
from storage.tables import rows
from tests.bench.neighbours import questions as texts
from tests.bench.sustained import Meter, compared, warmed
from tests.bench.workplace import SPREAD, Site, bot, database_at, line, site, spread

FEW = 1_000
SETTLED = 10
"""One question in so many was settled: it has a correction and a row."""
PRESSES = 50
CATEGORIES = ("labor", "hr", "general_affairs", "accounting", "it", "other")

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
MOMENT = {
    "sqlite": "datetime('now', '-' || (31 * (:count - i)) || ' seconds') || '.000000'",
    "postgresql": "now() - (:count - i) * interval '31 seconds'",
}
"""A million of them are a year."""
OLD = (
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


async def fill(url: str, count: int) -> None:
    """Store so many answered questions, by SQL."""
    async with open_core(Settings(_env_file=None, database_url=url, bot_language="en")) as core:
        release = (await core.acts.releasing.serving()).id
    database = Database(url)
    async with database.begin() as connection:
        kind = connection.dialect.name
        json = f"({JSON})::json" if kind == "postgresql" else JSON
        facts = {"count": count, "settled": SETTLED, "release": release}
        for statement in OLD:
            # A colon in the JSON is none of a parameter's.
            filled = NUMBERS + statement.format(moment=MOMENT[kind], json=json.replace(":", "\\:"))
            await connection.execute(text(filled), facts)
        await _settle(connection, count)
    await database.close()


async def _settle(connection: AsyncConnection, count: int) -> None:
    now = SystemClock().now()
    made = []
    for n, said in enumerate(texts(count // SETTLED), start=1):
        group, i = group_of(said), n * SETTLED
        at = now - timedelta(seconds=31 * (count - i))
        place = {"team": "T0", "channel": "C0", "ts": f"{i}.000100"}
        split, category = split_of(group).value, CATEGORIES[n % len(CATEGORIES)]
        row = {"id": f"q{i}", "text": said, "group": group, "category": category, "reason": None, "split": split}
        made.append(row | place | {"source": Source.AGREE.value, "by": "U0", "settled_at": at, "touched_at": at})
    await connection.execute(insert(rows), made)


class Desk:
    """A bot beside so many stored questions."""

    HEAD = f"{'stored':>11} {'start s':>8} {Meter.HEAD}   press {SPREAD} {'status ms':>10} {'MB':>6}"

    def __init__(self, stored: int, start: float, meter: Meter) -> None:
        self.stored = stored
        self.start = start
        self.meter = meter
        self.status = 0.0

    async def press(self) -> None:
        """Agree with answers, one after the other, and ask for the status."""
        place = self.meter.place
        place.forget()
        for ts in list(place.answers)[:PRESSES]:
            await place.agree(ts)
        started = time.perf_counter()
        await _told(place)
        self.status = time.perf_counter() - started

    @property
    def pressing(self) -> float:
        took = self.meter.place.timed.took["pressed"]
        return sum(took) / len(took)

    def __str__(self) -> str:
        presses = spread(self.meter.place.timed.took["pressed"])
        memory = self.meter.program.megabytes
        costs = f"{self.start:8.1f} {self.meter}         {presses}"
        return f"{self.stored:11,} {costs} {self.status * 1000:10.0f} {memory:6.0f}"


async def _told(place: Site) -> None:
    """Ask for the status, and wait for it."""
    channel = place.sample.ops.id
    await interactions.command(place, place.people.admin, channel, "/finetune status")
    async with asyncio.timeout(120):
        while not place.board.whispers.get(channel):  # noqa: ASYNC110 - what it waits for is another process's
            await asyncio.sleep(0.005)


@asynccontextmanager
async def desk(kind: str, stored: int) -> AsyncIterator[Desk]:
    """A bot on a new database that holds so many."""
    with tempfile.TemporaryDirectory() as folder:
        url = database_at(kind, folder)
        started = time.perf_counter()
        await fill(url, stored)
        line(f"{'':8} {stored:,} are stored in {kind} within {time.perf_counter() - started:.0f} s")
        async with site() as (place, env):
            started = time.perf_counter()
            async with bot(env, folder, url) as one:
                start = time.perf_counter() - started
                yield Desk(stored, start, await warmed(place, one))


async def main(stored: int, questions: int, databases: Sequence[str]) -> None:
    """Print the table."""
    line(f"{questions} questions, a model that answers at once; one stored question in {SETTLED} is settled")
    line(f"{'':<10} {Desk.HEAD}")
    for kind in databases:
        async with AsyncExitStack() as stack:
            few, many = [await stack.enter_async_context(desk(kind, n)) for n in (FEW, stored)]
            await compared([few.meter, many.meter], questions)
            for one in (few, many):
                await one.press()
                line(f"{kind:<10} {one}")
            ratios = (many.meter.cpu / few.meter.cpu, many.meter.seconds / few.meter.seconds)
            cpu, wall = (f"{ratio:.2f}" for ratio in ratios)
            line(
                f"{'':<10} {cpu} times the processor, {wall} times the time, {many.pressing / few.pressing:.2f} a press"
            )
    line()
