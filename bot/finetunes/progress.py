"""Changes of a fine-tune: each is one transaction that checks the state it starts from."""

from collections.abc import Mapping
from datetime import timedelta

from bot.domain.errors import Reason, Refused
from bot.domain.finetune import ENDED_STATES, STALL_TOPIC, UNDER_WAY, Finetune, FinetuneState, Job
from bot.domain.forgetting import FORGET_FILE_TOPIC, TrainedFile
from bot.domain.release import SYSTEM, ModelName
from bot.finetunes.reports import TrainingReports
from bot.ports import Clock, Store, Transaction
from bot.releases.releasing import add_candidate

ENDINGS = {
    "succeeded": FinetuneState.SUCCEEDED,
    "failed": FinetuneState.FAILED,
    "cancelled": FinetuneState.CANCELLED,
}
"""The provider's words for an ended job. Any other word means that the job still runs."""


class FinetuneProgress:
    """The stored state of fine-tunes; people are told about each change through the outbox."""

    def __init__(self, store: Store, clock: Clock, reports: TrainingReports) -> None:
        self._store = store
        self._clock = clock
        self._reports = reports

    async def save(self, finetune: Finetune, **changes: object) -> Finetune | None:
        """Do what `advance` does, in a transaction of its own."""
        async with self._store.transaction() as tx:
            return await self.advance(tx, finetune, **changes)

    async def note(self, finetune: Finetune, **changes: object) -> Finetune | None:
        """Change fields of a fine-tune that does not go on; otherwise like `save`."""
        async with self._store.transaction() as tx:
            return await self._change(tx, finetune, changes)

    async def advance(self, tx: Transaction, was: Finetune, **changes: object) -> Finetune | None:
        """Change fields of a fine-tune that goes on or ends.

        Returns:
            The fine-tune as it is now, or None if its state is no longer the one in `was`.
        """
        return await self._change(tx, was, {"progressed_at": self._clock.now(), "stalled_at": None, **changes})

    async def tell_stall(self, finetune_id: str, after: timedelta) -> None:
        """Tell people that a fine-tune has not gone on for this long: once, until it goes on."""
        async with self._store.transaction() as tx:
            now = self._clock.now()
            current = await tx.finetunes.get(finetune_id)
            if (
                current is None
                or current.state not in UNDER_WAY
                or current.stalled_at
                or current.requested_by == SYSTEM
            ):
                return
            if now - current.last_progress < after or current.requested_by == SYSTEM:
                return
            if await tx.finetunes.advance(current.model_copy(update={"stalled_at": now}), current.state):
                await tx.outbox.add(STALL_TOPIC, finetune_id, {}, now)

    async def _change(self, tx: Transaction, was: Finetune, changes: Mapping[str, object]) -> Finetune | None:
        current = await tx.finetunes.get(was.id)
        if current is None or current.state is not was.state:
            return None
        now = self._clock.now()
        finetune = current.model_copy(update={**changes, "updated_at": now})
        if not await tx.finetunes.advance(finetune, was.state):
            return None
        if finetune.state in ENDED_STATES and finetune.file_id:
            file = TrainedFile(finetune=finetune.id, model=str(finetune.student), file=finetune.file_id)
            await tx.outbox.add(FORGET_FILE_TOPIC, f"ended:{finetune.id}", file.model_dump(), now)
        if finetune.requested_by != SYSTEM:  # nobody asked for a training that began by itself
            await tx.outbox.add("finetune", finetune.id, {"state": finetune.state.value}, now)
        return finetune

    async def take_over(self, finetune: Finetune, job: Job) -> Finetune | None:
        """Store what the provider says about a job. A job that succeeded becomes a candidate release.

        Returns:
            The fine-tune as it is now, or None if its state has changed meanwhile.

        Raises:
            ModelDown: The job succeeded, and its out-of-fold answers cannot be read now; nothing is stored.
        """
        state = ENDINGS.get(job.status, FinetuneState.RUNNING)
        if state is FinetuneState.SUCCEEDED and job.model is None:
            state = FinetuneState.RUNNING  # some providers name the model a moment later
        model = ModelName(provider=finetune.student.provider, model=job.model) if job.model else None
        progress = job.progress or job.status
        if (state, progress, job.id) == (finetune.state, finetune.progress, finetune.job_id):
            return finetune
        succeeded = state is FinetuneState.SUCCEEDED
        answers, trust = await self._reports.read(finetune, job) if succeeded else ([], None)
        async with self._store.transaction() as tx:
            # An answer to a row that was forgotten since the answers were read would bring the row's id back.
            standing = await tx.forgetting.standing({one.row_id for one in answers})
            changed = await self.advance(
                tx,
                finetune,
                state=state,
                job_id=job.id,
                model=model,
                error=job.error,
                progress=progress,
                trained_tokens=job.trained_tokens,
                trust=trust,
            )
            if changed and succeeded and model:
                await tx.finetunes.save_out_of_fold([one for one in answers if one.row_id in standing])
                await add_candidate(
                    tx,
                    self._clock.now(),
                    model,
                    prompt_id=finetune.prompt_id,
                    by=finetune.requested_by,
                    why="fine-tune succeeded",
                    finetune_id=finetune.id,
                    recall=model.default_recall,
                )
        return changed


async def refuse_second(tx: Transaction) -> None:
    """Refuse a second fine-tune at the same time: the same rows would be trained on, and paid for, twice.

    Raises:
        Refused: FINETUNE_RUNNING.
    """
    running = await tx.finetunes.under_way(lock=True)
    if running:
        raise Refused(Reason.FINETUNE_RUNNING, id=running[0].id)
