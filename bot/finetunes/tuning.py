"""From rows to a model: export, plan, confirm, follow."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta

from bot.current_prompt import current_prompt
from bot.domain.dataset import Export, Split, export, questions_of
from bot.domain.errors import ModelDown, ModelError, ModelRefused, OutcomeUnknown, Reason, Refused
from bot.domain.finetune import Estimate, Finetune, FinetuneState, Job
from bot.domain.release import ModelName
from bot.domain.training_file import FEWEST_EXAMPLES, FileProblem
from bot.finetunes.budget import Spending
from bot.ports import Clock, Estimator, Neighbours, Shelf, Store, Trainer, Transaction
from bot.releases.releasing import add_candidate
from bot.similarity.disjoint import prove_disjoint, seen

log = logging.getLogger(__name__)

CREATION_UNANSWERED = timedelta(seconds=60)
"""A creation that was written down so long ago is no longer on its way: its job is looked for."""
JOB_PATIENCE = timedelta(days=1)
"""For a provider that refuses to say how a job is that it has started."""
JOB_SEARCHES = 5
"""How often, `UNANSWERED` apart, before it is taken for certain that there is no job."""
ENDINGS = {
    "succeeded": FinetuneState.SUCCEEDED,
    "failed": FinetuneState.FAILED,
    "cancelled": FinetuneState.CANCELLED,
}
"""The provider's words for an end; any other word means that the job still runs."""


class Tuning:
    """Makes training files of rows and models of training files."""

    def __init__(  # noqa: PLR0913 - it needs each of them
        self,
        store: Store,
        shelf: Shelf,
        trainer: Trainer,
        estimator: Estimator,
        check: Callable[[bytes], list[FileProblem]],
        clock: Clock,
        *,
        student: ModelName,
        spending: Spending,
        neighbours: Neighbours,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._trainer = trainer
        self._estimator = estimator
        self._check = check
        self._clock = clock
        self._student = student
        self._spending = spending
        self._neighbours = neighbours

    # --- export

    async def export(self) -> Export:
        """Freeze the rows of now: the training file goes to the shelf, its manifest to the record.

        Raises:
            Refused: NO_ROWS; NOT_DISJOINT, where a held-out question stands in the file all the same.
        """
        async with self._store.snapshot() as tx:
            rows = [row async for row in tx.rows.all()]
            prompt = await current_prompt(tx)
        held_out = [row for row in rows if row.split is Split.HELD_OUT]
        to_train = [row for row in rows if row.split is Split.TRAIN]
        contested = await self._neighbours.contested(rows)
        near_held_out = await seen(self._neighbours, to_train, held_out)
        # Many rows take seconds, and questions are answered meanwhile.
        frozen = await asyncio.to_thread(export, rows, prompt, contested=contested, near_held_out=near_held_out)
        # What is proven is the file, not what it was made of.
        by_id = {row.id: row for row in rows}
        lines = zip(frozen.texts, await asyncio.to_thread(questions_of, frozen.data), strict=True)
        trained = [by_id[row_id].model_copy(update={"text": text}) for row_id, text in lines]
        await prove_disjoint(self._neighbours, trained, held_out)
        if not frozen.texts:
            raise Refused(Reason.NO_ROWS, held_out=frozen.manifest.held_out)
        await self._shelf.put(file_name(frozen.manifest.id), frozen.data)
        async with self._store.transaction() as tx:
            await tx.datasets.put(frozen.manifest, self._clock.now())
        return frozen

    # --- plan and confirm

    async def plan(self, by: str, language: str) -> tuple[Finetune, Export]:
        """Validate and price a fine-tune of the rows of now. Nothing is started.

        Raises:
            Refused: NO_ROWS, NOT_DISJOINT, TOO_FEW_ROWS, ONE_CATEGORY, TRAINING_FILE_INVALID (with `problems`),
                FINETUNE_RUNNING, OVER_BUDGET.
        """
        async with self._store.transaction() as tx:
            await refuse_second(tx)
        frozen = await self.export()
        manifest = frozen.manifest
        if manifest.rows < FEWEST_EXAMPLES:
            raise Refused(Reason.TOO_FEW_ROWS, rows=manifest.rows, least=FEWEST_EXAMPLES)
        if len(manifest.per_category) < 2:
            raise Refused(Reason.ONE_CATEGORY)
        if problems := await asyncio.to_thread(self._check, frozen.data):
            raise Refused(Reason.TRAINING_FILE_INVALID, problems="; ".join(str(p) for p in problems[:5]))
        tokens = await asyncio.to_thread(self._estimator.tokens, frozen.data)
        epochs = usual_epochs(manifest.rows)
        usd, price_date = self._estimator.price(self._student, tokens * epochs)
        now = self._clock.now()
        finetune = Finetune(
            id=f"ft-{uuid.uuid4().hex[:8]}",
            student=self._student,
            dataset_id=manifest.id,
            prompt_id=manifest.prompt_id,
            estimate=Estimate(rows=manifest.rows, tokens=tokens, epochs=epochs, usd=usd, price_date=price_date),
            state=FinetuneState.PLANNED,
            requested_by=by,
            language=language,
            created_at=now,
            updated_at=now,
        )
        async with self._store.transaction() as tx:
            await self._spending.refuse_over(tx, finetune.estimate)
            await tx.finetunes.add(finetune)
            await tx.finetunes.save_rows(finetune.id, frozen.texts)
        return finetune, frozen

    async def confirm(self, finetune_id: str, by: str) -> Finetune:
        """Start a planned fine-tune: one confirm, at most one job. The next `follow` sends it.

        Raises:
            Refused: NO_FINETUNE, ALREADY_CONFIRMED, FINETUNE_RUNNING, OVER_BUDGET (money was spent since the plan).
        """
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(finetune_id)
            if finetune is None:
                raise Refused(Reason.NO_FINETUNE)
            if finetune.state is not FinetuneState.PLANNED:
                raise Refused(Reason.ALREADY_CONFIRMED)
            await refuse_second(tx)
            await self._spending.refuse_over(tx, finetune.estimate)
            confirmed = await self._advance(tx, finetune, state=FinetuneState.CONFIRMED, requested_by=by)
        if confirmed is None:
            raise Refused(Reason.ALREADY_CONFIRMED)
        return confirmed

    async def cancel(self) -> Finetune:
        """End the fine-tune that is under way.

        Raises:
            Refused: NO_FINETUNE, NOT_CANCELLABLE (its creation is on its way: try again in a minute).
            ModelDown, ModelRefused: the provider could not or would not; the job goes on.
        """
        async with self._store.transaction() as tx:
            under_way = await tx.finetunes.under_way()
        if not under_way:
            raise Refused(Reason.NO_FINETUNE)
        finetune = under_way[0]
        if finetune.state is FinetuneState.CONFIRMED:
            cancelled = await self._save(finetune, state=FinetuneState.CANCELLED)
            if cancelled:
                return cancelled
        if finetune.job_id is None:
            raise Refused(Reason.NOT_CANCELLABLE)
        job = await self._trainer.cancel(finetune.student, finetune.job_id)
        return await self._learn(finetune, job) or finetune

    # --- follow

    async def follow(self) -> int:
        """Move every fine-tune that is under way one step on; how many there are. Called again and again."""
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

    async def _refused(self, finetune: Finetune, error: str) -> None:
        """A refusal ends what was not created yet. A job that runs is paid for, so it is only shown, for a day.

        A key that was changed or a right that was taken is given back by people, and then the job is found as it is.
        """
        if finetune.state is FinetuneState.CONFIRMED or self._clock.now() - finetune.updated_at > JOB_PATIENCE:
            await self._save(finetune, state=FinetuneState.FAILED, error=error)
        elif finetune.progress != error:
            await self._save(finetune, progress=error)

    async def _step(self, finetune: Finetune) -> None:
        if finetune.state is FinetuneState.CONFIRMED:
            await self._send(finetune)
        elif finetune.state is FinetuneState.CREATING:
            await self._search(finetune)
        elif finetune.job_id:
            await self._learn(finetune, await self._trainer.job(finetune.student, finetune.job_id))

    async def _send(self, finetune: Finetune) -> None:
        """Upload, write down that the job is about to be created, then create it: exactly one request."""
        if finetune.file_id is None:
            data = await self._shelf.get(file_name(finetune.dataset_id))
            file_id = await self._trainer.upload(finetune.student, f"{finetune.id}.jsonl", data)
        else:
            file_id = finetune.file_id
        creating = await self._save(finetune, state=FinetuneState.CREATING, file_id=file_id)
        if creating is None:
            return  # cancelled meanwhile, or another replica was first
        try:
            job = await self._trainer.create(finetune.student, file_id, finetune.id, suffix="madoguchi")
        except OutcomeUnknown as error:
            log.warning("%s: the creation got no answer, its job is looked for: %s", finetune.id, error)
            return
        except ModelRefused as error:
            await self._save(creating, state=FinetuneState.FAILED, error=str(error))
            return
        if await self._learn(creating, job) is None and not await self._known(creating, job):
            # It was given up for lost meanwhile; what nobody waits for must not cost anything.
            await self._trainer.cancel(finetune.student, job.id)

    async def _known(self, finetune: Finetune, job: Job) -> bool:
        """Whether a search found the job before the answer to its creation came."""
        async with self._store.transaction() as tx:
            current = await tx.finetunes.get(finetune.id)
        return current is not None and current.job_id == job.id

    async def _search(self, finetune: Finetune) -> None:
        if self._clock.now() - finetune.updated_at < CREATION_UNANSWERED:
            return
        job = await self._trainer.find(finetune.student, finetune.id)
        if job:
            await self._learn(finetune, job)
        elif finetune.searched + 1 < JOB_SEARCHES:
            await self._save(finetune, searched=finetune.searched + 1)
        else:
            await self._save(finetune, state=FinetuneState.FAILED, error="the provider has no job of this name")

    async def _learn(self, finetune: Finetune, job: Job) -> Finetune | None:
        """Take over what the provider says of a job. A job that succeeded becomes a candidate release."""
        state = ENDINGS.get(job.status, FinetuneState.RUNNING)
        if state is FinetuneState.SUCCEEDED and job.model is None:
            state = FinetuneState.RUNNING  # some providers name the model a moment later
        model = ModelName(provider=finetune.student.provider, model=job.model) if job.model else None
        progress = job.progress or job.status
        if (state, progress, job.id) == (finetune.state, finetune.progress, finetune.job_id):
            return finetune
        async with self._store.transaction() as tx:
            learnt = await self._advance(
                tx,
                finetune,
                state=state,
                job_id=job.id,
                model=model,
                error=job.error,
                progress=progress,
                trained_tokens=job.trained_tokens,
            )
            if learnt and state is FinetuneState.SUCCEEDED and model:
                await add_candidate(
                    tx,
                    self._clock.now(),
                    model,
                    prompt_id=finetune.prompt_id,
                    by=finetune.requested_by,
                    why="fine-tune succeeded",
                    finetune_id=finetune.id,
                )
        return learnt

    async def _save(self, finetune: Finetune, **changes: object) -> Finetune | None:
        async with self._store.transaction() as tx:
            return await self._advance(tx, finetune, **changes)

    async def _advance(self, tx: Transaction, was: Finetune, **changes: object) -> Finetune | None:
        """Save what changed, and let people know. None where the state is no longer what it was."""
        current = await tx.finetunes.get(was.id)
        if current is None or current.state is not was.state:
            return None
        now = self._clock.now()
        finetune = current.model_copy(update={**changes, "updated_at": now})
        if not await tx.finetunes.advance(finetune, was.state):
            return None
        await tx.outbox.add("finetune", finetune.id, {"state": finetune.state.value}, now)
        return finetune


async def refuse_second(tx: Transaction) -> None:
    """One fine-tune at a time: two would be trained on the same rows and paid for twice."""
    running = await tx.finetunes.under_way(lock=True)
    if running:
        raise Refused(Reason.FINETUNE_RUNNING, id=running[0].id)


def file_name(dataset_id: str) -> str:
    """Where a training file lies on the shelf."""
    return f"datasets/{dataset_id}.jsonl"


def usual_epochs(rows: int) -> int:
    """The epochs that OpenAI chooses by itself (openai-cookbook, Chat_finetuning_data_prep): 3, more for few rows."""
    if rows * 3 < 100:
        return min(25, -(-100 // rows))
    return max(1, 25_000 // rows) if rows * 3 > 25_000 else 3
