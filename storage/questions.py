"""Questions, their verdicts and their cards."""

from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.question import Place, Question, Verdict
from storage.tables import questions, verdicts
from storage.upserts import insert_new


class SqlQuestions:
    """The tables `questions` and `verdicts`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, question: Question) -> bool:
        values = question.model_dump(exclude={"place"}) | question.place.model_dump()
        return await insert_new(self._connection, questions, values, unique=["team", "channel", "ts"])

    async def get(self, question_id: str, *, lock: bool = False) -> Question | None:
        wanted = select(questions).where(questions.c.id == question_id)
        return await self._one(wanted.with_for_update() if lock else wanted)

    async def at(self, team: str, channel: str, ts: str) -> Question | None:
        return await self._one(
            select(questions).where(questions.c.team == team, questions.c.channel == channel, questions.c.ts == ts)
        )

    async def edit(self, question_id: str, text: str, *, cut: bool) -> None:
        await self._connection.execute(
            update(questions).where(questions.c.id == question_id).values(text=text, cut=cut)
        )

    async def save_card(self, question_id: str, card_ts: str) -> None:
        await self._connection.execute(update(questions).where(questions.c.id == question_id).values(card_ts=card_ts))

    async def add_verdict(self, verdict: Verdict) -> None:
        await self._connection.execute(insert(verdicts).values(verdict.model_dump()))

    async def verdict(self, question_id: str) -> Verdict | None:
        newest = (
            select(*(verdicts.c[name] for name in Verdict.model_fields))
            .where(verdicts.c.question_id == question_id)
            .order_by(verdicts.c.number.desc())
            .limit(1)
        )
        found = (await self._connection.execute(newest)).mappings().one_or_none()
        return Verdict.model_validate(dict(found)) if found else None

    async def count(self) -> int:
        return (await self._connection.execute(select(func.count()).select_from(questions))).scalar_one()

    async def _one(self, wanted: Select[Any]) -> Question | None:
        found = (await self._connection.execute(wanted)).mappings().one_or_none()
        if found is None:
            return None
        place = Place(**{name: found[name] for name in Place.model_fields})
        return Question.model_validate(
            {name: value for name, value in found.items() if name not in Place.model_fields} | {"place": place}
        )
