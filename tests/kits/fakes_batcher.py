"""A provider that answers batches when a test says so."""

from collections.abc import Sequence

from bot.domain.batch import BatchJob
from bot.domain.errors import ModelDown, ModelError, ModelRefused, OutcomeUnknown, Reason, Refused
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from tests.kits.fakes_acts import Fault, Faults, lose

LABOR = Answer(category="labor", reason="r", confidence=0.9, tokens_in=5, tokens_out=1)


class KeepingBatcher:
    """A provider that keeps batches in memory; a test ends them."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.batches: dict[str, list[str]] = {}
        self.ended: dict[str, dict[str, Answer | ModelError]] = {}
        self.deleted: list[str] = []
        """Batches whose files were deleted."""

    async def check(self, model: ModelName) -> None:
        if self.faults.take("check"):
            raise Refused(Reason.NO_BATCHES, provider=model.provider)

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        fault = self.faults.take("submit")
        if fault is Fault.REFUSED:
            raise ModelRefused("no")
        if fault is not Fault.DOWN:
            self.batches[run_id] = [key for key, _, _ in asked]
        lose(fault, OutcomeUnknown("no answer"))
        return run_id

    async def find(self, model: ModelName, run_id: str) -> str | None:
        return run_id if run_id in self.batches else None

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        if self.faults.take("state"):
            raise ModelDown("down")
        return BatchJob(id=batch_id, ended=batch_id in self.ended)

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        return self.ended[batch_id]

    async def delete_files(self, model: ModelName, batch_id: str) -> None:
        if self.faults.take("delete_files"):
            raise ModelDown("down")
        self.deleted.append(batch_id)
