"""The share of out-of-scope questions that are caught: `python -m tests.bench.out_of_scope FILE CATEGORY ...`.

FILE is CSV or JSON Lines with `text` and `category`. The named categories are removed from the prompt and the rows, so
all their questions are out of scope. A third of the other questions is measured on, at most 500; the rest become rows.

Three releases are compared: the prompt alone, a recall of three examples, and a fine-tune on all rows. Each release's
threshold is chosen on the held-out rows, never on the measured questions. All figures are shares.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.app.replay.script import Plan, Script, script
from bot.app.wiring import Core, open_core, read_prompt
from bot.domain.certainty import OutOfScope
from bot.domain.dataset import Row, group_of, split_of
from bot.domain.labelled import Labelled
from bot.domain.release import Release
from bot.domain.scorecard import Judged
from bot.settings import Settings
from tests.bot.things import row


def remove_categories(full: Script, removed: Sequence[str]) -> tuple[Script, list[Row]]:
    """Return the script without the removed categories, and their questions as rows of the catch-all category."""
    other = next(category.id for category in full.prompt.categories if category.other)
    kept = tuple(category for category in full.prompt.categories if category.id not in removed)
    out_of_scope = [record.text for record in full.stream if record.category in removed]
    out_of_scope += [one.text for one in full.test if one.category in removed]
    in_scope = Script(
        prompt=full.prompt.model_copy(update={"categories": kept}),
        stream=[record for record in full.stream if record.category not in removed],
        test=[one for one in full.test if one.category not in removed],
        near=full.near,
    )
    return in_scope, [row(text, other) for text in out_of_scope]


@asynccontextmanager
async def open_core_with_rows(in_scope: Script) -> AsyncIterator[Core]:
    """Open the bot's core on a new database whose rows are the script's questions."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, database_url=f"sqlite:///{folder}/bench.db")
        async with open_core(settings, in_scope.prompt) as core:
            async with core.ports.store.transaction() as tx:
                for record in in_scope.stream:
                    await tx.rows.put(row_of(record))
            yield core


def row_of(record: Labelled) -> Row:
    return row(record.text, record.category).model_copy(update={"split": split_of(group_of(record.text))})


async def fine_tune(core: Core) -> Release:
    """Fine-tune on all rows and return the resulting release."""
    plan, _ = await core.acts.planning.plan("bench", "en")
    await core.acts.starting.confirm(plan.id, "bench")
    while await core.acts.following.follow():  # noqa: ASYNC110 - a provider must be polled
        await asyncio.sleep(0.1)
    return await core.acts.releasing.named(plan.id)


def format_figures(name: str, judged: Sequence[Judged], other: str, threshold: float | None) -> str:
    """Return a line of the table. A threshold of None means that all answers count as sure."""
    sure = [one for one in judged if (one.result.confidence or 0.0) >= (threshold or 0.0)]
    share_wrong = sum(not one.right for one in sure) / max(1, len(sure))
    scope = OutOfScope.of(judged, other, threshold or 0.0)
    shares = (len(sure) / len(judged), share_wrong, scope.share_caught, scope.recall, scope.precision)
    shown = "none" if threshold is None else f"{threshold:.4f}"
    return f"{name:12}{shown:>10}" + "".join("        –" if one is None else f"{one:9.1%}" for one in shares)


def print_line(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a bench prints


async def main(file: Path, removed: Sequence[str]) -> None:
    """Print a line per release without a threshold, and one with its advised threshold."""
    prompt = read_prompt(Settings(_env_file=None).prompt_folder)
    in_scope, out_of_scope = remove_categories(script(file.read_bytes(), Plan(), prompt), removed)
    other = next(category.id for category in in_scope.prompt.categories if category.other)
    measured = f"{len(in_scope.test)} other questions and {len(out_of_scope)} out of scope"
    print_line(f"{file.name}: {len(in_scope.stream)} rows; measured on {measured}")
    print_line("release      threshold answered    wrong   caught   recall precision")
    async with open_core_with_rows(in_scope) as core:
        serving = await core.acts.releasing.serving()
        releases = {
            "prompt only": serving,
            "recall 3": await core.acts.releasing.recalling(serving.id, 3, "bench"),
            "fine-tuned": await fine_tune(core),
        }
        for name, release in releases.items():
            judged = await core.acts.evaluating.judge(release, [*in_scope.test, *out_of_scope], keep=False)
            advised = (await core.acts.thresholding.report(release)).advised
            print_line(format_figures(name, judged, other, None))
            if advised:
                print_line(format_figures(name, judged, other, advised.threshold))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.out_of_scope", description=__doc__)
    arguments.add_argument("file", type=Path, metavar="FILE")
    arguments.add_argument("categories", nargs="+", metavar="CATEGORY", help="id of a category to remove")
    parsed = arguments.parse_args()
    asyncio.run(main(parsed.file, parsed.categories))
