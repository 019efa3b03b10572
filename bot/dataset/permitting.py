"""The permission to train: until an admin says once that the company allows it, nothing is trained."""

from datetime import datetime

from bot.dataset.exporting import Exporting
from bot.domain.audit import AuditAct
from bot.domain.errors import Reason, Refused
from bot.domain.permission import PAUSED, PERMISSION_TOPIC, TrainingPermission
from bot.domain.release import ModelName
from bot.ports import Clock, Store, Transaction

ALLOWED_SINCE, ADMINS_ASKED = "training.allowed:", "training.asked:"
"""Cursors, by provider: since when training is allowed, in ISO 8601 or empty; when admins were asked."""
IN_THIS_PROCESS = "*"
"""Stands for the provider of the embedded model. A server elsewhere may bear its name and needs its own permission."""


class Permitting:
    """The permission to train at a provider. Admins are asked once, and the audit log records each decision.

    Args:
        store: Keeps the permissions.
        clock: The time.
        exporting: Knows which students are trained in this process, and what may leave it.
        student: The model that is trained, unless another one is named.
        by_setting: Whether the settings say that the company allows all trainings.
    """

    def __init__(
        self, store: Store, clock: Clock, exporting: Exporting, student: ModelName, *, by_setting: bool = False
    ) -> None:
        self._store = store
        self._clock = clock
        self._exporting = exporting
        self._student = student
        self._by_setting = by_setting

    async def permission(self, student: ModelName | None = None) -> TrainingPermission:
        """Return the permission to train this student; None means the one of the settings."""
        async with self._store.snapshot() as tx:
            return await self.read(tx, student)

    async def read(self, tx: Transaction, student: ModelName | None = None) -> TrainingPermission:
        """Return the same within a transaction."""
        student = student or self._student
        since = await tx.cursors.get(ALLOWED_SINCE + self._provider(student))
        return TrainingPermission(
            student=student,
            embedded=self._exporting.is_embedded(student),
            reads_here=self._exporting.reads_here(student),
            private=self._exporting.may_hold_private(student),
            by_setting=self._by_setting,
            since=datetime.fromisoformat(since) if since else None,
        )

    async def require(self, tx: Transaction, student: ModelName) -> None:
        """Check that this student may be trained.

        Raises:
            Refused: TRAINING_NOT_ALLOWED.
        """
        if not (await self.read(tx, student)).allowed:
            raise Refused(Reason.TRAINING_NOT_ALLOWED)

    async def allow(self, by: str, student: ModelName) -> None:
        """Store that this person says that the company allows trainings by the student's provider."""
        await self._store_answer(by, student, AuditAct.TRAINING_ALLOWED, self._clock.now().isoformat())

    async def withdraw(self, by: str, student: ModelName) -> None:
        """Take the permission back. Trainings under way go on; no new one begins."""
        await self._store_answer(by, student, AuditAct.TRAINING_FORBIDDEN, "")

    async def _store_answer(self, by: str, student: ModelName, act: AuditAct, position: str) -> None:
        now, cursor = self._clock.now(), ALLOWED_SINCE + self._provider(student)
        async with self._store.transaction() as tx:
            if bool(await tx.cursors.get(cursor)) == bool(position):
                return
            await tx.cursors.move(cursor, position, now)
            await tx.audit.add(by, act, now, str(student))

    async def ask_once(self, tx: Transaction, *, paused: bool) -> None:
        """Queue the question to the admins, once per provider and never again.

        Args:
            tx: The transaction.
            paused: Whether trainings took place before, as after an upgrade.
        """
        now, cursor = self._clock.now(), ADMINS_ASKED + self._provider(self._student)
        if not await tx.cursors.get(cursor):
            await tx.cursors.move(cursor, now.isoformat(), now)
            await tx.outbox.add(PERMISSION_TOPIC, str(self._student), {PAUSED: "yes"} if paused else {}, now)

    def _provider(self, student: ModelName) -> str:
        return IN_THIS_PROCESS if self._exporting.is_embedded(student) else student.provider
