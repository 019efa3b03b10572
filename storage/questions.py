"""Questions, their verdicts and their cards."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Select,
    and_,
    bindparam,
    false,
    func,
    insert,
    outerjoin,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audience import Audience
from bot.domain.consent import Author
from bot.domain.evidence import Thousandths
from bot.domain.feedback import FeedbackKind
from bot.domain.question import Disclosure, Place, Question, Verdict
from storage.audiences import sent_question, sent_row
from storage.tables import (
    feedback,
    forgotten_tokens,
    questions,
    releases,
    results,
    rows,
    sent_messages,
    shadows,
    verdicts,
)
from storage.upserts import insert_new

SECOND = "/2"
"""End of the stored ts of a message's second question. A message has one row with its ts."""
_BY_ID = select(questions).where(questions.c.id == bindparam("id"))
_LOCKED = _BY_ID.with_for_update()
_TEXTS = select(questions.c.id, questions.c.text).where(questions.c.id.in_(bindparam("ids", expanding=True)))
_AT = select(questions).where(*(questions.c[name] == bindparam(name) for name in ("team", "channel", "ts")))
_SAVE_CARD = update(questions).where(questions.c.id == bindparam("question_id")).values(card_ts=bindparam("posted_ts"))
_REOPEN = update(questions).where(questions.c.id == bindparam("question_id")).values(settled=bindparam("category"))
_SETTLE = _REOPEN.values(set_aside=False)
_OPEN = sql("settled IS NULL AND card_ts IS NOT NULL")
"""The condition of the partial index, so that queries use it."""
_ADD_VERDICT = insert(verdicts)
_NEWEST_VERDICT = (
    select(*(verdicts.c[name] for name in Verdict.model_fields))
    .where(verdicts.c.question_id == bindparam("id"))
    .order_by(verdicts.c.number.desc())
    .limit(1)
)


class SqlQuestions:
    """The tables `questions` and `verdicts`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, question: Question) -> bool:
        values = question.model_dump(exclude={"place", "authors"}) | question.place.model_dump() | _authors(question)
        if question.part_of:
            values["ts"] += SECOND
        return await insert_new(self._connection, questions, values, unique=["team", "channel", "ts"])

    async def put_second(self, question: Question) -> None:
        if await self.add(question):
            return
        values = {name: getattr(question, name) for name in ("text", "audience", "disclosure", "card_ts")}
        await self._connection.execute(update(questions).where(questions.c.id == question.id).values(values))

    async def second(self, question: Question) -> Question | None:
        found = await self.get(question.second_id)
        return found if found and found.text else None

    async def drop_second(self, question: Question) -> None:
        await self.hide(question.second_id)
        await self._connection.execute(update(questions).where(questions.c.id == question.second_id).values(text=""))

    async def get(self, question_id: str, *, lock: bool = False) -> Question | None:
        return await self._one(_LOCKED if lock else _BY_ID, id=question_id)

    async def texts(self, question_ids: Collection[str]) -> dict[str, str]:
        found = await self._connection.execute(_TEXTS, {"ids": [*question_ids]})
        return {one.id: one.text for one in found}

    async def at(self, team: str, channel: str, ts: str) -> Question | None:
        return await self._one(_AT, team=team, channel=channel, ts=ts)

    async def of_message(self, team: str, channel: str, ts: str) -> Question | None:
        card = select(questions).where(
            questions.c.card_ts == ts,
            questions.c.team == team,
            questions.c.channel == channel,
            questions.c.part_of.is_(None),
        )
        return await self.at(team, channel, ts) or await self._one(card)

    async def asked_by(self, asker: str, question_ids: Collection[str]) -> set[str]:
        query = select(questions.c.id).where(questions.c.id.in_(question_ids), questions.c.asker == asker)
        return {*(await self._connection.execute(query)).scalars()}

    async def edit(self, question: Question) -> None:
        values = {"text": question.text, "cut": question.cut, "unread": question.unread} | _authors(question)
        await self._connection.execute(update(questions).where(questions.c.id == question.id).values(values))

    async def disclose(self, question_id: str, disclosure: Disclosure, now: datetime) -> None:  # noqa: ARG002 - the mirror notes the time
        statement = update(questions).where(questions.c.id == question_id)
        await self._connection.execute(statement.values(disclosure=disclosure))

    async def save_sent(self, question_id: str, channel: str, ts: str) -> None:
        values = {"question_id": question_id, "channel": channel, "ts": ts}
        await insert_new(self._connection, sent_messages, values, unique=["channel", "ts"])

    async def sent_as(self, channel: str, ts: str) -> Question | None:
        sent = select(sent_messages.c.question_id).where(sent_messages.c.channel == channel, sent_messages.c.ts == ts)
        return await self._one(select(questions).where(questions.c.id == sent.scalar_subquery()))

    async def save_card(self, question_id: str, card_ts: str) -> None:
        await self._connection.execute(_SAVE_CARD, {"question_id": question_id, "posted_ts": card_ts})

    async def hide(self, question_id: str) -> None:
        values = {"audience": Audience.DIRECT, "disclosure": None}
        await self._connection.execute(update(questions).where(questions.c.id == question_id).values(values))

    async def add_verdict(self, verdict: Verdict) -> None:
        await self._connection.execute(_ADD_VERDICT, verdict.model_dump())

    async def verdict(self, question_id: str) -> Verdict | None:
        found = (await self._connection.execute(_NEWEST_VERDICT, {"id": question_id})).mappings().one_or_none()
        return Verdict.model_validate(dict(found)) if found else None

    async def answered(self, verdict_ids: Collection[str]) -> dict[str, tuple[Question, Verdict]]:
        query = (
            select(verdicts, questions)
            .join(questions, questions.c.id == verdicts.c.question_id)
            .where(verdicts.c.id.in_(verdict_ids))
            .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        )
        found = {}
        for joined in (await self._connection.execute(query)).mappings():
            verdict = Verdict.model_validate({name: joined[f"verdicts_{name}"] for name in Verdict.model_fields})
            fields = {column.name: joined[f"questions_{column.name}"] for column in questions.c}
            found[verdict.id] = _question(fields), verdict
        return found

    async def count(self) -> int:
        return (await self._connection.execute(select(func.count()).select_from(questions))).scalar_one()

    async def settle(self, question_id: str, category: str | None) -> None:
        statement = _SETTLE if category else _REOPEN
        await self._connection.execute(statement, {"question_id": question_id, "category": category})

    async def set_aside(self, question_id: str, *, aside: bool) -> None:
        await self._connection.execute(update(questions).where(questions.c.id == question_id).values(set_aside=aside))

    async def open(self, limit: int) -> list[tuple[Question, Verdict]]:
        found = await self.waiting(limit)
        newest = await self._verdicts([question.id for question in found])
        return [(question, newest[question.id]) for question in found if question.id in newest]

    async def waiting(self, limit: int) -> list[Question]:
        # Two reads in the order of an index. One that sorts by both would look at every open question.
        unhelped = await self._open(limit, questions.c.id.in_(_unhelped()))
        others = await self._open(limit, ~_remembered())
        return [*({one.id: one for one in (*unhelped, *others)}).values()][:limit]

    async def _open(self, limit: int, *conditions: ColumnElement[bool]) -> list[Question]:
        query = select(questions).where(_OPEN, ~questions.c.set_aside, sent_question(), *conditions)
        query = query.order_by(questions.c.asked_at.desc(), questions.c.id).limit(limit)
        return [_question(row) for row in (await self._connection.execute(query)).mappings().all()]

    async def _verdicts(self, question_ids: Sequence[str]) -> dict[str, Verdict]:
        """Return the newest verdict of each of these questions that has one."""
        newest = select(func.max(verdicts.c.number)).group_by(verdicts.c.question_id)
        newest = newest.where(verdicts.c.question_id.in_(question_ids))
        query = select(*(verdicts.c[name] for name in Verdict.model_fields)).where(verdicts.c.number.in_(newest))
        found = (await self._connection.execute(query)).mappings()
        return {one["question_id"]: Verdict.model_validate(dict(one)) for one in found}

    async def last_of(self, asker: str, n: int) -> list[Question]:
        query = select(questions).where(questions.c.asker == asker, questions.c.text != "")
        query = query.order_by(questions.c.asked_at.desc(), questions.c.ts).limit(n)
        return [_question(row) for row in (await self._connection.execute(query)).mappings().all()]

    async def tokens(self, since: datetime, *, live: bool = False) -> dict[str, tuple[int, int]]:
        read: Counter[str] = Counter()
        written: Counter[str] = Counter()
        for table in (verdicts,) if live else (verdicts, results, shadows):
            query = (
                select(releases.c.model, func.sum(table.c.tokens_in), func.sum(table.c.tokens_out))
                .join(releases, releases.c.id == table.c.release_id)
                .where(table.c.at >= since)
                .group_by(releases.c.model)
            )
            for model, tokens_in, tokens_out in await self._connection.execute(query):
                read[model] += int(tokens_in)
                written[model] += int(tokens_out)
        forgotten = (
            select(releases.c.model, func.sum(forgotten_tokens.c.tokens_in), func.sum(forgotten_tokens.c.tokens_out))
            .join(releases, releases.c.id == forgotten_tokens.c.release_id)
            .where(forgotten_tokens.c.day >= since.date().isoformat())
            .group_by(releases.c.model)
        )
        if live:
            forgotten = forgotten.where(forgotten_tokens.c.live)
        for model, tokens_in, tokens_out in await self._connection.execute(forgotten):
            read[model] += int(tokens_in)
            written[model] += int(tokens_out)
        return {model: (read[model], written[model]) for model in sorted(read)}

    async def count_by_confidence(self) -> dict[str, dict[Thousandths, int]]:
        newer = verdicts.alias()
        newest = select(func.max(newer.c.number)).where(newer.c.question_id == verdicts.c.question_id)
        told = func.round(verdicts.c.confidence * 1000).label("told")
        query = (
            select(verdicts.c.release_id, told, func.count())
            .where(verdicts.c.settled_row.is_(None), verdicts.c.number == newest.scalar_subquery())
            .group_by(verdicts.c.release_id, told)
        )
        found: dict[str, dict[Thousandths, int]] = defaultdict(dict)
        for release_id, confidence, count in await self._connection.execute(query):
            found[release_id][None if confidence is None else int(confidence)] = count
        return dict(found)

    async def answers(self, since: datetime) -> tuple[int, int]:
        newer = verdicts.alias()
        newest = select(func.max(newer.c.number)).where(newer.c.question_id == verdicts.c.question_id)
        query = select(func.count(), func.count(verdicts.c.settled_row)).where(
            verdicts.c.at >= since, verdicts.c.number == newest.scalar_subquery()
        )
        answered, remembered = (await self._connection.execute(query)).one()
        return remembered, answered - remembered

    async def _one(self, query: Select[Any], **parameters: str) -> Question | None:
        found = (await self._connection.execute(query, parameters)).mappings().one_or_none()
        return _question(found) if found else None


def _authors(question: Question) -> dict[str, Any]:
    """Return the columns about a question's authors."""
    authors = [author.model_dump(mode="json") for author in question.authors]
    return {"authors": authors or None, "withheld": question.withheld}


def _remembered() -> ColumnElement[bool]:
    """Return the condition that a question's newest verdict repeats a row that still stands as it was.

    It is a value of each question, and no EXISTS, for which PostgreSQL would join all verdicts first.
    """
    stands = and_(rows.c.withdrawn_at.is_(None), sent_row(), rows.c.category == verdicts.c.category)
    repeated = outerjoin(verdicts, rows, rows.c.id == verdicts.c.settled_row)
    newest = select(stands).select_from(repeated).where(verdicts.c.question_id == questions.c.id)
    return func.coalesce(newest.order_by(verdicts.c.number.desc()).limit(1).scalar_subquery(), false())


def _unhelped() -> Select[tuple[str]]:
    """Return the ids of the questions whose newest feedback says that their asker was not helped."""
    later = feedback.alias()
    newest = select(func.max(later.c.seq)).where(later.c.question_id == feedback.c.question_id).scalar_subquery()
    return select(feedback.c.question_id).where(feedback.c.seq == newest, feedback.c.kind != FeedbackKind.SOLVED.value)


def ts_of(stored: str) -> str:
    """Return the ts of a question's message."""
    return stored.removesuffix(SECOND)


def _question(found: Mapping[Any, Any]) -> Question:
    place = Place(**{name: found[name] for name in Place.model_fields} | {"ts": ts_of(found["ts"])})
    fields = {name: found[name] for name in Question.model_fields if name not in {"place", "authors"}}
    authors = tuple(map(Author.kept, found["authors"] or ()))
    return Question.model_validate(fields | {"place": place, "authors": authors})
