"""Out-of-fold answers of a fine-tune: stored by row, and only where no near-copy was learned from."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from bot.domain.dataset import Row, Split
from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.fold import LineAnswer, OutOfFold, TrainingReport
from bot.domain.release import ModelName
from bot.finetunes.reports import REPORT_PATIENCE, TrainingReports, answers_by_row
from bot.ports import NothingEmbedded
from bot.similarity.neighbours import RowNeighbours
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import row, rows_of
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeTrainer, Fault
from tests.kits.finetune_bench import FinetuneBench

NEAR = ["I forgot my VPN password", "forgot the VPN password please", "please, my VPN password forgot"]
"""Texts with the same content words."""


def train_rows(texts: Sequence[str]) -> list[Row]:
    return [row(text, "it").model_copy(update={"split": Split.TRAIN}) for text in texts]


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


async def running(bench: FinetuneBench, rows: Sequence[Row] = ()) -> tuple[Finetune, dict[str, int]]:
    """Run a fine-tune on these rows and twelve others; return it, and the line of each row."""
    await bench.add([*rows, *rows_of(Split.TRAIN, "labor", 6), *rows_of(Split.TRAIN, "it", 6)])
    planned, frozen = await bench.acts.planning.plan("U9", "en")
    await bench.acts.starting.confirm(planned.id, "U9")
    await bench.acts.following.follow()
    return await bench.reload(planned), {row_id: n for n, row_id in enumerate(frozen.texts, start=1)}


def report(lines: dict[str, int], folds: dict[str, int], category: str = "情シス") -> TrainingReport:
    answers = [
        LineAnswer(line=line, fold=folds.get(row_id, line % 5), category=category, confidence=0.5)
        for row_id, line in lines.items()
    ]
    return TrainingReport(out_of_fold=tuple(answers), trust=0.5)


async def finish(bench: FinetuneBench, finetune: Finetune, told: TrainingReport) -> dict[str, OutOfFold]:
    assert finetune.job_id
    bench.trainer.reports[finetune.job_id] = told
    bench.trainer.set_status(finetune.job_id, "succeeded", model="ft:new")
    await bench.acts.following.follow()
    async with bench.store.transaction() as tx:
        return {one.row_id: one for one in await tx.finetunes.out_of_fold(finetune.id)}


async def test_each_line_is_stored_with_its_row(bench: FinetuneBench) -> None:
    finetune, lines = await running(bench)
    found = await finish(bench, finetune, report(lines, {}))
    assert {row_id: one.fold for row_id, one in found.items()} == {row_id: n % 5 for row_id, n in lines.items()}
    assert {(one.category, one.confidence, one.apart) for one in found.values()} == {("it", 0.5, True)}
    assert (await bench.reload(finetune)).trust == 0.5
    assert len(await bench.candidates()) == 1


async def test_answer_carries_the_embedded_models_revision(bench: FinetuneBench) -> None:
    finetune, lines = await running(bench)
    assert finetune.job_id
    bench.trainer.reports[finetune.job_id] = report(lines, {})
    bench.trainer.set_status(finetune.job_id, "succeeded", model="ft:new")
    reports = TrainingReports(
        bench.store, bench.shelf, bench.trainer, RowNeighbours(bench.store), bench.clock, OneRevision()
    )
    found, _ = await reports.read(finetune, bench.trainer.jobs[finetune.job_id])
    assert {one.revision for one in found} == {"learner 2"}


class OneRevision(NothingEmbedded):
    """An embedded model of revision 2."""

    def revision(self, model: ModelName) -> str | None:
        return "learner 2" if model.provider == "local" else None


async def test_answers_are_matched_in_a_thread(bench: FinetuneBench, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def matched(*args: Any) -> dict[str, LineAnswer]:
        threads.append(threading.get_ident())
        return answers_by_row(*args)

    monkeypatch.setattr("bot.finetunes.reports.answers_by_row", matched)
    finetune, lines = await running(bench)
    assert await finish(bench, finetune, report(lines, {}))
    assert threads
    assert threading.get_ident() not in threads


async def test_foreign_label_is_kept_as_written(bench: FinetuneBench) -> None:
    finetune, lines = await running(bench)
    found = await finish(bench, finetune, report(lines, {}, category="法務"))
    assert {one.category for one in found.values()} == {"法務"}


@pytest.mark.parametrize(("folds", "apart"), [((1, 1, 1), True), ((1, 1, 2), False)])
async def test_near_copies_in_two_folds_do_not_count(
    bench: FinetuneBench, folds: tuple[int, int, int], *, apart: bool
) -> None:
    near = train_rows(NEAR)
    finetune, lines = await running(bench, near)
    found = await finish(bench, finetune, report(lines, {one.id: fold for one, fold in zip(near, folds, strict=True)}))
    assert {found[one.id].apart for one in near} == {apart}
    assert all(one.apart for row_id, one in found.items() if row_id not in {row.id for row in near})


async def test_group_in_two_folds_does_not_count(bench: FinetuneBench) -> None:
    texts = ["laptop battery swells", "notebook accumulator bulges"]
    alike = [one.model_copy(update={"group": "g"}) for one in train_rows(texts)]
    finetune, lines = await running(bench, alike)
    found = await finish(bench, finetune, report(lines, {alike[0].id: 1, alike[1].id: 2}))
    assert not any(found[one.id].apart for one in alike)


async def test_near_copy_without_an_answer_does_not_count(bench: FinetuneBench) -> None:
    near = train_rows(NEAR[:2])
    finetune, lines = await running(bench, near)
    del lines[near[0].id]
    found = await finish(bench, finetune, report(lines, {}))
    assert not found[near[1].id].apart


async def test_candidate_waits_for_its_answers(bench: FinetuneBench) -> None:
    finetune, lines = await running(bench)
    bench.trainer.faults.add("report", Fault.DOWN)
    assert await finish(bench, finetune, report(lines, {})) == {}
    assert (await bench.reload(finetune)).state is FinetuneState.RUNNING
    assert len(await finish(bench, finetune, report(lines, {}))) == len(lines)


async def test_candidate_waits_no_longer_than_patience(bench: FinetuneBench) -> None:
    finetune, lines = await running(bench)
    bench.trainer.faults.add("report", Fault.DOWN)
    bench.clock.advance(seconds=REPORT_PATIENCE.total_seconds())
    assert await finish(bench, finetune, report(lines, {})) == {}
    assert (await bench.reload(finetune)).state is FinetuneState.SUCCEEDED


async def test_refused_report_does_not_stop_the_candidate(bench: FinetuneBench) -> None:
    finetune, lines = await running(bench)
    bench.trainer.faults.add("report", Fault.REFUSED)
    assert await finish(bench, finetune, report(lines, {})) == {}
    assert len(await bench.candidates()) == 1


def test_lines_of_no_single_row_are_ignored() -> None:
    answers = [LineAnswer(line=n, fold=0, category="IT") for n in (0, 1, 2, 3, 9)]
    found = answers_by_row(["a", "b", "b"], {"x": "a", "y": "b", "z": "b"}, answers)
    assert {row_id: one.line for row_id, one in found.items()} == {"x": 1}
