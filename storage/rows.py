"""Dataset rows."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source, Split
from bot.domain.finetune import FinetuneState
from storage.audiences import sent_row
from storage.tables import finetunes, proposals, questions, rows
from storage.tallies import SURELY_PUBLIC, SqlTallies
from storage.types import Moment
from storage.upserts import upsert

ROWS_IN_MEMORY = 1000
"""Rows per page: an iteration keeps at most one page in memory."""

_NAMES = tuple(Row.model_fields)
_ALL_FIELDS = set(_NAMES)
_SPLITS, _SOURCES, _AUDIENCES = ({one.value: one for one in kind} for kind in (Split, Source, Audience))
_FIELDS = [rows.c[name] for name in Row.model_fields]
_NOT_WITHDRAWN = rows.c.withdrawn_at.is_(None)
_COUNTS = and_(_NOT_WITHDRAWN, sent_row())
_CHANGED = select(*_FIELDS, _COUNTS.label("counts"), rows.c.touched_at).order_by(rows.c.touched_at, rows.c.id)
_TOUCHED = select(rows.c.id, rows.c.touched_at, _COUNTS.label("counts")).order_by(rows.c.touched_at, rows.c.id)
_CHANGED_PAGE = _CHANGED.limit(ROWS_IN_MEMORY)
_CHANGED_SINCE_PAGE = _CHANGED_PAGE.where(rows.c.touched_at >= bindparam("since"))
_SOME = select(*_FIELDS).where(rows.c.id.in_(bindparam("ids", expanding=True)), _COUNTS)
_SOME_LOCKED = _SOME.order_by(rows.c.id).with_for_update(of=rows)
"""Built once, because each question reads what changed, and some of the rows."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_TRAININGS = union_all(
    select(finetunes.c.created_at).where(finetunes.c.state != FinetuneState.PLANNED.value),
    select(proposals.c.created_at),
).subquery()
_LAST_TRAINING = func.coalesce(
    select(func.max(_TRAININGS.c.created_at)).scalar_subquery(), bindparam("ever", type_=Moment)
)
_SETTLED = select(func.count()).where(_COUNTS, rows.c.source != Source.IMPORT.value)
# The first column has an index.
_SETTLED_AFTER = _SETTLED.where(rows.c.touched_at > bindparam("since"), rows.c.settled_at > bindparam("since"))
_SETTLED_SINCE_TRAINING = _SETTLED.where(rows.c.touched_at > _LAST_TRAINING, rows.c.settled_at > _LAST_TRAINING)


class SqlRows(SqlTallies):
    """The table `rows`. A row of a direct message that was not sent counts as withdrawn until it is sent."""

    async def put(self, *many: Row) -> None:
        values = [vars(row) | {"withdrawn_at": None, "touched_at": row.settled_at} for row in many]
        await upsert(self._connection, rows, *values)

    async def withdraw(self, row_id: str, now: datetime) -> None:
        await self._connection.execute(
            update(rows).where(rows.c.id == row_id, _NOT_WITHDRAWN).values(withdrawn_at=now, touched_at=now)
        )

    async def restore(self, row_id: str, now: datetime) -> None:
        withdrawn = rows.c.withdrawn_at.is_not(None)
        await self._connection.execute(
            update(rows).where(rows.c.id == row_id, withdrawn).values(withdrawn_at=None, touched_at=now)
        )

    async def settled_anew(self, person: str, since: datetime) -> list[str]:
        query = select(rows.c.id).where(_settled_anew(person, since), _NOT_WITHDRAWN).order_by(rows.c.id)
        return [*(await self._connection.execute(query)).scalars()]

    async def withdraw_anew(self, person: str, since: datetime, at: datetime, now: datetime) -> list[str]:
        chosen = update(rows).where(_settled_anew(person, since), _NOT_WITHDRAWN)
        withdrawn = chosen.values(withdrawn_at=at, touched_at=now).returning(rows.c.id)
        return [*(await self._connection.execute(withdrawn)).scalars()]

    async def restore_anew(self, person: str, at: datetime, now: datetime) -> list[str]:
        chosen = update(rows).where(_settled_anew(person), rows.c.withdrawn_at == at)
        restored = chosen.values(withdrawn_at=None, touched_at=now).returning(rows.c.id)
        return [*(await self._connection.execute(restored)).scalars()]

    async def get(self, row_id: str, *, lock: bool = False) -> Row | None:
        return (await self.some([row_id], lock=lock)).get(row_id)

    async def some(self, row_ids: Collection[str], *, lock: bool = False) -> dict[str, Row]:
        found = (await self._connection.execute(_SOME_LOCKED if lock else _SOME, {"ids": [*row_ids]})).all()
        return {one.id: _row(one) for one in found}

    async def all(self, split: Split | None = None, category: str | None = None) -> AsyncIterator[Row]:
        query = select(*_FIELDS).where(_COUNTS).order_by(rows.c.id).limit(ROWS_IN_MEMORY)
        if split is not None:
            query = query.where(rows.c.split == split.value)
        if category is not None:
            query = query.where(rows.c.category == category)
        page = (await self._connection.execute(query)).all()
        while page:
            for found in page:
                yield _row(found)
            page = (await self._connection.execute(query.where(rows.c.id > page[-1].id))).all()

    async def by_group(self) -> AsyncIterator[list[Row]]:
        postgresql = self._connection.dialect.name == "postgresql"
        group = rows.c.group.collate("C") if postgresql else rows.c.group  # a server's locale must not decide the order
        query = select(*_FIELDS).where(_COUNTS).order_by(group, rows.c.id)
        found = await self._connection.stream(query, execution_options={"yield_per": ROWS_IN_MEMORY})
        async for page in found.partitions():
            yield [_row(one) for one in page]

    async def page(self, after: str, limit: int) -> list[Row]:
        query = select(*_FIELDS).where(_COUNTS, rows.c.id > after).order_by(rows.c.id).limit(limit)
        return [_row(found) for found in await self._connection.execute(query)]

    async def last_change(self) -> datetime | None:
        last: datetime | None = (await self._connection.execute(select(func.max(rows.c.touched_at)))).scalar_one()
        return last

    async def settled_since(self, since: datetime | None) -> int:
        query = _SETTLED_AFTER if since else _SETTLED
        return (await self._connection.execute(query, {"since": since} if since else {})).scalar_one()

    async def settled_since_training(self, *, private: bool = True) -> int:
        query = _SETTLED_SINCE_TRAINING if private else _SETTLED_SINCE_TRAINING.where(SURELY_PUBLIC)
        return (await self._connection.execute(query, {"ever": _EVER})).scalar_one()

    async def counts(self) -> dict[tuple[str, Split], int]:
        query = (
            select(rows.c.category, rows.c.split, func.count())
            .where(_COUNTS)
            .group_by(rows.c.category, rows.c.split)
            .order_by(rows.c.category, rows.c.split)
        )
        return {(category, Split(split)): n for category, split, n in await self._connection.execute(query)}

    async def private(self) -> int:
        query = select(func.count()).where(_COUNTS, ~SURELY_PUBLIC)
        return (await self._connection.execute(query)).scalar_one()

    async def hold_private(self, row_ids: Collection[str]) -> bool:
        query = select(rows.c.id).where(rows.c.id.in_(row_ids), ~SURELY_PUBLIC).limit(1)
        return (await self._connection.execute(query)).first() is not None

    async def changed(self, since: datetime | None) -> AsyncIterator[tuple[Row, bool]]:
        first, from_then = (_CHANGED_PAGE, None) if since is None else (_CHANGED_SINCE_PAGE, {"since": since})
        page = (await self._connection.execute(first, from_then)).all()
        while page:
            for found in page:
                yield _row(found), found.counts
            if len(page) < ROWS_IN_MEMORY:
                return
            last = page[-1]
            after = _CHANGED.where(_later(last.id, last.touched_at)).limit(ROWS_IN_MEMORY)
            page = (await self._connection.execute(after)).all()

    async def count_changed(self, since: datetime | None) -> int:
        query = select(func.count()).select_from(rows)
        query = query if since is None else query.where(rows.c.touched_at >= since)
        return (await self._connection.execute(query)).scalar_one()

    async def changed_beside(self, known: Mapping[str, datetime], since: datetime) -> AsyncIterator[tuple[Row, bool]]:
        query: Select[Any] = _TOUCHED.limit(ROWS_IN_MEMORY)
        page = (await self._connection.execute(query.where(rows.c.touched_at >= since))).all()
        while page:
            others = [one.id for one in page if not one.counts or known.get(one.id) != one.touched_at]
            found = (await self._connection.execute(_CHANGED.where(rows.c.id.in_(others)))).all() if others else ()
            for one in found:
                yield _row(one), one.counts
            if len(page) < ROWS_IN_MEMORY:
                return
            later = _later(page[-1].id, page[-1].touched_at)
            page = (await self._connection.execute(query.where(later))).all()

    async def in_groups(self, groups: Collection[str]) -> list[Row]:
        query = select(*_FIELDS).where(rows.c.group.in_(groups), _COUNTS).order_by(rows.c.id)
        return [_row(found) for found in await self._connection.execute(query)]


def _later(row_id: str, touched_at: datetime) -> ColumnElement[bool]:
    """Return the condition that a row comes after this one in the order of changes."""
    place = literal(touched_at, rows.c.touched_at.type), literal(row_id, rows.c.id.type)
    return tuple_(rows.c.touched_at, rows.c.id) > tuple_(*place)


def _settled_anew(person: str, since: datetime | None = None) -> ColumnElement[bool]:
    """Return the condition that a person settled a row of no question."""
    settled = and_(rows.c.by == person, rows.c.source != Source.IMPORT.value)
    asked = exists().where(questions.c.id == rows.c.id)
    return and_(settled, ~asked) if since is None else and_(settled, ~asked, rows.c.settled_at >= since)


def _row(found: Sequence[Any]) -> Row:
    """Return the row whose fields come first in a record. An export reads every row, an import each one twice."""
    values = dict(zip(_NAMES, found, strict=False))
    values["split"] = _SPLITS[values["split"]]
    values["source"] = _SOURCES[values["source"]]
    values["audience"] = _AUDIENCES[values["audience"]]
    return Row.of_fields(values, _ALL_FIELDS)
