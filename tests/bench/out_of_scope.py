"""How many questions that are nobody's are caught: `python -m tests.bench.out_of_scope FILE CATEGORY [CATEGORY ...]`.

FILE is JSONL with `text` and `category`. The named categories belong to no desk here: neither the prompt nor any row
knows them, and each of their questions is out of scope. Of the others a third is measured on, and the rest are rows.
Releases: what the prompt alone knows, with a recall of three, and fine-tuned on all rows. Each one's threshold is
chosen on the held-out rows among them, never on what is measured on; figures are shares.
"""

import asyncio
import sys
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


def without(cut: Script, nobodys: Sequence[str]) -> tuple[Script, list[Row]]:
    """The same without these categories, and their questions as questions of the catch-all."""
    other = next(c.id for c in cut.prompt.categories if c.other)
    kept = tuple(c for c in cut.prompt.categories if c.id not in nobodys)
    foreign = [r.text for r in cut.stream if r.category in nobodys] + [
        r.text for r in cut.test if r.category in nobodys
    ]
    known = Script(
        prompt=cut.prompt.model_copy(update={"categories": kept}),
        stream=[record for record in cut.stream if record.category not in nobodys],
        test=[one for one in cut.test if one.category not in nobodys],
        near=cut.near,
    )
    return known, [row(text, other) for text in foreign]


@asynccontextmanager
async def taught(cut: Script) -> AsyncIterator[Core]:
    """A core whose rows are the script's questions."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, database_url=f"sqlite:///{folder}/bench.db")
        async with open_core(settings, cut.prompt) as core:
            async with core.ports.store.transaction() as tx:
                for record in cut.stream:
                    await tx.rows.put(row_of(record))
            yield core


def row_of(record: Labelled) -> Row:
    made = row(record.text, record.category)
    return made.model_copy(update={"split": split_of(group_of(record.text))})


async def tuned(core: Core) -> Release:
    plan, _ = await core.acts.planning.plan("bench", "en")
    await core.acts.starting.confirm(plan.id, "bench")
    while await core.acts.following.follow():  # noqa: ASYNC110 - a provider is followed by asking it
        await asyncio.sleep(0.1)
    return await core.acts.releasing.named(plan.id)


def line(name: str, judged: Sequence[Judged], other: str, threshold: float | None) -> str:
    sure = [one for one in judged if (one.result.confidence or 0.0) >= (threshold or 0.0)]
    wrong = sum(not one.right for one in sure) / max(1, len(sure))
    scope = OutOfScope.of(judged, other, threshold or 0.0)
    shares = (len(sure) / len(judged), wrong, scope.share_caught, scope.recall, scope.precision)
    shown = "none" if threshold is None else f"{threshold:.4f}"
    return f"{name:12}{shown:>10}" + "".join("        –" if one is None else f"{one:9.1%}" for one in shares)


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a bench prints


async def main(file: Path, nobodys: Sequence[str]) -> None:
    prompt = read_prompt(Settings(_env_file=None).prompt_folder)
    cut, foreign = without(script(file.read_bytes(), Plan(), prompt), nobodys)
    other = next(c.id for c in cut.prompt.categories if c.other)
    tell(f"{file.name}: {len(cut.stream)} rows; measured on {len(cut.test)} more and {len(foreign)} of nobody's")
    tell("release      threshold answered    wrong   caught   recall precision")
    async with taught(cut) as core:
        serving = await core.acts.releasing.serving()
        releases = {
            "prompt only": serving,
            "recall 3": await core.acts.releasing.recalling(serving.id, 3, "bench"),
            "fine-tuned": await tuned(core),
        }
        for name, release in releases.items():
            judged = await core.acts.evaluating.judge(release, [*cut.test, *foreign], keep=False)
            advised = (await core.acts.thresholding.doubts(release)).advised
            tell(line(name, judged, other, None))
            if advised:
                tell(line(name, judged, other, advised.threshold))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
