"""A record that has a mirror: what changes in it is noted in the outbox, in the same transaction."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.correction import Correction
from bot.domain.dataset import Row
from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.mirrored import MIRROR_TOPIC, MirrorChange
from bot.domain.question import Verdict
from bot.domain.shadow import Shadow
from storage.corrections import SqlCorrections
from storage.finetunes import SqlFinetunes
from storage.outbox import SqlOutbox
from storage.questions import SqlQuestions
from storage.rows import SqlRows
from storage.shadows import SqlShadows


class Noting:
    """Writes notes for the mirror."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._outbox = SqlOutbox(connection)

    async def note(self, change: MirrorChange, key: str, now: datetime, **facts: str) -> None:
        await self._outbox.add(MIRROR_TOPIC, key, {"change": change.value} | facts, now)

    async def rows(self, many: Iterable[tuple[str, datetime]]) -> None:
        await self._outbox.add_all(MIRROR_TOPIC, [(key, {"change": MirrorChange.ROW.value}, now) for key, now in many])


class MirroredQuestions(SqlQuestions):
    """Notes each verdict."""

    async def add_verdict(self, verdict: Verdict) -> None:
        await super().add_verdict(verdict)
        await Noting(self._connection).note(MirrorChange.VERDICT, verdict.question_id, verdict.at, verdict=verdict.id)


class MirroredShadows(SqlShadows):
    """Notes each answer of a shadow."""

    async def put(self, shadow: Shadow) -> None:
        await super().put(shadow)
        await Noting(self._connection).note(
            MirrorChange.SHADOW, shadow.question_id, shadow.at, release=shadow.release_id
        )


class MirroredCorrections(SqlCorrections):
    """Notes each correction."""

    async def add(self, correction: Correction) -> None:
        await super().add(correction)
        seq = str(correction.seq)
        await Noting(self._connection).note(MirrorChange.CORRECTION, correction.question_id, correction.at, seq=seq)


class MirroredRows(SqlRows):
    """Notes each row that was put or withdrawn."""

    async def put(self, *many: Row) -> None:
        await super().put(*many)
        await Noting(self._connection).rows((row.id, row.settled_at) for row in many)

    async def withdraw(self, row_id: str, now: datetime) -> None:
        await super().withdraw(row_id, now)
        await Noting(self._connection).rows([(row_id, now)])


class MirroredFinetunes(SqlFinetunes):
    """Notes each fine-tune that is confirmed."""

    async def advance(self, finetune: Finetune, was: FinetuneState) -> bool:
        advanced = await super().advance(finetune, was)
        if advanced and was is FinetuneState.PLANNED:
            await Noting(self._connection).note(MirrorChange.VERSION, finetune.id, finetune.updated_at)
        return advanced
