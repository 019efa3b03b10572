"""The export of the current rows as a training file, proven to hold no held-out question."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice

import numpy as np

from bot.current_prompt import current_prompt
from bot.dataset.draft import Draft
from bot.dataset.guarding import read_aside
from bot.dataset.training_files import FileWriter, PackedFile
from bot.domain.dataset import (
    PRIVATE,
    Export,
    Manifest,
    Row,
    Split,
    lines_of,
    open_questions,
    questions_of,
    unanswered_lines,
)
from bot.domain.errors import Reason, Refused
from bot.domain.release import ModelName
from bot.domain.shares import SetAside
from bot.ports import Clock, Embedded, Neighbours, NothingEmbedded, Shelf, Store, TextNumbering, Transaction
from bot.ports.progress import Progress, unheard
from bot.similarity.disjoint import prove_disjoint

PROVEN_AT_ONCE = 1_000
"""Most lines of a file that are read at once for the proof."""
MOST_OPEN_QUESTIONS = 1_000
"""Most open questions beside a training file, the newest ones; the embedded trainer takes no more."""


class Exporting:
    """The export of rows as training files.

    Args:
        store: The rows, and the files of students.
        neighbours: Finds conflicts and near-copies.
        clock: The time.
        embedded: Tells which students are trained in this process.
        guarded: Whether rows are set aside (`shares.py`).
        private_rows: Whether other files may hold rows of private channels and direct messages too.
    """

    def __init__(
        self,
        store: Store,
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
            report: Is told how many rows are indexed, read, written and proven, of how many.
            student: The model that the file will train; None for a file that people download.

        Raises:
            Refused: NO_ROWS; NOT_DISJOINT, if the file holds a held-out question after all; FORGOTTEN_MEANWHILE.
        """
        file = PackedFile()
        manifest, erasures = await self._write(file, report, private=self.may_hold_private(student))
        frozen = file.export(manifest).model_copy(update={"erasures": erasures})
        # A second copy of what people download would serve nobody.
        await self._keep(manifest, erasures, frozen.packed if student is not None else None)
        return frozen

    async def write(self, file: FileWriter, report: Progress = unheard) -> Manifest:
        """Write what `export` gives to people; no row is held. Raises as `export` does, and what the file raises."""
        manifest, erasures = await self._write(file, report, private=self.may_hold_private(None))
        await self._keep(manifest, erasures)
        return manifest

    async def _write(self, file: FileWriter, report: Progress, *, private: bool) -> tuple[Manifest, str | None]:
        """Write the file; return its manifest, and the position of ERASED_CURSOR when the rows were read."""
        await self._neighbours.refresh(report)  # before the snapshot, since it may take long
        texts = await self._neighbours.numbered()
        async with self._store.snapshot(patient=True) as tx:  # `texts` wait for everybody who looks for near-copies
            erasures = await tx.forgetting.erasures()
            total = sum((await tx.rows.counts()).values())
            aside = await read_aside(tx, total) if self._guarded else SetAside()
            draft = Draft(await current_prompt(tx), private=private, aside=aside.ids)
            # In threads, because many rows take seconds and questions are answered meanwhile.
            async for page in counted(tx.rows.by_group(), report, total):
                await texts.add([row.text for row in page])
                await asyncio.to_thread(draft.see, page)
            contested = await texts.contested(draft.groups, draft.categories)
            near_held_out = await texts.near(draft.trained, texts, ~draft.trained)
            near_held_out |= np.isin(draft.groups, draft.groups[~draft.trained])
            await asyncio.to_thread(draft.decide, texts.slots, contested, near_held_out)
            async for page in counted(tx.rows.by_group(), report, total):
                await asyncio.to_thread(_write_lines, file, draft, page)
        manifest = draft.manifest(await asyncio.to_thread(file.close), file.size)
        await self._prove(file, texts, draft, report)
        if not manifest.rows and (left_out := manifest.left_out.get(PRIVATE)):
            raise Refused(Reason.TOO_FEW_PUBLIC, rows=0, private=left_out)
        if not manifest.rows:
            raise Refused(Reason.NO_ROWS, held_out=manifest.held_out)
        return manifest.model_copy(update={"aside": dict(aside.by_person)}), erasures

    async def _keep(self, manifest: Manifest, erasures: str | None, packed: bytes | None = None) -> None:
        async with self._store.transaction() as tx:
            await refuse_erased(tx, erasures)
            if packed is not None:
                await tx.shelf.put(file_name(manifest.id), packed)
            await tx.datasets.put(manifest, self._clock.now())

    async def _prove(self, file: FileWriter, texts: TextNumbering, draft: Draft, report: Progress) -> None:
        """Prove that a file holds no held-out question. The file itself is read, not the rows that it was made from."""
        total, lines, trained = int(draft.kept.sum()), file.lines(), texts.anew()
        while page := await asyncio.to_thread(lambda: questions_of(islice(lines, PROVEN_AT_ONCE))):
            await trained.add(page)
            report(len(trained.slots), total)
        if len(trained.slots) != total:
            raise ValueError("the file has not as many lines as rows were written")
        groups, held_out = draft.groups, ~draft.trained
        seen = await texts.near(held_out, trained, np.ones(total, np.bool_))
        seen |= held_out & np.isin(groups, groups[draft.kept])
        if seen.any():
            raise Refused(Reason.NOT_DISJOINT, rows=int(seen.sum()))

    async def open_questions(self, student: ModelName) -> list[bytes]:
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
        lines = unanswered_lines([text for i, text in enumerate(texts) if i not in near]).splitlines()
        held_out = [row for row in rows if row.split is Split.HELD_OUT]
        await prove_disjoint(self._neighbours, [], held_out, questions_of(lines))
        return lines


async def refuse_erased(tx: Transaction, erasures: str | None) -> None:
    """Refuse to store in this transaction what was read before texts were erased.

    Raises:
        Refused: FORGOTTEN_MEANWHILE.
    """
    if not await tx.forgetting.unerased(erasures):
        raise Refused(Reason.FORGOTTEN_MEANWHILE)


def _write_lines(file: FileWriter, draft: Draft, page: Sequence[Row]) -> None:
    for row, line in draft.lines(page):
        file.write(row, line)


async def counted(pages: AsyncIterator[list[Row]], report: Progress, total: int) -> AsyncIterator[list[Row]]:
    """Yield pages of rows, and report how many rows were worked through, of how many."""
    done = 0
    async for page in pages:
        yield page
        done += len(page)
        report(done, total)


def file_name(dataset_id: str) -> str:
    """Return the name of a training file on the shelf, where it is kept compressed."""
    return f"datasets/{dataset_id}.jsonl.zz"


async def frozen_lines(shelf: Shelf, dataset_id: str) -> Iterator[bytes]:
    """Return the lines of a training file on the shelf, without line feeds.

    Raises:
        KeyError: The file is gone.
    """
    try:
        return lines_of(await shelf.get(file_name(dataset_id)))
    except KeyError:
        return iter((await shelf.get(unpacked_name(dataset_id))).splitlines())


def unpacked_name(dataset_id: str) -> str:
    """Return the name under which earlier versions kept a training file as it is."""
    return f"datasets/{dataset_id}.jsonl"
