"""Stored things that are copied to a mirror.

Each change adds a note for the mirror to the outbox, in the same transaction.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audience import Audience
from bot.domain.correction import Correction
from bot.domain.dataset import Row
from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.mirrored import MIRROR_TOPIC, MirrorChange
from bot.domain.question import SENT, Disclosure, Verdict
from bot.domain.shadow import Shadow
from storage.audiences import SqlAudiences
from storage.corrections import SqlCorrections
from storage.finetunes import SqlFinetunes
from storage.outbox import SqlOutbox
from storage.questions import SqlQuestions
from storage.rows import SqlRows
from storage.shadows import SqlShadows
from storage.tables import questions, rows


class MirrorNotes:
    """Notes for the mirror, kept in the outbox."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._outbox = SqlOutbox(connection)

    async def add(self, change: MirrorChange, key: str, now: datetime, **facts: str) -> None:
        await self._outbox.add(MIRROR_TOPIC, key, {"change": change.value} | facts, now)

    async def add_rows(self, changed: Iterable[tuple[str, datetime]]) -> None:
        notes = [(key, {"change": MirrorChange.ROW.value}, now) for key, now in changed]
        await self._outbox.add_all(MIRROR_TOPIC, notes)


class MirroredQuestions(SqlQuestions):
    """`SqlQuestions` with a mirror note for each verdict, and for that of a direct message when it is sent."""

    async def add_verdict(self, verdict: Verdict) -> None:
        await super().add_verdict(verdict)
        await MirrorNotes(self._connection).add(
            MirrorChange.VERDICT, verdict.question_id, verdict.at, verdict=verdict.id
        )

    async def disclose(self, question_id: str, disclosure: Disclosure, now: datetime) -> None:
        await super().disclose(question_id, disclosure, now)
        verdict = await self.verdict(question_id)
        if disclosure in SENT and verdict:
            # The mirror left the verdict out when it was given.
            await MirrorNotes(self._connection).add(MirrorChange.VERDICT, question_id, now, verdict=verdict.id)


class MirroredShadows(SqlShadows):
    """`SqlShadows` with a mirror note for each answer."""

    async def put(self, shadow: Shadow) -> None:
        await super().put(shadow)
        await MirrorNotes(self._connection).add(
            MirrorChange.SHADOW, shadow.question_id, shadow.at, release=shadow.release_id
        )


class MirroredCorrections(SqlCorrections):
    """`SqlCorrections` with a mirror note for each correction."""

    async def add(self, correction: Correction) -> None:
        await super().add(correction)
        seq = str(correction.seq)
        await MirrorNotes(self._connection).add(MirrorChange.CORRECTION, correction.question_id, correction.at, seq=seq)


class MirroredRows(SqlRows):
    """`SqlRows` with a mirror note for each row that is put or withdrawn."""

    async def put(self, *many: Row) -> None:
        await super().put(*many)
        await MirrorNotes(self._connection).add_rows((row.id, row.settled_at) for row in many)

    async def withdraw(self, row_id: str, now: datetime) -> None:
        await super().withdraw(row_id, now)
        await MirrorNotes(self._connection).add_rows([(row_id, now)])

    async def restore(self, row_id: str, now: datetime) -> None:
        await super().restore(row_id, now)
        await MirrorNotes(self._connection).add_rows([(row_id, now)])

    async def withdraw_anew(self, person: str, since: datetime, at: datetime, now: datetime) -> list[str]:
        withdrawn = await super().withdraw_anew(person, since, at, now)
        await MirrorNotes(self._connection).add_rows((row_id, now) for row_id in withdrawn)
        return withdrawn

    async def restore_anew(self, person: str, at: datetime, now: datetime) -> list[str]:
        restored = await super().restore_anew(person, at, now)
        await MirrorNotes(self._connection).add_rows((row_id, now) for row_id in restored)
        return restored


class MirroredAudiences(SqlAudiences):
    """`SqlAudiences` with a mirror note for what turns out to be public: it was left out of the mirror before."""

    async def learn(self, channel: str | None, audience: Audience, most: int, now: datetime) -> int:
        asked = await self._learn(questions, channel, audience, most)
        learned = await self._learn(rows, channel, audience, most)
        if audience is Audience.PUBLIC:
            notes = MirrorNotes(self._connection)
            stored = SqlQuestions(self._connection)
            for question_id in asked:
                if verdict := await stored.verdict(question_id):
                    await notes.add(MirrorChange.VERDICT, question_id, now, verdict=verdict.id)
            await notes.add_rows((row_id, now) for row_id in learned)
        return len(asked) + len(learned)


class MirroredFinetunes(SqlFinetunes):
    """`SqlFinetunes` with a mirror note for each confirmed fine-tune."""

    async def advance(self, finetune: Finetune, was: FinetuneState) -> bool:
        advanced = await super().advance(finetune, was)
        if advanced and was is FinetuneState.PLANNED:
            await MirrorNotes(self._connection).add(MirrorChange.VERSION, finetune.id, finetune.updated_at)
        return advanced
