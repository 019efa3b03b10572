"""Prompts by the hash of their text."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.prompt import Prompt
from storage.tables import prompts
from storage.upserts import upsert


class SqlPrompts:
    """The table `prompts`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, prompt: Prompt) -> None:
        await upsert(self._connection, prompts, {"id": prompt.id, "body": prompt.model_dump(mode="json")})

    async def get(self, prompt_id: str) -> Prompt | None:
        body = (await self._connection.execute(select(prompts.c.body).where(prompts.c.id == prompt_id))).scalar()
        return None if body is None else Prompt.model_validate(body)

    async def all(self) -> list[Prompt]:
        bodies = (await self._connection.execute(select(prompts.c.body).order_by(prompts.c.id))).scalars()
        return [Prompt.model_validate(body) for body in bodies]
