"""The act that follows fine-tunes at their providers until they end, and cancels them."""

import logging
from datetime import timedelta

from bot.domain.audit import AuditAct
from bot.domain.errors import ModelDown, ModelError, Reason, Refused
from bot.domain.finetune import Finetune, FinetuneState
from bot.finetunes.progress import FinetuneProgress
from bot.finetunes.starting import Starting
from bot.ports import Clock, Store, Trainer

log = logging.getLogger(__name__)

JOB_PATIENCE = timedelta(days=1)
"""How long a job is followed while its provider refuses to report its state."""
STALLED_AFTER = timedelta(hours=1)
"""Time without progress after which people are asked whether to wait any longer."""


class Following:
    """The course of fine-tunes after their confirmation. One replica at a time calls `follow`."""

    def __init__(
        self, store: Store, trainer: Trainer, starting: Starting, progress: FinetuneProgress, clock: Clock
    ) -> None:
        self._store = store
        self._trainer = trainer
        self._starting = starting
        self._progress = progress
        self._clock = clock

    async def follow(self) -> int:
        """Take the next step of every fine-tune that is under way. A periodic task calls this.

        Returns:
            The number of fine-tunes under way.
        """
        async with self._store.transaction() as tx:
            under_way = await tx.finetunes.under_way()
        for finetune in under_way:
            try:
                await self._step(finetune)
            except ModelDown as error:
                log.warning("%s: the provider does not answer, asking again later: %s", finetune.id, error)
            except ModelError as error:
                log.warning("%s: the provider refused: %s", finetune.id, error)
                await self._refused(finetune, str(error))
            if self._clock.now() - finetune.last_progress >= STALLED_AFTER:
                await self._progress.tell_stall(finetune.id, STALLED_AFTER)
        return len(under_way)

    async def under_way(self, finetune_id: str | None = None) -> Finetune:
        """Return the fine-tune that is under way.

        Args:
            finetune_id: The one that is meant; None means any.

        Raises:
            Refused: NO_FINETUNE.
        """
        async with self._store.transaction() as tx:
            found = await tx.finetunes.under_way()
        wanted = [finetune for finetune in found if finetune_id in {None, finetune.id}]
        if not wanted:
            raise Refused(Reason.NO_FINETUNE)
        return wanted[0]

    async def cancel(self, by: str, finetune_id: str | None = None) -> Finetune:
        """End the fine-tune that is under way.

        Args:
            by: The person's id.
            finetune_id: The one that is meant; None means any.

        Raises:
            Refused: NO_FINETUNE; NOT_CANCELLABLE (the request to create its job is unanswered: try again in a minute).
            ModelDown, ModelRefused: The provider did not cancel the job, so the job goes on.
        """
        finetune = await self.under_way(finetune_id)
        cancelled = await self._cancel(finetune)
        async with self._store.transaction() as tx:
            await tx.audit.add(by, AuditAct.TRAINING_CANCELLED, self._clock.now(), finetune.id)
        return cancelled

    async def _cancel(self, finetune: Finetune) -> Finetune:
        if finetune.state is FinetuneState.CONFIRMED:
            cancelled = await self._progress.save(finetune, state=FinetuneState.CANCELLED)
            if cancelled:
                return cancelled
        if finetune.job_id is None:
            raise Refused(Reason.NOT_CANCELLABLE)
        job = await self._trainer.cancel(finetune.student, finetune.job_id)
        return await self._progress.take_over(finetune, job) or finetune

    async def _step(self, finetune: Finetune) -> None:
        if finetune.state is FinetuneState.CONFIRMED:
            await self._starting.create(finetune)
        elif finetune.state is FinetuneState.CREATING:
            await self._starting.search(finetune)
        elif finetune.job_id:
            job = await self._trainer.job(finetune.student, finetune.job_id)
            await self._progress.take_over(finetune, job)

    async def _refused(self, finetune: Finetune, error: str) -> None:
        """End a fine-tune if its job was not created yet; otherwise only show the error, for `JOB_PATIENCE`.

        A created job is paid for. Once somebody restores the API key or the permission, its state can be read again.
        """
        if finetune.state is FinetuneState.CONFIRMED or self._clock.now() - finetune.updated_at > JOB_PATIENCE:
            await self._progress.save(finetune, state=FinetuneState.FAILED, error=error)
        elif finetune.progress != error:
            await self._progress.note(finetune, progress=error)
