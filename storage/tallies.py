"""Counts of dataset rows by person, day and use, made where the rows are stored."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source, Split
from bot.domain.finetune import Finetune
from bot.domain.shares import FEWEST_BURST, FEWEST_SETTLERS, Settlement, burst_days
from bot.domain.tally import BriefRow, Counted, Kind
from storage.audiences import sent_row
from storage.tables import finetune_rows, looks, rows

GROUPS_AT_ONCE = 2_000

_COUNTS = and_(rows.c.withdrawn_at.is_(None), sent_row())
_SETTLED = and_(_COUNTS, rows.c.source != Source.IMPORT.value)
_LOOKED_AT = and_(looks.c.row_id == rows.c.id, looks.c.settled_at == rows.c.settled_at)
_LEFT_OUT = exists().where(_LOOKED_AT, looks.c.keep == false())
SURELY_PUBLIC = and_(
    rows.c.audience == Audience.PUBLIC.value, func.substr(func.coalesce(rows.c.channel, ""), 1, 1) != "D"
)
"""The same as `Row.public`."""

_SHARED = select(rows.c.group).group_by(rows.c.group).having(func.count() > 1)
"""Groups with more than one row, withdrawn ones included: the index alone tells."""


class SqlTallies:
    """Counts of the table `rows`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def kinds(self, finetune: Finetune | None) -> dict[Kind, int]:
        settler = case((rows.c.source != Source.IMPORT.value, rows.c.by)).label("settler")
        learned, public = _learned(finetune).label("learned"), SURELY_PUBLIC.label("public")
        each = select(rows.c.category, rows.c.split, settler, learned, public).where(_COUNTS).subquery()
        query = select(each, func.count()).group_by(*each.c)
        return {
            Kind(category, Split(split), person, Counted(bool(known), bool(readable))): n
            for category, split, person, known, readable, n in await self._connection.execute(query)
        }

    async def settled_days(self) -> dict[str, dict[date, int]]:
        utc = self._connection.dialect.name == "sqlite"
        day = func.date(rows.c.settled_at if utc else func.timezone(literal_column("'UTC'"), rows.c.settled_at))
        query = select(rows.c.by, day, func.count()).where(_SETTLED, ~_LEFT_OUT).group_by(rows.c.by, day)
        found: dict[str, dict[date, int]] = {}
        for person, when, n in await self._connection.execute(query):
            found.setdefault(person, {})[date.fromisoformat(str(when))] = n
        return found

    async def settlements(self, person: str) -> list[Settlement]:
        decided = exists().where(_LOOKED_AT)
        query = select(rows.c.id, rows.c.settled_at, decided).where(_SETTLED, ~_LEFT_OUT, rows.c.by == person)
        return [Settlement(row_id, at, bool(seen)) for row_id, at, seen in await self._connection.execute(query)]

    async def left_out(self) -> frozenset[str]:
        query = select(rows.c.id).join(looks, _LOOKED_AT).where(_COUNTS, looks.c.keep == false())
        return frozenset((await self._connection.execute(query)).scalars())

    async def untrusted(self, some: Collection[Row]) -> set[str]:
        settled = {row.id: row for row in some if row.source is not Source.IMPORT}
        if not settled:
            return set()
        query = select(looks.c.row_id, looks.c.settled_at, looks.c.keep).where(looks.c.row_id.in_(settled))
        decided = {
            row_id: keep
            for row_id, at, keep in await self._connection.execute(query)
            if at == settled[row_id].settled_at
        }
        waiting = [row for row_id, row in settled.items() if row_id not in decided]
        found = {row_id for row_id, keep in decided.items() if not keep}
        crowded = await self._crowded({(row.by, row.settled_at.date()) for row in waiting})
        if not crowded:
            return found
        days = await self.settled_days()
        if len(days) < FEWEST_SETTLERS:
            return found
        sudden = {person: burst_days(days.get(person, {})) for person, _ in crowded}
        return found | {row.id for row in waiting if row.settled_at.date() in sudden.get(row.by, ())}

    async def _crowded(self, days: Collection[tuple[str, date]]) -> list[tuple[str, date]]:
        """Return the days of people with so many rows that they may be bursts. An index counts them."""
        listed = sorted(days)
        if not listed:
            return []
        counts = []
        for at, (person, day) in enumerate(listed):
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
            on_day = rows.c.settled_at >= begin, rows.c.settled_at < begin + timedelta(days=1)
            counts.append(select(literal(at), func.count()).where(rows.c.by == person, *on_day))
        counted = await self._connection.execute(union_all(*counts))
        return [listed[at] for at, n in counted if n >= FEWEST_BURST]

    async def several(self, split: Split, finetune: Finetune | None) -> list[BriefRow]:
        return await self._read(_brief(split, finetune).where(rows.c.group.in_(_SHARED)))

    async def in_groups_counted(
        self, split: Split, groups: Collection[str], finetune: Finetune | None
    ) -> Counter[Counted]:
        listed, found = sorted(groups), Counter[Counted]()
        learned, public = _learned(finetune).label("learned"), SURELY_PUBLIC.label("public")
        for start in range(0, len(listed), GROUPS_AT_ONCE):
            here = rows.c.group.in_(listed[start : start + GROUPS_AT_ONCE])
            each = select(learned, public).where(_COUNTS, rows.c.split == split.value, here).subquery()
            query = select(each, func.count()).group_by(*each.c)
            for known, readable, n in await self._connection.execute(query):
                found[Counted(bool(known), bool(readable))] += n
        return found

    async def _read(self, query: Select[Any]) -> list[BriefRow]:
        found = await self._connection.execute(query)
        return [
            BriefRow(row_id, text, group, category, at, Counted(bool(learned), bool(public)))
            for row_id, text, group, category, at, learned, public in found
        ]


def _brief(split: Split, finetune: Finetune | None) -> Select[Any]:
    columns = (rows.c.id, rows.c.text, rows.c.group, rows.c.category, rows.c.settled_at)
    return select(*columns, _learned(finetune), SURELY_PUBLIC).where(_COUNTS, rows.c.split == split.value)


def _learned(finetune: Finetune | None) -> ColumnElement[bool]:
    if finetune is None:
        return false()
    trained = exists().where(finetune_rows.c.finetune_id == finetune.id, finetune_rows.c.row_id == rows.c.id)
    return and_(trained, rows.c.settled_at <= finetune.created_at)
