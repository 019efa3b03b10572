"""Fine-tunes, the rows that each is trained on, and its out-of-fold answers to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.finetune import UNDER_WAY, Finetune, FinetuneState
from bot.domain.fold import OutOfFold
from bot.domain.release import ModelName
from storage.locks import Lock, acquire_lock
from storage.tables import finetune_rows, finetunes, out_of_fold
from storage.upserts import upsert

_FIELDS = [finetunes.c[name] for name in Finetune.model_fields]
_UNDER_WAY = finetunes.c.state.in_([state.value for state in UNDER_WAY])
IS_UNDER_WAY = select(finetunes.c.id).where(_UNDER_WAY)


class SqlFinetunes:
    """The tables `finetunes`, `finetune_rows` and `out_of_fold`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, finetune: Finetune) -> None:
        """Insert a fine-tune.

        Raises:
            sqlalchemy.exc.IntegrityError: The id exists, or the dataset or prompt does not.
        """
        await self._connection.execute(insert(finetunes).values(_values(finetune)))

    async def get(self, finetune_id: str) -> Finetune | None:
        found = await self._select(select(*_FIELDS).where(finetunes.c.id == finetune_id))
        return found[0] if found else None

    async def newest(self, limit: int = 10) -> list[Finetune]:
        return await self._select(
            select(*_FIELDS)
            .where(finetunes.c.state != FinetuneState.PLANNED.value)
            .order_by(finetunes.c.number.desc())
            .limit(limit)
        )

    async def under_way(self, *, lock: bool = False) -> list[Finetune]:
        if lock:
            await acquire_lock(self._connection, Lock.FINETUNE)
        return await self._select(select(*_FIELDS).where(_UNDER_WAY).order_by(finetunes.c.number))

    async def advance(self, finetune: Finetune, was: FinetuneState) -> bool:
        statement = update(finetunes).where(finetunes.c.id == finetune.id, finetunes.c.state == was.value)
        return (await self._connection.execute(statement.values(_values(finetune)))).rowcount > 0

    async def save_rows(self, finetune_id: str, texts: Mapping[str, str]) -> None:
        """Save the rows of a fine-tune; call this once for each fine-tune.

        Raises:
            sqlalchemy.exc.IntegrityError: One of the rows is already saved for this fine-tune.
        """
        if texts:
            values = [{"finetune_id": finetune_id, "row_id": row_id, "text": text} for row_id, text in texts.items()]
            await self._connection.execute(insert(finetune_rows), values)

    async def trained_rows(self, finetune_id: str) -> dict[str, str | None]:
        query = select(finetune_rows.c.row_id, finetune_rows.c.text).where(finetune_rows.c.finetune_id == finetune_id)
        return dict((await self._connection.execute(query)).all())

    async def has_forgotten(self, finetune_id: str) -> bool:
        query = select(finetune_rows.c.row_id).where(
            finetune_rows.c.finetune_id == finetune_id, finetune_rows.c.text.is_(None)
        )
        return (await self._connection.execute(query.limit(1))).scalar() is not None

    async def that_made(self, model: ModelName) -> list[Finetune]:
        return await self._select(
            select(*_FIELDS).where(finetunes.c.model == str(model)).order_by(finetunes.c.number.desc())
        )

    async def save_out_of_fold(self, answers: Sequence[OutOfFold]) -> None:
        await upsert(self._connection, out_of_fold, *map(dict, answers))  # `model_dump` takes 0.3 s for 50,000

    async def out_of_fold(self, finetune_id: str) -> list[OutOfFold]:
        query = select(out_of_fold).where(out_of_fold.c.finetune_id == finetune_id).order_by(out_of_fold.c.row_id)
        return [OutOfFold.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def _select(self, query: Select[Any]) -> list[Finetune]:
        return [_finetune(dict(found)) for found in (await self._connection.execute(query)).mappings()]


def _values(finetune: Finetune) -> dict[str, Any]:
    model = None if finetune.model is None else str(finetune.model)
    return finetune.model_dump() | {"student": str(finetune.student), "model": model}


def _finetune(found: dict[str, Any]) -> Finetune:
    names = {name: ModelName.parse(found[name]) for name in ("student", "model") if found[name] is not None}
    return Finetune.kept(found | names)
