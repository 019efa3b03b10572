"""Follows fine-tunes at their providers until they end, and cancels them."""

import logging
from datetime import timedelta

from bot.domain.errors import ModelDown, ModelError, Reason, Refused
from bot.domain.finetune import Finetune, FinetuneState
from bot.finetunes.progress import FinetuneProgress
from bot.finetunes.starting import Starting
from bot.ports import Clock, Store, Trainer

log = logging.getLogger(__name__)

JOB_PATIENCE = timedelta(days=1)
"""How long a job that was started is asked for while its provider refuses to tell how it is."""


class Following:
    """Moves fine-tunes on. One replica at a time calls `follow`."""

    def __init__(
        self, store: Store, trainer: Trainer, starting: Starting, progress: FinetuneProgress, clock: Clock
    ) -> None:
        self._store = store
        self._trainer = trainer
        self._starting = starting
        self._progress = progress
        self._clock = clock

    async def follow(self) -> int:
        """Move every fine-tune that is under way one step on. Called again and again.

        Returns:
            How many fine-tunes are under way.
        """
        async with self._store.transaction() as tx:
            under_way = await tx.finetunes.under_way()
        for finetune in under_way:
            try:
                await self._step(finetune)
            except ModelDown as error:
                log.warning("%s: the provider does not answer, asked again soon: %s", finetune.id, error)
            except ModelError as error:
                log.warning("%s: the provider refused: %s", finetune.id, error)
                await self._refused(finetune, str(error))
        return len(under_way)

    async def cancel(self) -> Finetune:
        """End the fine-tune that is under way.

        Raises:
            Refused: NO_FINETUNE, NOT_CANCELLABLE (its creation is on its way: try again in a minute).
            ModelDown, ModelRefused: The provider could not or would not; the job goes on.
        """
        async with self._store.transaction() as tx:
            under_way = await tx.finetunes.under_way()
        if not under_way:
            raise Refused(Reason.NO_FINETUNE)
        finetune = under_way[0]
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
        """End a fine-tune without a job. A running job is paid for, so its trouble is only shown, for a day.

        People give back a key that was changed or a right that was taken, and then the job is found as it is.
        """
        if finetune.state is FinetuneState.CONFIRMED or self._clock.now() - finetune.updated_at > JOB_PATIENCE:
            await self._progress.save(finetune, state=FinetuneState.FAILED, error=error)
        elif finetune.progress != error:
            await self._progress.save(finetune, progress=error)
