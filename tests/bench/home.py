"""What App Home and the status read from a database with very many questions.

Each read is printed with this process's seconds of the processor, and with those of the clock, in which a PostgreSQL
server works, too. The reads that build the index of rows at a start are printed apart.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence

from bot.app.wiring import open_core
from bot.corrections.reviewing import MOST_QUESTIONS
from bot.domain.dataset import Row
from bot.domain.question import Question
from bot.finetunes.glancing import Glancing
from bot.ports import Store
from bot.settings import Settings
from tests.bench.stored import fill
from tests.bench.workplace import create_database, median_and_range, print_line

READS = 5


async def measure(url: str) -> None:
    """Print what each part took, in order of the calls."""
    settings = Settings(_env_file=None, database_url=url, bot_language="en", bot_encoder="none")
    async with open_core(settings) as core:
        acts, store = core.acts, core.ports.store
        await _print("index of rows", core.load_rows, 1)
        await _print("open questions", lambda: _open(store))
        await _print("conflicts", core.ports.neighbours.conflicts)
        await _print("staff: order of the queue", acts.reviewing.queue)
        await _print("staff: next question", lambda: acts.focusing.focus("U1", _may_read))
        await _print("admin: overview", lambda: _glance(acts.glancing))
        await _print("status", acts.reporting.status)


async def _open(store: Store) -> None:
    async with store.snapshot() as tx:
        await tx.questions.open(MOST_QUESTIONS)


async def _glance(glancing: Glancing) -> None:
    glancing.forget()  # it is kept for some seconds
    await glancing.glance()


async def _may_read(_: Question | Row) -> bool:
    return True


async def _print(name: str, read: Callable[[], Awaitable[object]], times: int = READS) -> None:
    took = []
    for _ in range(times):
        processor, clock = time.process_time(), time.perf_counter()
        await read()
        took.append((time.process_time() - processor, time.perf_counter() - clock))
    print_line(
        f"  {name:<28} {'  '.join(f'{median_and_range(seconds, 2):>22}' for seconds in zip(*took, strict=True))}"
    )


async def main(stored: int, databases: Sequence[str]) -> None:
    """Print the tables."""
    print_line(f"{stored:,} questions; medians and ranges of {READS} reads in turn")
    print_line(f"  {'':<28} {'processor, s':>22}  {'clock, s':>22}")
    for kind in databases:
        with tempfile.TemporaryDirectory() as folder:
            url = create_database(kind, folder)
            await fill(url, stored, "none")
            print_line(kind)
            await measure(url)
    print_line()
