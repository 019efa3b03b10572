"""A fine-tune's plan: its rows, its validated file and its price. Nothing is started."""

import asyncio
import uuid
from collections.abc import Callable, Iterable

from bot.dataset.exporting import Exporting, refuse_erased
from bot.domain.dataset import PRIVATE, Export, Manifest
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.release import ModelName
from bot.domain.training_file import FEWEST_EXAMPLES, FileProblem
from bot.finetunes.budget import Spending
from bot.finetunes.progress import refuse_second
from bot.ports import Clock, Estimator, Store


class Planning:
    """The planning of fine-tunes of one student.

    Args:
        check: Returns the problems that a provider would find in a training file.
        student: The model to train.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - every port is needed
        self,
        store: Store,
        exporting: Exporting,
        estimator: Estimator,
        check: Callable[[Iterable[bytes]], list[FileProblem]],
        spending: Spending,
        clock: Clock,
        student: ModelName,
    ) -> None:
        self._store = store
        self._exporting = exporting
        self._estimator = estimator
        self._check = check
        self._spending = spending
        self._clock = clock
        self._student = student

    @property
    def student(self) -> ModelName:
        return self._student

    async def plan(self, by: str, language: str) -> tuple[Finetune, Export]:
        """Export the current rows, validate the file and price a fine-tune on it.

        Raises:
            Refused: NO_ROWS, NOT_DISJOINT, TOO_FEW_ROWS, TOO_FEW_PUBLIC, ONE_CATEGORY,
                TRAINING_FILE_INVALID (with `problems`), FINETUNE_RUNNING, OVER_BUDGET, FORGOTTEN_MEANWHILE.
        """
        async with self._store.transaction() as tx:
            await refuse_second(tx)
        frozen = await self._exporting.export(student=self._student)
        manifest = frozen.manifest
        left_out = manifest.left_out.get(PRIVATE, 0)
        if manifest.rows < FEWEST_EXAMPLES <= manifest.rows + left_out:
            raise Refused(Reason.TOO_FEW_PUBLIC, rows=manifest.rows, private=left_out)
        if manifest.rows < FEWEST_EXAMPLES:
            raise Refused(Reason.TOO_FEW_ROWS, rows=manifest.rows, least=FEWEST_EXAMPLES)
        if len(manifest.per_category) < 2:
            raise Refused(Reason.ONE_CATEGORY)
        if problems := await asyncio.to_thread(self._check, frozen.lines()):
            raise Refused(Reason.TRAINING_FILE_INVALID, problems="; ".join(str(p) for p in problems[:5]))
        tokens = await asyncio.to_thread(self._estimator.tokens, frozen.lines())
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
            await refuse_erased(tx, frozen.erasures)
            await self._spending.refuse_over(tx, finetune.estimate)
            await tx.finetunes.add(finetune)
            await tx.finetunes.save_rows(finetune.id, frozen.texts)
        return finetune, frozen

    async def planned(self, finetune_id: str) -> tuple[Finetune, Manifest]:
        """Return a fine-tune, in whatever state, and the manifest of its rows.

        Raises:
            Refused: NO_FINETUNE.
        """
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(finetune_id)
            manifest = await tx.datasets.get(finetune.dataset_id) if finetune else None
        if finetune is None or manifest is None:
            raise Refused(Reason.NO_FINETUNE)
        return finetune, manifest


def usual_epochs(rows: int) -> int:
    """Return the number of epochs that OpenAI chooses by default: 3, more for few rows and fewer for many.

    The rule is that of openai-cookbook, Chat_finetuning_data_prep.
    """
    if rows * 3 < 100:
        return min(25, -(-100 // rows))
    return max(1, 25_000 // rows) if rows * 3 > 25_000 else 3
