"""Answers that releases gave in evaluations."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.scorecard import Result
from storage.tables import results
from storage.upserts import upsert


class SqlResults:
    """The table `results`: one row per release, text and revision."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, results_: Sequence[Result]) -> None:
        values = (result.model_dump() | {"text_key": _key(result.text_key, result.revision)} for result in results_)
        await upsert(self._connection, results, *values)

    async def of(self, release_id: str, revision: str | None) -> dict[str, Result]:
        same = results.c.revision == revision if revision else results.c.revision.is_(None)
        found = await self._connection.execute(select(results).where(results.c.release_id == release_id, same))
        parsed = [Result.model_validate(dict(row)) for row in found.mappings()]
        plain = [one.model_copy(update={"text_key": one.text_key.removesuffix(_key("", revision))}) for one in parsed]
        return {one.text_key: one for one in plain}


def _key(text_key: str, revision: str | None) -> str:
    return f"{text_key}@{revision}" if revision else text_key
