"""Releases and their append-only history."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.prompt import Prompt
from bot.domain.release import ModelName, Release, ReleaseEvent, ReleaseState
from storage.locks import Lock, acquire_lock
from storage.tables import prompts, release_events, releases

_AT = "@"
"""Stands in `unsure_revision` between the revision and the threshold that it belongs to."""
_NUMBERED = {"version", "examples"}
"""Fields that a trigger of the database fills."""
_FIELDS = [releases.c[name] for name in Release.model_fields]
_BY_ID = select(*_FIELDS).where(releases.c.id == bindparam("id"))
_IN_STATE = select(*_FIELDS).where(releases.c.state == bindparam("state"))
_ASKED = (
    select(*_FIELDS, prompts.c.body)
    .join(prompts, prompts.c.id == releases.c.prompt_id)
    .where(releases.c.state.in_([ReleaseState.SERVING.value, ReleaseState.SHADOW.value]))
)


class SqlReleases:
    """The tables `releases` and `release_events`; the database refuses updates and deletes of events."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, release: Release, by: str, why: str) -> Release:
        """Insert a release and its first event, and return the release with the number that the database gave it.

        Raises:
            sqlalchemy.exc.IntegrityError: The id exists, or this would be a second serving release.
        """
        values = {
            "model": str(release.model),
            "unsure_revision": _marked(release.unsure_below, release.unsure_revision),
        }
        await self._connection.execute(insert(releases).values(release.model_dump(exclude=_NUMBERED) | values))
        event = ReleaseEvent(release_id=release.id, state=release.state, by=by, why=why, at=release.created_at)
        await self._record(event)
        # A column of RETURNING would be older than SQLite's trigger.
        numbers = select(*(releases.c[name] for name in _NUMBERED)).where(releases.c.id == release.id)
        return release.model_copy(update=dict((await self._connection.execute(numbers)).mappings().one()))

    async def get(self, release_id: str) -> Release | None:
        return await self._one(_BY_ID, id=release_id)

    async def all(self) -> list[Release]:
        found = await self._connection.execute(select(*_FIELDS).order_by(releases.c.number.desc()))
        return [release_of(dict(row)) for row in found.mappings()]

    async def serving(self, *, lock: bool = False) -> Release | None:
        if lock:
            # Not a row lock: after the wait, the row no longer serves and the query would find no release at all.
            # There may also be no row yet.
            await acquire_lock(self._connection, Lock.SERVING)
        return await self._one(_IN_STATE, state=ReleaseState.SERVING.value)

    async def shadow(self) -> Release | None:
        return await self._one(_IN_STATE, state=ReleaseState.SHADOW.value)

    async def asked(self) -> dict[ReleaseState, tuple[Release, Prompt]]:
        found = {}
        for row in (await self._connection.execute(_ASKED)).mappings():
            fields = dict(row)
            body = fields.pop("body")
            release = release_of(fields)
            found[release.state] = release, Prompt.kept(body)
        return found

    async def enter(
        self, release_id: str, state: ReleaseState, by: str, why: str, now: datetime, note: str | None = None
    ) -> None:
        """Change the state of a release and append the event to the history.

        Before a release enters `serving`, retire the serving one in the same transaction.

        Raises:
            sqlalchemy.exc.IntegrityError: Another release serves, or the release does not exist.
        """
        await self._connection.execute(update(releases).where(releases.c.id == release_id).values(state=state.value))
        event = ReleaseEvent(release_id=release_id, state=state, by=by, why=why, at=now, note=note)
        await self._record(event)

    async def set_unsure_below(self, release_id: str, confidence: float | None, revision: str | None) -> None:
        values = {"unsure_below": confidence, "unsure_revision": _marked(confidence, revision)}
        await self._connection.execute(update(releases).where(releases.c.id == release_id).values(values))

    async def history(self, limit: int = 100) -> list[ReleaseEvent]:
        query = (
            select(*(release_events.c[name] for name in ReleaseEvent.model_fields))
            .order_by(release_events.c.number.desc())
            .limit(limit)
        )
        found = (await self._connection.execute(query)).mappings()
        return [ReleaseEvent.model_validate(dict(row)) for row in found]

    async def _record(self, event: ReleaseEvent) -> None:
        await self._connection.execute(insert(release_events).values(event.model_dump()))

    async def _one(self, query: Select[Any], **parameters: str) -> Release | None:
        found = (await self._connection.execute(query, parameters)).mappings().one_or_none()
        return release_of(dict(found)) if found else None


def release_of(found: dict[str, Any]) -> Release:
    """Return a release. Its threshold has no revision if a replica of an earlier version has changed it since."""
    revision = (found["unsure_revision"] or "").rpartition(_AT)[0] or None
    kept = revision if found["unsure_revision"] == _marked(found["unsure_below"], revision) else None
    return Release.model_validate(found | {"model": ModelName.parse(found["model"]), "unsure_revision": kept})


def _marked(threshold: float | None, revision: str | None) -> str | None:
    return None if threshold is None or revision is None else f"{revision}{_AT}{threshold!r}"
