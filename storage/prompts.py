"""Prompts by the hash of their text, and the append-only history of the current prompt."""

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.prompt import Prompt, PromptEvent
from storage.tables import prompt_events, prompts
from storage.upserts import upsert

_BODY = select(prompts.c.body).where(prompts.c.id == bindparam("id"))


class SqlPrompts:
    """The tables `prompts` and `prompt_events`; the database refuses updates and deletes of events."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, prompt: Prompt) -> None:
        await upsert(self._connection, prompts, {"id": prompt.id, "body": prompt.model_dump(mode="json")})

    async def get(self, prompt_id: str) -> Prompt | None:
        body = (await self._connection.execute(_BODY, {"id": prompt_id})).scalar()
        return None if body is None else Prompt.kept(body)

    async def all(self) -> list[Prompt]:
        bodies = (await self._connection.execute(select(prompts.c.body).order_by(prompts.c.id))).scalars()
        return [Prompt.kept(body) for body in bodies]

    async def enter(self, event: PromptEvent) -> None:
        """Append an event to the history.

        Raises:
            sqlalchemy.exc.IntegrityError: The event's prompt is not stored.
        """
        await self._connection.execute(insert(prompt_events).values(event.model_dump()))

    async def history(self) -> list[PromptEvent]:
        fields = [prompt_events.c[name] for name in PromptEvent.model_fields]
        query = select(*fields).order_by(prompt_events.c.number.desc())
        return [PromptEvent.model_validate(dict(found)) for found in (await self._connection.execute(query)).mappings()]
