"""The figures of one week, for the Monday summary."""

from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audience import Audience
from bot.domain.correction import CorrectionKind
from bot.domain.digest import AskedWeek, Waiting
from bot.domain.feedback import FeedbackKind
from storage.questions import ts_of
from storage.tables import corrections, feedback, questions, signals, verdicts

FEWEST_CONFUSED = 2
"""Number of times from which two categories count as confused: once says nothing."""


class SqlWeeks:
    """Reads of the tables `questions`, `verdicts` and `corrections`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def asked(self, since: datetime, until: datetime) -> AskedWeek:
        category = case((_is_public(), func.coalesce(questions.c.settled, verdicts.c.category)))
        query = (
            select(category, func.count())
            .join(verdicts, verdicts.c.question_id == questions.c.id)
            .where(*_asked_within(since, until), verdicts.c.number == _newest_verdict())
            .group_by(category)
        )
        found = (await self._connection.execute(query)).all()
        public = {one: n for one, n in found if one is not None}
        return AskedWeek(public=public, private=sum(n for one, n in found if one is None))

    async def waiting(self, since: datetime, until: datetime) -> Waiting | None:
        later = feedback.alias()
        newest = select(func.max(later.c.seq)).where(later.c.question_id == feedback.c.question_id).scalar_subquery()
        query = (
            select(questions.c.channel, questions.c.ts, questions.c.asked_at, verdicts.c.category)
            .join(verdicts, verdicts.c.question_id == questions.c.id)
            .where(*_asked_within(since, until), verdicts.c.number == _newest_verdict(), _is_public())
            .where(questions.c.settled.is_(None), questions.c.card_ts.is_not(None), verdicts.c.settled_row.is_(None))
            .where(~exists().where(signals.c.question_id == questions.c.id, signals.c.withdrawn == false()))
            .where(
                ~exists().where(
                    feedback.c.question_id == questions.c.id,
                    feedback.c.seq == newest,
                    feedback.c.kind == FeedbackKind.SOLVED.value,
                )
            )
            .order_by(questions.c.asked_at, questions.c.id)
            .limit(1)
        )
        found = (await self._connection.execute(query)).mappings().one_or_none()
        return Waiting.model_validate(dict(found) | {"ts": ts_of(found["ts"])}) if found else None

    async def confused(self, since: datetime, until: datetime) -> tuple[str, str, int] | None:
        later = corrections.alias()
        newest = select(func.max(later.c.seq)).where(later.c.question_id == corrections.c.question_id)
        query = (
            select(verdicts.c.category, corrections.c.category, func.count())
            .join(verdicts, verdicts.c.id == corrections.c.verdict_id)
            .join(questions, questions.c.id == corrections.c.question_id)
            .where(corrections.c.at >= since, corrections.c.at < until, _is_public())
            .where(corrections.c.kind != CorrectionKind.UNDO.value, corrections.c.seq == newest.scalar_subquery())
            .where(verdicts.c.category != corrections.c.category)
            .group_by(verdicts.c.category, corrections.c.category)
        )
        pairs: Counter[tuple[str, str]] = Counter()
        for answered, settled, n in await self._connection.execute(query):
            pairs[min(answered, settled), max(answered, settled)] += n
        most = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        return (*most, pairs[most]) if most and pairs[most] >= FEWEST_CONFUSED else None


def _is_public() -> ColumnElement[bool]:
    return questions.c.audience == Audience.PUBLIC.value


def _asked_within(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that it was asked in this time, and that staff did not say that it is no question."""
    return questions.c.asked_at >= since, questions.c.asked_at < until, ~questions.c.set_aside


def _newest_verdict() -> ColumnElement[int]:
    newer = verdicts.alias()
    return select(func.max(newer.c.number)).where(newer.c.question_id == questions.c.id).scalar_subquery()
