"""Corrections by staff, append-only."""

from collections import Counter
from datetime import datetime

from sqlalchemy import bindparam, case, exists, func, insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Split
from bot.domain.evidence import SettledAnswer
from storage.audiences import sent_question, sent_row
from storage.tables import corrections, questions, rows, verdicts

_OF_QUESTION = select(corrections).where(corrections.c.question_id == bindparam("id")).order_by(corrections.c.seq)


_LATER = corrections.alias()
_AGAIN = select(_LATER.c.question_id).where(_LATER.c.seq > literal_column("1"))
"""Questions with more than one correction. A partial index has this condition, with its number as it stands here."""
_IS_NEWEST = ~exists().where(_LATER.c.question_id == corrections.c.question_id, _LATER.c.seq > corrections.c.seq)


class SqlCorrections:
    """The table `corrections`; the database itself refuses updates and deletes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, correction: Correction) -> None:
        """Append a correction.

        Raises:
            sqlalchemy.exc.IntegrityError: The question already has a correction of this `seq`.
        """
        await self._connection.execute(insert(corrections), correction.model_dump())

    async def of(self, question_id: str) -> list[Correction]:
        found = (await self._connection.execute(_OF_QUESTION, {"id": question_id})).mappings()
        return [Correction.model_validate(dict(row)) for row in found]

    async def by(self, person: str, since: datetime) -> list[Correction]:
        query = select(corrections).where(corrections.c.by == person, corrections.c.at >= since)
        return [Correction.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def standing(self, person: str, since: datetime) -> list[str]:
        query = (
            select(corrections.c.question_id)
            .where(corrections.c.by == person, corrections.c.at >= since, _IS_NEWEST)
            .where(corrections.c.kind != CorrectionKind.UNDO.value)
            .order_by(corrections.c.question_id)
        )
        return [*(await self._connection.execute(query)).scalars()]

    async def taken_back(self, person: str, at: datetime) -> list[str]:
        before = corrections.alias()
        query = (
            select(corrections.c.question_id)
            .join(
                before,
                (before.c.question_id == corrections.c.question_id) & (before.c.seq == corrections.c.seq - 1),
            )
            .where(corrections.c.kind == CorrectionKind.UNDO.value, corrections.c.at == at, _IS_NEWEST)
            .where(before.c.by == person)
            .order_by(corrections.c.question_id)
        )
        return [*(await self._connection.execute(query)).scalars()]

    async def seconded(self) -> int:
        agreed = (
            select(rows.c.id)
            .join(corrections, corrections.c.question_id == rows.c.id)
            .where(rows.c.id.in_(_AGAIN))
            .where(rows.c.split == Split.HELD_OUT.value, rows.c.withdrawn_at.is_(None), sent_row())
            .where(corrections.c.kind != CorrectionKind.UNDO.value, corrections.c.category == rows.c.category)
            .group_by(rows.c.id)
            .having(func.count(corrections.c.by.distinct()) >= 2)
        )
        return (await self._connection.execute(select(func.count()).select_from(agreed.subquery()))).scalar_one()

    async def judged(self, since: datetime) -> list[tuple[datetime, bool]]:
        later = corrections.alias()
        newest = select(func.max(later.c.seq)).where(later.c.question_id == corrections.c.question_id)
        query = (
            select(corrections.c.at, corrections.c.kind == CorrectionKind.AGREE.value)
            .join(verdicts, verdicts.c.id == corrections.c.verdict_id)
            .where(corrections.c.at >= since, corrections.c.kind != CorrectionKind.UNDO.value)
            .where(verdicts.c.settled_row.is_(None), corrections.c.seq == newest.scalar_subquery())
        )
        return [(at, bool(right)) for at, right in await self._connection.execute(query)]

    async def settled_answers(self) -> dict[str, SettledAnswer]:
        later = corrections.alias()
        newest = select(func.max(later.c.seq)).where(later.c.question_id == corrections.c.question_id)
        query = (
            select(
                corrections.c.question_id,
                case((verdicts.c.settled_row.is_(None), verdicts.c.release_id)),
                verdicts.c.category,
                verdicts.c.confidence,
                corrections.c.category,
            )
            .join(verdicts, verdicts.c.id == corrections.c.verdict_id)
            .join(questions, questions.c.id == corrections.c.question_id)
            .where(sent_question())
            .where(corrections.c.kind != CorrectionKind.UNDO.value, corrections.c.seq == newest.scalar_subquery())
        )
        return {
            question: SettledAnswer(release_id=release, category=answered, confidence=confidence, settled=settled)
            for question, release, answered, confidence, settled in await self._connection.execute(query)
        }

    async def counted(self, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
        query = (
            select(corrections.c.by, corrections.c.kind, func.count())
            .where(corrections.c.at >= since, corrections.c.at < until)
            .group_by(corrections.c.by, corrections.c.kind)
        )
        found: dict[str, dict[str, int]] = {}
        for by, kind, number in await self._connection.execute(query):
            found.setdefault(by, {})[kind] = number
        return found

    async def contested(self) -> dict[tuple[str, str], int]:
        earlier, later = corrections.alias(), corrections.alias()
        query = (
            select(earlier.c.category, later.c.category, func.count())
            .join(later, (later.c.question_id == earlier.c.question_id) & (later.c.seq == earlier.c.seq + 1))
            .where(earlier.c.question_id.in_(_AGAIN))
            .where(earlier.c.kind != CorrectionKind.UNDO.value, later.c.kind != CorrectionKind.UNDO.value)
            .join(questions, questions.c.id == earlier.c.question_id)
            .where(sent_question())
            .where(earlier.c.by != later.c.by, earlier.c.category != later.c.category)
            .group_by(earlier.c.category, later.c.category)
        )
        counts: Counter[tuple[str, str]] = Counter()
        for one, other, n in await self._connection.execute(query):
            counts[min(one, other), max(one, other)] += n
        return dict(counts)
