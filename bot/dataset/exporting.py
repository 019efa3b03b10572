"""The export of the current rows as a training file, proven to hold no held-out question."""

import asyncio
from collections.abc import Sequence

from bot.current_prompt import current_prompt
from bot.domain.dataset import (
    PRIVATE,
    Export,
    Manifest,
    Row,
    Split,
    export,
    open_questions,
    questions_of,
    unanswered_lines,
)
from bot.domain.errors import Reason, Refused
from bot.domain.release import ModelName
from bot.domain.shares import SetAside, set_aside
from bot.ports import Clock, Embedded, Neighbours, NothingEmbedded, Shelf, Store
from bot.ports.progress import Progress, unheard
from bot.similarity.disjoint import overlapping_ids, prove_disjoint

EXPORT_STEPS = 4
"""Steps of an export that take time with many rows: read, find conflicts, write, prove."""
MOST_OPEN_QUESTIONS = 1_000
"""Most open questions beside a training file, the newest ones; the embedded trainer takes no more."""


class Exporting:
    """Makes training files from the rows.

    Args:
        store: The rows.
        shelf: Keeps the files.
        neighbours: Finds conflicts and near-copies.
        clock: The time.
        embedded: Tells which students are trained in this process.
        guarded: Whether rows are set aside (`shares.py`).
        private_rows: Whether other files may hold rows of private channels and direct messages too.
    """

    def __init__(  # noqa: PLR0913 - the ports, and two choices
        self,
        store: Store,
        shelf: Shelf,
        neighbours: Neighbours,
        clock: Clock,
        embedded: Embedded | None = None,
        *,
        private_rows: bool = False,
        guarded: bool = True,
    ) -> None:
        self._guarded = guarded
        self._embedded = embedded or NothingEmbedded()
        self._private_rows = private_rows
        self._store = store
        self._shelf = shelf
        self._neighbours = neighbours
        self._clock = clock

    def named(self, manifest: Manifest) -> str:
        """Return the name of an export's files, without an ending: the day and the number of examples."""
        return f"madoguchi-{self._clock.now():%Y-%m-%d}-{manifest.rows}-examples"

    def may_hold_private(self, student: ModelName | None) -> bool:
        """Return whether a file for this student (None: for people) may hold rows that not everybody may read."""
        return self._private_rows or (student is not None and self._embedded.reads_here(student))

    def reads_here(self, student: ModelName) -> bool:
        """Return whether no text of this student's training leaves this process."""
        return self._embedded.reads_here(student)

    def is_embedded(self, student: ModelName) -> bool:
        """Return whether this student is trained in this process."""
        return self._embedded.revision(student) is not None

    async def export(self, report: Progress = unheard, student: ModelName | None = None) -> Export:
        """Freeze the current rows: the manifest goes to the database, the file for a student also to the shelf.

        Args:
            report: Is told after each step how many are done.
            student: The model that the file will train; None for a file that people download.

        Raises:
            Refused: NO_ROWS; NOT_DISJOINT, if the file holds a held-out question after all.
        """
        async with self._store.snapshot() as tx:
            rows = [row async for row in tx.rows.all()]
            prompt = await current_prompt(tx)
            looks = await tx.looks.all()
        held_out = [row for row in rows if row.split is Split.HELD_OUT]
        to_train = [row for row in rows if row.split is Split.TRAIN]
        report(1, EXPORT_STEPS)
        contested = await self._neighbours.contested(rows)
        report(2, EXPORT_STEPS)
        near_held_out = await overlapping_ids(self._neighbours, to_train, held_out)
        aside = await asyncio.to_thread(set_aside, rows, looks) if self._guarded else SetAside()
        # In a thread, because many rows take seconds and questions are answered meanwhile.
        private = self.may_hold_private(student)
        frozen = await asyncio.to_thread(
            export, rows, prompt, contested=contested, near_held_out=near_held_out, private=private, aside=aside.ids
        )
        frozen = frozen.with_aside(aside.by_person)
        report(3, EXPORT_STEPS)
        await self._prove(frozen, rows, held_out)
        report(4, EXPORT_STEPS)
        if not frozen.texts and (left_out := frozen.manifest.left_out.get(PRIVATE)):
            raise Refused(Reason.TOO_FEW_PUBLIC, rows=0, private=left_out)
        if not frozen.texts:
            raise Refused(Reason.NO_ROWS, held_out=frozen.manifest.held_out)
        if student is not None:  # a second copy of what people download would serve nobody
            await self._shelf.put(file_name(frozen.manifest.id), frozen.data)
        await self._keep(frozen.manifest)
        return frozen

    async def _keep(self, manifest: Manifest) -> None:
        async with self._store.transaction() as tx:
            await tx.datasets.put(manifest, self._clock.now())

    async def _prove(self, frozen: Export, rows: Sequence[Row], held_out: Sequence[Row]) -> None:
        """Prove that a file holds no held-out question. The file itself is read, not the rows that it was made from."""
        by_id = {row.id: row for row in rows}
        lines = zip(frozen.texts, await asyncio.to_thread(questions_of, frozen.lines()), strict=True)
        trained = [
            row if row.text == text else row.model_copy(update={"text": text})
            for row, text in ((by_id[row_id], text) for row_id, text in lines)
        ]
        await prove_disjoint(self._neighbours, trained, held_out)

    async def open_questions(self, student: ModelName) -> bytes:
        """Return lines for an embedded student alone: questions that nobody has settled, without an answer.

        None of them is near a row, so that a line is no second copy of one, and none may ever be held out.

        Raises:
            Refused: NOT_DISJOINT, if they hold a held-out question after all.
        """
        async with self._store.snapshot() as tx:
            rows = [row async for row in tx.rows.all()]
            asked = [question for question, _ in await tx.questions.open(MOST_OPEN_QUESTIONS)]
        private = self.may_hold_private(student)
        texts = open_questions(question for question in asked if question.public or private)
        pairs = await asyncio.to_thread(self._neighbours.pairs, texts, [row.text for row in rows])
        near = {i for i, _ in pairs}
        data = unanswered_lines([text for i, text in enumerate(texts) if i not in near])
        held_out = [row for row in rows if row.split is Split.HELD_OUT]
        await prove_disjoint(self._neighbours, [], held_out, questions_of(data.splitlines()))
        return data


def file_name(dataset_id: str) -> str:
    """Return the name of a training file on the shelf."""
    return f"datasets/{dataset_id}.jsonl"
