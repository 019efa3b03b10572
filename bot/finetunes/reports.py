"""The out-of-fold answers of a fine-tune, as its provider reports them, and the rows that they belong to."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.dataset.exporting import frozen_lines
from bot.domain.dataset import questions_of
from bot.domain.errors import ModelDown, ModelError
from bot.domain.finetune import Finetune, Job
from bot.domain.fold import LineAnswer, OutOfFold, TrainingReport
from bot.domain.prompt import Prompt
from bot.ports import Clock, Embedded, Neighbours, NothingEmbedded, Shelf, Store, Trainer

log = logging.getLogger(__name__)

REPORT_PATIENCE = timedelta(minutes=10)
"""How long a candidate waits for its out-of-fold answers while the provider does not send them."""
ROWS_READ_AT_ONCE = 1_000


class TrainingReports:
    """Providers' reports about jobs that succeeded, each read once before the model becomes a candidate."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        trainer: Trainer,
        neighbours: Neighbours,
        clock: Clock,
        embedded: Embedded | None = None,
    ) -> None:
        self._embedded = embedded or NothingEmbedded()
        self._store = store
        self._shelf = shelf
        self._trainer = trainer
        self._neighbours = neighbours
        self._clock = clock

    async def read(self, finetune: Finetune, job: Job) -> tuple[list[OutOfFold], float | None]:
        """Return the out-of-fold answers to the fine-tune's rows, and how much its model counts beside the prompt.

        Returns:
            No answers if the provider reports none, or if it has sent none for `REPORT_PATIENCE`.

        Raises:
            ModelDown: The provider does not send them now; ask again later.
        """
        try:
            report = await self._trainer.report(finetune.student, job.id)
        except ModelError as error:
            if isinstance(error, ModelDown) and self._clock.now() - finetune.last_progress < REPORT_PATIENCE:
                raise
            log.warning("%s: the out-of-fold answers cannot be read, so none are used: %s", finetune.id, error)
            report = TrainingReport()
        return await self._of_rows(finetune, report.out_of_fold), report.trust

    async def _of_rows(self, finetune: Finetune, answers: Sequence[LineAnswer]) -> list[OutOfFold]:
        if not answers:
            return []
        try:
            lines = await asyncio.to_thread(questions_of, await frozen_lines(self._shelf, finetune.dataset_id))
        except KeyError:
            log.warning("%s: its training file is gone, so its out-of-fold answers are not used", finetune.id)
            return []
        async with self._store.snapshot() as tx:
            prompt = await tx.prompts.get(finetune.prompt_id)
            texts = {row: text for row, text in (await tx.finetunes.trained_rows(finetune.id)).items() if text}
            groups: dict[str, str] = {}
            ids = sorted(texts)
            for start in range(0, len(ids), ROWS_READ_AT_ONCE):
                some = await tx.rows.some(ids[start : start + ROWS_READ_AT_ONCE])
                groups |= {row.id: row.group for row in some.values()}
        revision = self._embedded.revision(finetune.student)

        def answers_of_rows() -> list[OutOfFold]:
            by_row = answers_by_row(lines, texts, answers)
            torn = self._torn(texts, groups, {row: one.fold for row, one in by_row.items()})
            categories = {label: _category_id(prompt, label) for label in {one.category for one in by_row.values()}}
            return [
                OutOfFold(
                    finetune_id=finetune.id,
                    row_id=row_id,
                    fold=one.fold,
                    category=categories[one.category],
                    confidence=one.confidence,
                    apart=row_id not in torn,
                    revision=revision,
                )
                for row_id, one in sorted(by_row.items())
            ]

        return await asyncio.to_thread(answers_of_rows)  # many rows take seconds

    def _torn(self, texts: Mapping[str, str], groups: Mapping[str, str], folds: Mapping[str, int]) -> set[str]:
        """Return the rows with a near-duplicate in another fold, or in no fold, by group or by text."""
        ids = sorted(texts)
        members: defaultdict[str, list[str]] = defaultdict(list)
        for row_id in ids:
            if row_id in groups:
                members[groups[row_id]].append(row_id)
        near = [
            (ids[i], ids[j])
            for i, j in self._neighbours.pairs([texts[one] for one in ids], [texts[one] for one in ids])
        ]
        torn = {row_id for one, other in near if folds.get(one) != folds.get(other) for row_id in (one, other)}
        for rows in members.values():
            if len({folds.get(row_id) for row_id in rows}) > 1:
                torn.update(rows)
        return torn


def answers_by_row(
    lines: Sequence[str], texts: Mapping[str, str], answers: Sequence[LineAnswer]
) -> dict[str, LineAnswer]:
    """Return the answer to each row: row id → answer.

    Args:
        lines: The questions of the training file, in file order.
        texts: Row id → question. A question of two rows is left out, because its line does not tell which is meant.
        answers: The answers by line, from 1. A line that the file does not have is left out.
    """
    counts = Counter(texts.values())
    rows = {text: row_id for row_id, text in texts.items() if counts[text] == 1}
    return {
        rows[lines[one.line - 1]]: one for one in answers if 1 <= one.line <= len(lines) and lines[one.line - 1] in rows
    }


def _category_id(prompt: Prompt | None, label: str) -> str:
    category = prompt.meant(label) if prompt else None
    return category.id if category else label
