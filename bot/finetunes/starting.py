"""The start of a planned fine-tune: one confirmation makes at most one paid job."""

import logging
from datetime import timedelta
from itertools import chain

from bot.dataset.exporting import Exporting, frozen_lines
from bot.dataset.permitting import Permitting
from bot.domain.audit import AuditAct
from bot.domain.errors import FileNotReady, ModelRefused, OutcomeUnknown, Reason, Refused
from bot.domain.finetune import Finetune, FinetuneState, Job
from bot.finetunes.budget import Spending
from bot.finetunes.progress import FinetuneProgress, refuse_second
from bot.ports import Clock, Embedded, NothingEmbedded, Shelf, Store, Trainer

log = logging.getLogger(__name__)

CREATION_UNANSWERED = timedelta(seconds=60)
"""Age from which an unanswered creation's job is searched for; until then the answer may still come."""
JOB_SEARCHES = 5
"""Number of searches, `CREATION_UNANSWERED` apart, after which the job is considered not created."""
UNREAD_FILE_PAUSE = timedelta(minutes=3)
"""Time after which a job is created although its provider does not report the training file as read."""
ROWS_PER_QUERY = 1_000
FORGOTTEN_EXAMPLES = "the training file was deleted, because examples in it were forgotten: start again"
UNSENT = {
    Reason.PLAN_HOLDS_PRIVATE: "the training file holds answers from private channels, which this provider may not get",
    Reason.TRAINING_NOT_ALLOWED: "the permission to train was withdrawn before the training file was sent",
}
"""Why a confirmed fine-tune's file was not sent."""
REFUSED_FILE_PAUSE = timedelta(seconds=20)
"""Time between a refused creation and the next one, where the provider reports the training file as read."""


class Starting:
    """The confirmation of fine-tunes, and the creation of their jobs, which is sent once, never again (decision 6)."""

    def __init__(  # noqa: PLR0913, PLR0917 - every port is needed
        self,
        store: Store,
        shelf: Shelf,
        trainer: Trainer,
        spending: Spending,
        progress: FinetuneProgress,
        clock: Clock,
        exporting: Exporting,
        permitting: Permitting,
        embedded: Embedded | None = None,
    ) -> None:
        self._permitting = permitting
        self._exporting = exporting
        self._embedded = embedded or NothingEmbedded()
        self._store = store
        self._shelf = shelf
        self._trainer = trainer
        self._spending = spending
        self._progress = progress
        self._clock = clock

    async def confirm(self, finetune_id: str, by: str) -> Finetune:
        """Confirm a planned fine-tune. The next `Following.follow` creates its job.

        Raises:
            Refused: NO_FINETUNE, ALREADY_CONFIRMED, FINETUNE_RUNNING, OVER_BUDGET (money was spent since the plan),
                PLAN_HOLDS_PRIVATE, TRAINING_NOT_ALLOWED.
        """
        await self._refuse_private(finetune_id)
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(finetune_id)
            if finetune is None:
                raise Refused(Reason.NO_FINETUNE)
            if finetune.state is not FinetuneState.PLANNED:
                raise Refused(Reason.ALREADY_CONFIRMED)
            await self._permitting.require(tx, finetune.student)
            await refuse_second(tx)
            await self._spending.refuse_over(tx, finetune.estimate)
            confirmed = await self._progress.advance(
                tx, finetune, state=FinetuneState.CONFIRMED, requested_by=by, started_at=self._clock.now()
            )
            if confirmed:
                facts = {"student": str(finetune.student)}
                await tx.audit.add(by, AuditAct.TRAINING_STARTED, self._clock.now(), finetune.id, facts)
        if confirmed is None:
            raise Refused(Reason.ALREADY_CONFIRMED)
        return confirmed

    async def _refuse_private(self, finetune_id: str) -> None:
        """Check that no row leaves which may not: the plan may be older than a setting, or than this program."""
        async with self._store.snapshot() as tx:
            finetune = await tx.finetunes.get(finetune_id)
            if finetune is None or self._exporting.may_hold_private(finetune.student):
                return
            ids = sorted(await tx.finetunes.trained_rows(finetune_id))
            for start in range(0, len(ids), ROWS_PER_QUERY):
                if await tx.rows.hold_private(ids[start : start + ROWS_PER_QUERY]):
                    raise Refused(Reason.PLAN_HOLDS_PRIVATE)

    async def create(self, finetune: Finetune) -> None:
        """Upload the file, and once the provider has read it, create the job with exactly one request.

        It is stored first that the job is about to be created. While the provider reads the file, nothing is done:
        the next call asks again.

        Raises:
            ModelDown, ModelRefused: The file could not be uploaded, or the provider cannot use it. There is no job.
        """
        uploaded = finetune if finetune.file_id else await self._upload(finetune)
        if uploaded is None or not await self._is_readable(uploaded):
            return
        async with self._store.transaction() as tx:
            if await tx.finetunes.has_forgotten(uploaded.id):
                raise ModelRefused(FORGOTTEN_EXAMPLES)
        creating = await self._progress.note(uploaded, state=FinetuneState.CREATING)
        if creating is None:
            return  # cancelled meanwhile, or another replica was first
        try:
            job = await self._trainer.create(creating.student, str(creating.file_id), creating.id, suffix="madoguchi")
        except FileNotReady as error:
            log.info("%s: the provider has not read the training file yet: %s", finetune.id, error)
            await self._progress.note(creating, state=FinetuneState.CONFIRMED, progress=str(error))
            return
        except OutcomeUnknown as error:
            log.warning("%s: the creation got no answer, searching for its job: %s", finetune.id, error)
            return
        except ModelRefused as error:
            await self._progress.save(creating, state=FinetuneState.FAILED, error=str(error))
            return
        if await self._progress.take_over(creating, job) is None and not await self._was_found(creating, job):
            # The searches have given the job up, so nobody waits for it and it must not cost anything.
            await self._trainer.cancel(finetune.student, job.id)

    async def _upload(self, finetune: Finetune) -> Finetune | None:
        try:
            await self._refuse_private(finetune.id)
            async with self._store.snapshot() as tx:
                erasures = await tx.forgetting.erasures()
                await self._permitting.require(tx, finetune.student)
        except Refused as refused:
            await self._progress.save(finetune, state=FinetuneState.FAILED, error=UNSENT[refused.reason])
            return None
        try:
            lines = await frozen_lines(self._shelf, finetune.dataset_id)
        except KeyError:
            raise ModelRefused(FORGOTTEN_EXAMPLES) from None
        if self._embedded.revision(finetune.student) is not None:
            # After the rows: what is reported of a row names its line.
            lines = chain(lines, await self._exporting.open_questions(finetune.student))
        file_id = await self._trainer.upload(finetune.student, f"{finetune.id}.jsonl", lines)
        async with self._store.transaction() as tx:
            unerased = await tx.forgetting.unerased(erasures)
            saved = await self._progress.advance(tx, finetune, file_id=file_id) if unerased else None
        if saved is None:
            # Cancelled meanwhile, or a text in it may be forgotten: nothing else knows of the file. After a forgetting,
            # the next call begins anew.
            await self._trainer.delete_file(finetune.student, file_id)
        return saved

    async def _is_readable(self, finetune: Finetune) -> bool:
        """Return whether to create the job now: the provider has read the file, or does not say so for long.

        Some servers never report a file as read. A creation that is refused because of that is tried again.
        """
        waited = self._clock.now() - finetune.updated_at
        if await self._trainer.has_read(finetune.student, str(finetune.file_id)):
            return finetune.progress is None or waited >= REFUSED_FILE_PAUSE
        return waited >= UNREAD_FILE_PAUSE

    async def search(self, finetune: Finetune) -> None:
        """Search for the job of a creation that got no answer.

        Raises:
            ModelDown, ModelRefused: The provider could not be asked.
        """
        if self._clock.now() - finetune.updated_at < CREATION_UNANSWERED:
            return
        job = await self._trainer.find(finetune.student, finetune.id)
        if job:
            await self._progress.take_over(finetune, job)
        elif finetune.searched + 1 < JOB_SEARCHES:
            await self._progress.note(finetune, searched=finetune.searched + 1)
        else:
            error = "the provider has no job of this name"
            await self._progress.save(finetune, state=FinetuneState.FAILED, error=error)

    async def _was_found(self, finetune: Finetune, job: Job) -> bool:
        """Return whether a search found the job before the answer to its creation came."""
        async with self._store.transaction() as tx:
            current = await tx.finetunes.get(finetune.id)
        return current is not None and current.job_id == job.id
