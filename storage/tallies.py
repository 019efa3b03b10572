"""Counts of dataset rows by person, day and use, made where the rows are stored."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Select,
    Text,
    and_,
    any_,
    cast,
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

GROUPS_AT_ONCE = 20_000
"""Most groups that one statement looks up."""

_COUNTS = and_(rows.c.withdrawn_at.is_(None), sent_row())
_SETTLED = and_(_COUNTS, rows.c.source != Source.IMPORT.value)
_LOOKED_AT = and_(looks.c.row_id == rows.c.id, looks.c.settled_at == rows.c.settled_at)
_IS_LEFT_OUT = looks.c.keep == false()
_LEFT_OUT = exists().where(_LOOKED_AT, _IS_LEFT_OUT)
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
        # Grouped by plain columns in the order of an index, so that the database sorts nothing.
        columns = (rows.c.category, rows.c.split, rows.c.source, rows.c.by)
        query = select(*columns, *_sums(finetune)).where(_COUNTS).group_by(*columns)
        found: Counter[Kind] = Counter()
        for category, split, source, by, *sums in await self._connection.execute(query):
            settler = None if source == Source.IMPORT.value else by
            for counted, number in _counted(sums).items():
                found[Kind(category, Split(split), settler, counted)] += number
        return found

    async def settled_days(self) -> dict[str, dict[date, int]]:
        moment = rows.c.settled_at
        on_sqlite = self._connection.dialect.name == "sqlite"
        day = func.substr(moment, 1, 10) if on_sqlite else func.date(func.timezone(literal_column("'UTC'"), moment))
        query = select(rows.c.by, day, func.count()).where(_SETTLED).group_by(rows.c.by, day)
        found: dict[str, Counter[date]] = {}
        for person, when, n in await self._connection.execute(query):
            found.setdefault(person, Counter())[date.fromisoformat(str(when))] = n
        # Those that are left out are few. To look for a decision about each row would take as long as all the rest.
        for person, when, n in await self._connection.execute(query.join(looks, _LOOKED_AT).where(_IS_LEFT_OUT)):
            # A row may have been settled and left out since the first statement.
            found.setdefault(person, Counter()).subtract({date.fromisoformat(str(when)): n})
        positive = {person: dict(+days) for person, days in found.items()}
        return {person: days for person, days in positive.items() if days}

    async def settlements(self, person: str) -> list[Settlement]:
        decided = exists().where(_LOOKED_AT)
        query = select(rows.c.id, rows.c.settled_at, decided).where(_SETTLED, ~_LEFT_OUT, rows.c.by == person)
        return [Settlement(row_id, at, bool(seen)) for row_id, at, seen in await self._connection.execute(query)]

    async def left_out(self) -> frozenset[str]:
        query = select(rows.c.id).join(looks, _LOOKED_AT).where(_COUNTS, _IS_LEFT_OUT)
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
        listed, found = sorted({*groups}), Counter[Counted]()
        for start in range(0, len(listed), GROUPS_AT_ONCE):
            here = self._among(rows.c.group, listed[start : start + GROUPS_AT_ONCE])
            query = select(*_sums(finetune)).where(_COUNTS, rows.c.split == split.value, here)
            found += _counted((await self._connection.execute(query)).one())
        return found

    def _among(self, column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition that a column has one of many values, which are sent as one: so it is compiled once."""
        sent = literal(json.dumps(values), Text)
        if self._connection.dialect.name == "sqlite":
            return column.in_(select(func.json_each(sent).table_valued("value").c.value))
        each = func.json_array_elements_text(cast(sent, JSON)).table_valued("value")
        # Of an array PostgreSQL walks the index once, and of a subquery for each value.
        return column == any_(func.array(select(each.c.value).scalar_subquery(), type_=ARRAY(Text)))

    async def _read(self, query: Select[Any]) -> list[BriefRow]:
        found = await self._connection.execute(query)
        return [
            BriefRow(row_id, text, group, category, at, Counted(bool(learned), bool(public)))
            for row_id, text, group, category, at, learned, public in found
        ]


def _brief(split: Split, finetune: Finetune | None) -> Select[Any]:
    columns = (rows.c.id, rows.c.text, rows.c.group, rows.c.category, rows.c.settled_at)
    return select(*columns, _learned(finetune), SURELY_PUBLIC).where(_COUNTS, rows.c.split == split.value)


def _sums(finetune: Finetune | None) -> tuple[ColumnElement[int], ...]:
    """Return how many rows there are, how many are public, were learned from, and were without being public."""
    learned, count = _learned(finetune), func.count()
    return count, *(count.filter(flag) for flag in (SURELY_PUBLIC, learned, and_(~SURELY_PUBLIC, learned)))


def _counted(sums: Sequence[int]) -> Counter[Counted]:
    """Return the classes of rows whose `_sums` were read."""
    every, public, learned, hidden = sums
    return +Counter(
        {
            Counted(learned=True, public=True): learned - hidden,
            Counted(learned=True, public=False): hidden,
            Counted(learned=False, public=True): public - (learned - hidden),
            Counted(learned=False, public=False): every - public - hidden,
        }
    )


def _learned(finetune: Finetune | None) -> ColumnElement[bool]:
    if finetune is None:
        return false()
    trained = exists().where(finetune_rows.c.finetune_id == finetune.id, finetune_rows.c.row_id == rows.c.id)
    return and_(trained, rows.c.settled_at <= finetune.created_at)
