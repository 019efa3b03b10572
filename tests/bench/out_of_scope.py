"""The share of out-of-scope questions that are caught: `python -m tests.bench.out_of_scope FILE CATEGORY ...`.

FILE is CSV or JSON Lines with `text` and `category`. The named categories are removed from the prompt and the rows, so
all their questions are out of scope. A third of the other questions is measured on, at most 500; the rest become rows.

Three releases are compared: the prompt alone, a recall of three examples, and a fine-tune on all rows. A question is
`named` if its answer is the catch-all, and `caught` if it is named or less sure than a threshold. At this threshold, a
twentieth of the other questions is caught by mistake. All figures are shares.
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
from bot.domain.scorecard import Judged, wilson
from bot.settings import Settings
from tests.bot.things import row

FALSE_ALARMS = 0.05
"""Share of the questions in scope that the threshold may catch."""


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
        settings = Settings(_env_file=None, database_url=f"sqlite:///{folder}/bench.db", bot_training_allowed=True)
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


def format_figures(name: str, judged: Sequence[Judged], other: str) -> str:
    """Return a line of the table."""
    theirs, ours = ([one for one in judged if (one.row.category == other) == out] for out in (True, False))
    # An answer with the catch-all is caught at any threshold, as if nothing were less sure.
    sure = sorted(0.0 if one.result.category == other else one.result.confidence or 0.0 for one in ours)
    threshold = sure[int(FALSE_ALARMS * len(sure))]
    right = sum(one.right for one in ours) / len(ours)
    scope = OutOfScope.of(theirs, other, threshold)
    low, high = wilson(scope.caught, scope.rows)
    named = OutOfScope.of(theirs, other).share_caught
    return (
        f"{name:12}{right:8.1%}{named:8.1%}{scope.share_caught:8.1%} ({low:.1%} to {high:.1%}), below {threshold:.2f}"
    )


def print_line(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a bench prints


async def main(file: Path, removed: Sequence[str]) -> None:
    """Print a line per release."""
    prompt = read_prompt(Settings(_env_file=None).prompt_folder)
    in_scope, out_of_scope = remove_categories(script(file.read_bytes(), Plan(), prompt), removed)
    other = next(category.id for category in in_scope.prompt.categories if category.other)
    in_scope.test = [one for one in in_scope.test if one.category != other]
    measured = f"{len(in_scope.test)} other questions and {len(out_of_scope)} out of scope"
    print_line(f"{file.name}: {len(in_scope.stream)} rows; measured on {measured}")
    print_line(f"release        right   named  caught at {FALSE_ALARMS:.0%} false alarms")
    async with open_core_with_rows(in_scope) as core:
        serving = await core.acts.releasing.serving()
        releases = {
            "prompt only": await core.acts.releasing.recalling(serving.id, 0, "bench"),
            "recall 3": await core.acts.releasing.recalling(serving.id, 3, "bench"),
            "fine-tuned": await fine_tune(core),
        }
        for name, release in releases.items():
            judged = await core.acts.evaluating.judge(release, [*in_scope.test, *out_of_scope], keep=False)
            print_line(format_figures(name, judged, other))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.out_of_scope", description=__doc__)
    arguments.add_argument("file", type=Path, metavar="FILE")
    arguments.add_argument("categories", nargs="+", metavar="CATEGORY", help="id of a category to remove")
    parsed = arguments.parse_args()
    asyncio.run(main(parsed.file, parsed.categories))
