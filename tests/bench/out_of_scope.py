"""The share of out-of-scope questions that are caught: `python -m tests.bench.out_of_scope FILE CATEGORY ...`.

FILE is CSV or JSON Lines with `text` and `category`. The named categories are removed from the prompt and the rows, so
all their questions are out of scope. Questions are asked in the order of the file, until staff have settled as many as
`--rows` says. Staff correct each wrong answer of the prompt alone, and confirm a fifth of the right ones. Questions out
of scope stay open, like the others that staff do not settle. The last third, at most 500, is measured on.

Four releases are compared: the prompt alone, a recall of three examples, a fine-tune on the rows, and one that also has
the open questions. A question is `named` if its answer is the catch-all, and `caught` if it is named or less
sure than a threshold. At this threshold, a twentieth of the other questions is caught by mistake. All figures are
shares.
"""

import argparse
import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.app.replay.script import Plan, Script, script
from bot.app.wiring import Core, open_core, read_prompt
from bot.domain.audience import Audience
from bot.domain.certainty import OutOfScope
from bot.domain.dataset import Row, group_of, split_of
from bot.domain.labelled import Labelled
from bot.domain.prompt import Prompt
from bot.domain.question import Place, Question, Verdict, Via
from bot.domain.release import Release
from bot.domain.scorecard import Judged, wilson
from bot.settings import Settings
from tests.bot.things import START, row

FALSE_ALARMS = 0.05
"""Share of the questions in scope that the threshold may catch."""
_CONFIRMED = 0.2
"""Share of the right answers that staff confirm."""


def remove_categories(full: Script, removed: Sequence[str]) -> tuple[Script, list[Row]]:
    """Return the script without the removed categories, and their measured questions as rows of the catch-all."""
    other = next(category.id for category in full.prompt.categories if category.other)
    kept = tuple(category for category in full.prompt.categories if category.id not in removed)
    in_scope = Script(
        prompt=full.prompt.model_copy(update={"categories": kept}),
        stream=[record for record in full.stream if record.category not in removed],
        test=[one for one in full.test if one.category not in removed],
        near=full.near,
    )
    return in_scope, [row(one.text, other) for one in full.test if one.category in removed]


def row_of(record: Labelled) -> Row:
    return row(record.text, record.category).model_copy(update={"split": split_of(group_of(record.text))})


async def settle(
    core: Core, stream: Sequence[Labelled], removed: Sequence[str], rows: int
) -> tuple[list[Row], list[str]]:
    """Ask the questions in their order; return the rows that staff make, at most so many, and the open questions."""
    serving, dice = await core.acts.releasing.serving(), random.Random(0)
    asked = [row_of(record) for record in stream]
    known = [one for one in asked if one.category not in removed]
    judged = await core.acts.evaluating.judge(serving, known, keep=False)
    right = {one.row.text: one.right for one in judged}
    settled: list[Row] = []
    still_open: list[str] = []
    for one in asked:
        if len(settled) == rows:
            break
        if one.text in right and (not right[one.text] or dice.random() < _CONFIRMED):
            settled.append(one)
        else:
            still_open.append(one.text)
    return settled, still_open


async def leave_open(core: Core, texts: Sequence[str], other: str) -> None:
    """Store answered questions that nobody has settled."""
    release = await core.acts.releasing.serving()
    async with core.ports.store.transaction() as tx:
        for n, text in enumerate(texts):
            one = Question(
                id=f"open{n}",
                place=Place(team="T1", channel="C1", ts=f"{n}.1"),
                via=Via.CHANNEL,
                asker="U1",
                text=text,
                language="en",
                asked_at=START,
                audience=Audience.PUBLIC,
            )
            await tx.questions.add(one)
            await tx.questions.save_card(one.id, f"{n}.2")
            await tx.questions.add_verdict(
                Verdict(
                    id=f"{n:032x}",
                    question_id=one.id,
                    release_id=release.id,
                    category=other,
                    reason="",
                    confidence=None,
                    latency_ms=0,
                    tokens_in=0,
                    tokens_out=0,
                    at=START,
                )
            )


@asynccontextmanager
async def open_empty_core(prompt: Prompt) -> AsyncIterator[Core]:
    """Open the bot's core on a new database."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, database_url=f"sqlite:///{folder}/bench.db", bot_training_allowed=True)
        async with open_core(settings, prompt) as core:
            yield core


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


async def main(file: Path, removed: Sequence[str], rows: int, order: int) -> None:
    """Print a line per release."""
    prompt = read_prompt(Settings(_env_file=None).prompt_folder)
    full = script(in_order(file.read_bytes(), order), Plan(), prompt)
    in_scope, out_of_scope = remove_categories(full, removed)
    other = next(category.id for category in in_scope.prompt.categories if category.other)
    in_scope.test = [one for one in in_scope.test if one.category != other]
    async with open_empty_core(in_scope.prompt) as core:
        settled, still_open = await settle(core, full.stream, removed, rows)
        async with core.ports.store.transaction() as tx:
            for one in settled:
                await tx.rows.put(one)
        measured = f"{len(in_scope.test)} other questions and {len(out_of_scope)} out of scope"
        print_line(f"{file.name}: {len(settled)} rows, {len(still_open)} open; measured on {measured}")
        print_line(f"release         right   named  caught at {FALSE_ALARMS:.0%} false alarms")
        serving = await core.acts.releasing.serving()

        async def measure(name: str, release: Release) -> None:
            judged = await core.acts.evaluating.judge(release, [*in_scope.test, *out_of_scope], keep=False)
            print_line(format_figures(name, judged, other))

        await measure("prompt only", await core.acts.releasing.recalling(serving.id, 0, "bench"))
        await measure("recall 3", await core.acts.releasing.recalling(serving.id, 3, "bench"))
        await measure("fine-tuned", await fine_tune(core))
        await leave_open(core, still_open, other)
        await measure("with open", await fine_tune(core))


def in_order(data: bytes, order: int) -> bytes:
    """Return the lines in an order of their own, a CSV's first line first; 0 keeps the file's order."""
    lines = data.splitlines(keepends=True)
    head = lines[:0] if lines[0].startswith(b"{") else lines[:1]
    body = lines[len(head) :]
    if order:
        random.Random(order).shuffle(body)
    return b"".join([*head, *body])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.out_of_scope", description=__doc__)
    arguments.add_argument("file", type=Path, metavar="FILE")
    arguments.add_argument("categories", nargs="+", metavar="CATEGORY", help="id of a category to remove")
    arguments.add_argument("--rows", type=int, default=200, help="number of questions that staff settle (200)")
    arguments.add_argument("--order", type=int, default=0, help="seed of the questions' order (0: as in the file)")
    parsed = arguments.parse_args()
    asyncio.run(main(parsed.file, parsed.categories, parsed.rows, parsed.order))
