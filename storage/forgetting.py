"""Requests to forget, tombstones, and the search for what is to be forgotten."""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, Text, cast, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audience import Audience
from bot.domain.finetune import ENDED_STATES
from bot.domain.forgetting import (
    AGES,
    ERASED_CURSOR,
    FORGOTTEN_CURSOR,
    FORGOTTEN_PREFIX,
    OF_PEOPLE,
    OUTSIDE_TOPICS,
    Erased,
    ForgetKind,
    ForgetRequest,
    ForgetState,
    Scope,
    Traced,
    TrainedFile,
    added,
    place_key,
)
from bot.domain.question import Place
from storage.cursors import SqlCursors
from storage.erasing import DATASETS, Eraser, keyed, of_person, traced_questions
from storage.index_parts import delete_index
from storage.locks import Lock, acquire_lock
from storage.posts import SqlPosts, find_standing
from storage.questions import SECOND
from storage.tables import (
    askers,
    audit_people,
    corrections,
    datasets,
    feedback,
    files,
    finetune_rows,
    finetunes,
    forget_requests,
    inbox,
    outbox,
    posts,
    questions,
    review_marks,
    rows,
    signals,
    tombstones,
    verdicts,
)

KEY_CURSOR = "forgetting:key"
"""Cursor: the secret key of all hashes of forgotten things, hexadecimal."""
ERASED_TEXTS = frozenset({"questions", "rows", "settlers"})
"""Names in the counts of an erasure that took texts of questions or rows, or reasons of rows."""
_NAMED = {
    "corrections": corrections,
    "feedback": feedback,
    "signals": signals,
    "marks": review_marks,
    "settlers": rows,
    "inbox": inbox,
    "askers": askers,
    "manifests": datasets,
}
"""Store → table that names people."""


class SqlForgetting:
    """The tables `forget_requests` and `tombstones`; `Eraser` erases the others."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    # --- requests

    async def add(self, request: ForgetRequest) -> None:
        await self._connection.execute(insert(forget_requests).values(_values(request)))

    async def get(self, request_id: str, *, lock: bool = False) -> ForgetRequest | None:
        query = select(forget_requests).where(forget_requests.c.id == request_id)
        return await self._one(query.with_for_update() if lock else query)

    async def save(self, request: ForgetRequest) -> None:
        values = _values(request)
        statement = update(forget_requests).where(forget_requests.c.id == request.id)
        await self._connection.execute(statement.values(values))

    async def newest(self, limit: int) -> list[ForgetRequest]:
        query = select(forget_requests).order_by(forget_requests.c.created_at.desc()).limit(limit)
        return [_request(found) for found in (await self._connection.execute(query)).mappings()]

    async def under_way(self, scope: Scope) -> ForgetRequest | None:
        query = select(forget_requests).where(
            forget_requests.c.kind == scope.kind.value,
            forget_requests.c.target == scope.target,
            forget_requests.c.state != ForgetState.DONE.value,
        )
        return await self._one(query.limit(1))

    async def outside(self, request_id: str) -> int:
        query = select(func.count()).where(
            outbox.c.topic.in_(OUTSIDE_TOPICS), outbox.c.key.startswith(f"{request_id}:", autoescape=True)
        )
        return (await self._connection.execute(query)).scalar_one()

    # --- tombstones

    async def is_forgotten(self, *places: Place) -> bool:
        keys = [place_key(place) for place in places]
        query = select(tombstones.c.place).where(tombstones.c.place.in_(keys)).limit(1)
        return bool(keys) and (await self._connection.execute(query)).scalar() is not None

    async def groups(self, among: Collection[str]) -> dict[str, str]:
        key = await self._key()
        return {keyed(key, group): group for group in among}

    async def moved(self, now: datetime) -> None:
        # Under this lock, no process keeps what it read before.
        await acquire_lock(self._connection, Lock.INDEX)
        await delete_index(self._connection)
        await SqlCursors(self._connection).move(FORGOTTEN_CURSOR, f"{now.isoformat()} {secrets.token_hex(4)}", now)

    # --- what is stored or sent later than it was read

    async def erasures(self) -> str | None:
        return await SqlCursors(self._connection).get(ERASED_CURSOR)

    async def unerased(self, since: str | None) -> bool:
        await acquire_lock(self._connection, Lock.ERASURE, shared=True)
        return await self.erasures() == since

    async def standing(self, ids: Collection[str]) -> set[str]:
        await acquire_lock(self._connection, Lock.ERASURE, shared=True)
        return await find_standing(self._connection, ids)

    # --- search and erasure

    async def working(self, scope: Scope, now: datetime) -> bool:
        if scope.kind in {*OF_PEOPLE, ForgetKind.MESSAGE}:
            own = inbox.c.place == scope.target if scope.kind is ForgetKind.MESSAGE else of_person(inbox, scope)
            query = select(inbox.c.id).where(inbox.c.ending.is_(None), own).limit(1)
            if (await self._connection.execute(query)).scalar() is not None:
                return True
        held = select(outbox.c.key).where(outbox.c.holder.is_not(None), outbox.c.due_at > now)
        keys = {*(await self._connection.execute(held)).scalars()}
        return bool(keys and await self._questions(scope, among=keys))

    async def found(self, scope: Scope) -> dict[str, int]:
        counts = {"questions": len(await self._questions(scope)), "rows": len(await self._rows(scope))}
        for name, query in self._leftovers(scope).items():
            counts[name] = (await self._connection.execute(query)).scalar_one()
        return {name: n for name, n in counts.items() if n}

    async def erase(self, scope: Scope, most: int, now: datetime) -> Erased:
        await acquire_lock(self._connection, Lock.ERASURE)
        erased = await self._erase(scope, most, now)
        if ERASED_TEXTS & erased.counts.keys():
            position = f"{now.isoformat()} {secrets.token_hex(4)}"
            await SqlCursors(self._connection).move(ERASED_CURSOR, position, now)
        return erased

    async def _erase(self, scope: Scope, most: int, now: datetime) -> Erased:
        eraser = Eraser(self._connection, await self._key(), now)
        async with eraser.gate():
            if ids := await self._questions(scope, most):
                return await eraser.questions(ids, with_rows=scope.rows_too)
            if ids := await self._rows(scope, most):
                return await eraser.rows(ids)
            erased = await eraser.words(scope)
            if scope.kind is ForgetKind.EXPORTS:
                counts = added(erased.counts, await eraser.exports(scope.moment))
                posted = await SqlPosts(self._connection).leave(before=scope.moment)
                return erased.model_copy(update={"counts": counts, "posts": posted})
            return erased

    async def private_traces(self, after: str, most: int) -> tuple[str, Traced]:
        private = questions.c.audience != Audience.PUBLIC.value
        query = select(questions.c.id).where(private, questions.c.id > after).order_by(questions.c.id).limit(most)
        ids = [*(await self._connection.execute(query)).scalars()]
        return (ids[-1], await traced_questions(self._connection, ids)) if ids else ("", Traced())

    async def trained_files(self, before: datetime | None = None) -> list[TrainedFile]:
        ended = finetunes.c.state.in_([state.value for state in ENDED_STATES])
        query = select(finetunes).where(ended, finetunes.c.file_id.is_not(None))
        if before is not None:
            query = query.where(finetunes.c.updated_at < before)
        found = (await self._connection.execute(query.order_by(finetunes.c.number))).mappings()
        return [TrainedFile(finetune=one["id"], model=one["student"], file=one["file_id"]) for one in found]

    async def file_deleted(self, finetune_id: str) -> None:
        await self._connection.execute(update(finetunes).where(finetunes.c.id == finetune_id).values(file_id=None))

    async def trained_on(self) -> dict[str, int]:
        forgotten = rows.c.group.startswith(FORGOTTEN_PREFIX) & rows.c.withdrawn_at.is_not(None)
        query = (
            select(finetune_rows.c.finetune_id, func.count())
            .join(rows, rows.c.id == finetune_rows.c.row_id)
            .where(forgotten)
            .group_by(finetune_rows.c.finetune_id)
        )
        return {str(finetune): int(n) for finetune, n in await self._connection.execute(query)}

    async def forget_alias(self, user_id: str) -> None:
        await self._connection.execute(delete(audit_people).where(audit_people.c.user_id == user_id))

    async def _questions(
        self, scope: Scope, most: int | None = None, among: Collection[str] | None = None
    ) -> list[str]:
        query = select(questions.c.id).order_by(questions.c.id).limit(most)
        if among is not None:
            query = query.where(questions.c.id.in_(among))
        if scope.kind in {ForgetKind.BEFORE, ForgetKind.QUESTIONS}:
            return await self._ids(query.where(questions.c.asked_at < scope.moment))
        if scope.kind in OF_PEOPLE:
            own: ColumnElement[bool] = questions.c.asker == scope.target
            word = scope.target
            if scope.until:
                query = query.where(questions.c.asked_at <= scope.until)
        elif scope.kind is ForgetKind.MESSAGE:
            own, word = _at(questions, scope.place), scope.place.ts
        else:
            return []
        # Two queries, each with an index of its own: one for both would read the whole table.
        found = {*await self._ids(query.where(own))}
        named = questions.c.authors.is_not(None), cast(questions.c.authors, Text).contains(word, autoescape=True)
        for question, authors in await self._connection.execute(
            query.limit(None).add_columns(questions.c.authors).where(*named)
        ):
            if _holds(authors, scope):
                found.add(question)
        return sorted(found)[:most]

    async def _ids(self, query: Select[tuple[str]]) -> list[str]:
        return [*(await self._connection.execute(query)).scalars()]

    async def _rows(self, scope: Scope, most: int | None = None) -> list[str]:
        query = select(rows.c.id).where(~rows.c.group.startswith(FORGOTTEN_PREFIX)).order_by(rows.c.id).limit(most)
        alone = ~exists().where(questions.c.id == rows.c.id)
        if scope.kind is ForgetKind.MESSAGE:
            query = query.where(_at(rows, scope.place))
        elif scope.kind is ForgetKind.BEFORE:
            query = query.where(rows.c.settled_at < scope.moment, alone)
        elif scope.kind is ForgetKind.ROWS:
            query = query.where(rows.c.settled_at < scope.moment)
        else:
            return []
        return [*(await self._connection.execute(query)).scalars()]

    def _leftovers(self, scope: Scope) -> dict[str, Select[Any]]:
        """Return the queries that count what stands neither in a question of the scope nor in a row of it."""
        before = scope.moment if scope.kind in AGES else None
        conditions: dict[ForgetKind, Callable[[], dict[str, tuple[Table, ColumnElement[bool]]]]] = {
            ForgetKind.PERSON: lambda: {name: (table, of_person(table, scope)) for name, table in _NAMED.items()},
            ForgetKind.OWN: lambda: {"inbox": (inbox, of_person(inbox, scope))},
            ForgetKind.MESSAGE: lambda: {"inbox": (inbox, inbox.c.place == scope.target)},
            ForgetKind.VERDICTS: lambda: {
                "answers": (verdicts, (verdicts.c.at < before) & (verdicts.c.reason != "")),
                "corrections": (corrections, (corrections.c.at < before) & corrections.c.reason.is_not(None)),
                "feedback": (feedback, (feedback.c.at < before) & feedback.c.words.is_not(None)),
            },
            ForgetKind.EXPORTS: lambda: {
                "exports": (files, files.c.name.startswith(DATASETS) & (files.c.updated_at < before)),
                "posts": (posts, ~posts.c.leaving & (posts.c.at < before)),
            },
        }
        found = conditions.get(scope.kind, dict)()
        return {name: select(func.count()).select_from(table).where(where) for name, (table, where) in found.items()}

    async def _key(self) -> bytes:
        cursors = SqlCursors(self._connection)
        known = await cursors.get(KEY_CURSOR)
        if known is None:
            known = secrets.token_hex(32)
            await cursors.move(KEY_CURSOR, known, datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
        return bytes.fromhex(known)

    async def _one(self, query: Select[Any]) -> ForgetRequest | None:
        found = (await self._connection.execute(query)).mappings().one_or_none()
        return _request(found) if found else None


def _at(table: Any, place: Place) -> ColumnElement[bool]:
    at: ColumnElement[bool] = (
        (table.c.team == place.team)
        & (table.c.channel == place.channel)
        & table.c.ts.in_([place.ts, place.ts + SECOND])
    )
    return at


def _holds(authors: Iterable[Mapping[str, Any]], scope: Scope) -> bool:
    """Return whether one of these authors is the person, or the author of the message."""
    if scope.kind in OF_PEOPLE:
        return any(one["id"] == scope.target for one in authors)
    place = scope.place
    return any((one["channel"], one["ts"]) == (place.channel, place.ts) for one in authors)


def _values(request: ForgetRequest) -> dict[str, Any]:
    return request.model_dump() | {"trained": list(request.trained)}


def _request(found: Mapping[Any, Any]) -> ForgetRequest:
    return ForgetRequest.kept(dict(found))
