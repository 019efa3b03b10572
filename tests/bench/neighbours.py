"""How fast likeness is at 100,000 rows: `python -m tests.bench.neighbours [rows]`.

The rows are made of the sample prompts' examples: the beginning of one question and the end of another, in both
languages, so that words are as common as they are in questions and many rows are alike.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from bot.app.wiring import SystemClock, read_prompt
from bot.domain.dataset import Row, Source, group_of, split_of
from bot.settings import ROOT
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.store import SqlStore

ASKED = 200


def questions(count: int) -> list[str]:
    """So many different questions, the same at each run."""
    prompts = [read_prompt(ROOT / "prompts" / language) for language in ("ja", "en")]
    examples = [text for prompt in prompts for category in prompt.categories for text in category.examples]
    pieces = [[*text.split()] if text.isascii() else [*text] for text in examples]
    rng = random.Random(7)
    made: dict[str, None] = {}
    while len(made) < count:
        one, two = rng.choice(pieces), rng.choice(pieces)
        text = " ".join(one[: rng.randint(1, len(one))] + two[rng.randint(0, len(two) - 1) :])
        made[f"{text} {rng.randint(1, count)}" if rng.random() < 0.5 else text] = None
    return list(made)


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")


async def p50(verb: Callable[[str], Awaitable[object]], texts: Sequence[str]) -> str:
    took = []
    for text in texts:
        start = time.perf_counter()
        await verb(text)
        took.append((time.perf_counter() - start) * 1000)
    return f"p50 {statistics.median(took):6.2f} ms, p95 {statistics.quantiles(took, n=20)[-1]:6.2f} ms"


async def settled_otherwise(store: SqlStore, neighbours: RowNeighbours, row: Row) -> None:
    """One row says otherwise, and all conflicts are asked for."""
    async with store.transaction() as tx:
        await tx.rows.put(row.model_copy(update={"category": "hr", "settled_at": SystemClock().now()}))
    await neighbours.conflicts()


async def main(count: int) -> None:
    (*settled,) = questions(count + ASKED)
    asked, settled = settled[:ASKED], settled[ASKED:]
    clock = SystemClock()
    rows = []
    for n, text in enumerate(settled):
        group = group_of(text)
        made = Row(
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
        rows.append(made)
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
        say(f"{count} rows are taken in within {time.perf_counter() - start:.1f} s")
        say("near   ", await p50(neighbours.near, asked))
        say("nearest", await p50(lambda text: neighbours.nearest(text, 5), asked))
        say("settled", await p50(lambda text: settled_otherwise(store, neighbours, by_text[text]), settled[:ASKED]))
        held_out = [row.text for row in rows if row.split == "held_out"]
        train = [row.text for row in rows if row.split == "train"]
        start = time.perf_counter()
        found = neighbours.pairs(train, held_out)
        say(f"{len(train)} × {len(held_out)} rows: {len(found)} near pairs within {time.perf_counter() - start:.1f} s")
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
