"""Fine-tunes on a real store; the provider and the clock are fakes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.dataset.exporting import Exporting
from bot.dataset.permitting import Permitting
from bot.domain.dataset import Row, Split
from bot.domain.finetune import Finetune
from bot.domain.release import ModelName, Release
from bot.domain.training_file import FileProblem
from bot.finetunes.budget import Spending
from bot.finetunes.following import Following
from bot.finetunes.planning import Planning
from bot.finetunes.progress import FinetuneProgress
from bot.finetunes.reports import TrainingReports
from bot.finetunes.starting import Starting
from bot.ports import Embedded, Neighbours, Shelf, Store, Trainer
from bot.providers.training_file import check
from bot.similarity.neighbours import RowNeighbours
from tests.bot.things import BASE, rows_of
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeTrainer

ENOUGH_ROWS = [*rows_of(Split.TRAIN, "labor", 6), *rows_of(Split.TRAIN, "it", 6), *rows_of(Split.HELD_OUT, "other", 2)]


@dataclass(frozen=True)
class FinetuneActs:
    """The acts from rows to a job."""

    exporting: Exporting
    permitting: Permitting
    planning: Planning
    starting: Starting
    following: Following


def finetune_acts(  # noqa: PLR0917 - the acts need every port
    store: Store,
    shelf: Shelf,
    trainer: Trainer,
    spending: Spending,
    neighbours: Neighbours,
    clock: StepClock,
    check_file: Callable[[Iterable[bytes]], list[FileProblem]] = check,
    student: ModelName = BASE,
    embedded: Embedded | None = None,
    *,
    private_rows: bool = False,
    allowed: bool = True,
) -> FinetuneActs:
    """Return the acts as `bot.acts` builds them, for the base model."""
    exporting, reports = (
        Exporting(store, neighbours, clock, embedded, private_rows=private_rows),
        TrainingReports(store, shelf, trainer, neighbours, clock),
    )
    progress = FinetuneProgress(store, clock, reports)
    planning = Planning(store, exporting, CountingEstimator(), check_file, spending, clock, student)
    permitting = Permitting(store, clock, exporting, student, by_setting=allowed)
    starting = Starting(store, shelf, trainer, spending, progress, clock, exporting, permitting, embedded)
    following = Following(store, trainer, starting, progress, clock)
    return FinetuneActs(exporting, permitting, planning, starting, following)


class OneEmbedded:
    """An installation whose embedded model is `local`.

    Attributes:
        sends_texts: Whether a service makes its vectors.
    """

    sends_texts = False

    def revision(self, model: ModelName) -> str | None:
        return "fp_test" if model.provider == "local" else None

    def reads_here(self, model: ModelName) -> bool:
        return model.provider == "local" and not self.sends_texts

    async def other_encoder(self, model: ModelName) -> str | None:
        return None

    async def read_ahead(self, model: ModelName, questions: Sequence[str], examples: Sequence[str]) -> None:
        pass


class FinetuneBench:
    """The acts of fine-tunes, with their store and fakes."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        trainer: FakeTrainer,
        clock: StepClock,
        *,
        student: ModelName = BASE,
        embedded: Embedded | None = None,
    ) -> None:
        self.student = student
        self.embedded = embedded
        self.store = store
        self.shelf = shelf
        self.trainer = trainer
        self.clock = clock
        self.problems: list[FileProblem] = []
        self.budget: float | None = None
        self.private_rows = False
        self.allowed = True
        """Whether the settings allow trainings."""
        self.acts = self.new_acts()

    def new_acts(self) -> FinetuneActs:
        """Return new acts on the same store, as after a restart or in a second replica."""
        estimator = CountingEstimator()
        neighbours = RowNeighbours(self.store)
        return finetune_acts(
            self.store,
            self.shelf,
            self.trainer,
            Spending(estimator, self.clock, self.budget),
            neighbours,
            self.clock,
            lambda lines: self.problems or check(lines),
            self.student,
            self.embedded,
            private_rows=self.private_rows,
            allowed=self.allowed,
        )

    async def add(self, rows: Sequence[Row]) -> None:
        async with self.store.transaction() as tx:
            for row in rows:
                await tx.rows.put(row)

    async def planned(self) -> Finetune:
        await self.add(ENOUGH_ROWS)
        finetune, _ = await self.acts.planning.plan("U9", "ja")
        return finetune

    async def confirmed(self) -> Finetune:
        return await self.acts.starting.confirm((await self.planned()).id, "U9")

    async def running(self) -> Finetune:
        finetune = await self.confirmed()
        await self.acts.following.follow()
        return await self.reload(finetune)

    async def reload(self, finetune: Finetune) -> Finetune:
        async with self.store.transaction() as tx:
            found = await tx.finetunes.get(finetune.id)
        assert found is not None
        return found

    async def follow(self, minutes: int = 6) -> None:
        """Follow every 15 seconds for this long."""
        for _ in range(minutes * 4):
            await self.acts.following.follow()
            self.clock.advance(seconds=15)

    async def candidates(self) -> list[Release]:
        async with self.store.transaction() as tx:
            return [release for release in await tx.releases.all() if release.finetune_id]
