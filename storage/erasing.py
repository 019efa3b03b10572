"""The erasure of questions, rows and words in all tables. Only a transaction that forgets uses it."""

import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Delete, Table, Text, Update, cast, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.dataset import IMPORTED_PREFIX, group_of, normalised, text_key
from bot.domain.forgetting import FORGOTTEN_PREFIX, Erased, ForgetKind, Scope, Shown, Traced, added
from bot.domain.mirror import feedback_id, trace_id
from storage.posts import SqlPosts
from storage.questions import SECOND
from storage.tables import (
    askers,
    corrections,
    datasets,
    embeddings,
    erasing,
    feedback,
    files,
    finetune_rows,
    forgotten_tokens,
    inbox,
    looks,
    out_of_fold,
    outbox,
    questions,
    results,
    review_marks,
    rows,
    sent_messages,
    shadows,
    signals,
    tombstones,
    verdicts,
)
from storage.upserts import add_up, insert_new

KEY_CHARS = 64
"""Length of a text's key in `results`; a revision may follow."""

DATASETS = "datasets/"
"""Beginning of the names of training files on the shelf."""

_TIMES = {"inbox": "received_at", "rows": "settled_at", "askers": "asked_at", "datasets": "created_at"}
"""Table → column with the time, where it is not `at`."""


class Eraser:
    """An eraser in the tables of one open transaction.

    Args:
        connection: The transaction.
        key: The secret key of the hashes that stand for what was erased.
        now: The current time.
    """

    def __init__(self, connection: AsyncConnection, key: bytes, now: datetime) -> None:
        self._connection = connection
        self._key = key
        self._now = now

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[None]:
        """Let the triggers pass changes of the histories until the block ends. Nobody else ever sees the gate open."""
        await self._connection.execute(insert(erasing).values(id=1))
        yield
        await self._connection.execute(delete(erasing))

    async def questions(self, ids: Sequence[str], *, with_rows: bool) -> Erased:
        """Erase questions with everything that was said about them."""
        query = select(questions).where(questions.c.id.in_(ids)).with_for_update()
        found = [dict(one) for one in (await self._connection.execute(query)).mappings()]
        private = [one["id"] for one in found if one["channel"].startswith("D") or one["audience"] == "direct"]
        row_ids = [*ids] if with_rows else private  # without its question, nobody could read such a row
        erased = await self.rows(row_ids)
        shown, traced = await self._shown(found), await traced_questions(self._connection, ids)
        await self._bury(found)
        await self._keep_tokens(verdicts, verdicts.c.question_id.in_(ids))
        await self._keep_tokens(shadows, shadows.c.question_id.in_(ids))
        counts = await self._counted(
            {
                "shadows": delete(shadows).where(shadows.c.question_id.in_(ids)),
                "signals": delete(signals).where(signals.c.question_id.in_(ids)),
                "feedback": delete(feedback).where(feedback.c.question_id.in_(ids)),
                "corrections": delete(corrections).where(corrections.c.question_id.in_(ids)),
                "marks": delete(review_marks).where(review_marks.c.key.in_(ids)),
                "sent": delete(sent_messages).where(sent_messages.c.question_id.in_(ids)),
                "answers": delete(verdicts).where(verdicts.c.question_id.in_(ids)),
                "inbox": delete(inbox).where(inbox.c.place.in_([_place(one) for one in found])),
                "outbox": delete(outbox).where(outbox.c.key.in_(ids)),
                "questions": delete(questions).where(questions.c.id.in_(ids)),
            }
        )
        counts = added(erased.counts, counts, await self._copies_of([one["text"] for one in found]))
        posts = (*erased.posts, *await SqlPosts(self._connection).leave(ids))
        traced = traced.model_copy(update={"rows": erased.traced.rows})
        return erased.model_copy(update={"counts": counts, "shown": shown, "traced": traced, "posts": posts})

    async def rows(self, ids: Sequence[str]) -> Erased:
        """Erase the texts of rows. The rows stay without words, so that trained versions are known."""
        standing = ~rows.c.group.startswith(FORGOTTEN_PREFIX)
        query = select(rows).where(rows.c.id.in_(ids), standing).order_by(rows.c.id).with_for_update()
        found = [dict(one) for one in (await self._connection.execute(query)).mappings()]
        if not found:
            return Erased()
        row_ids = [one["id"] for one in found]
        trained = select(finetune_rows.c.finetune_id, finetune_rows.c.text).where(finetune_rows.c.row_id.in_(row_ids))
        learned = (await self._connection.execute(trained)).all()
        followers = await self._followers(row_ids)
        counts = await self._counted(
            {
                "training_texts": update(finetune_rows)
                .where(finetune_rows.c.row_id.in_(row_ids), finetune_rows.c.text.is_not(None))
                .values(text=None),
                "out_of_fold": delete(out_of_fold).where(out_of_fold.c.row_id.in_(row_ids)),
                "repeated": update(verdicts).where(verdicts.c.settled_row.in_(row_ids)).values(reason=""),
                "outbox": delete(outbox).where(outbox.c.key.in_(row_ids)),
            }
        )
        for one in found:
            await self._empty(one)
        counts = added(counts, await self._forget_reviews(row_ids, {one["group"] for one in found}))
        texts = [one["text"] for one in found] + [text for _, text in learned if text]
        counts = added(counts, {"rows": len(found)}, await self._copies_of(texts), await self.exports(None))
        return Erased(
            counts=counts,
            trained=tuple(sorted({finetune for finetune, _ in learned})),
            traced=Traced(rows=tuple(row_ids)),
            followers=tuple(followers),
            posts=await SqlPosts(self._connection).leave(row_ids),
        )

    async def words(self, scope: Scope) -> Erased:
        """Erase what a person wrote or did beside own questions, or what is too old of what was said."""
        statements: dict[str, Delete | Update] = {}
        if scope.kind is ForgetKind.PERSON:
            alias = self._keyed(scope.target)
            mentioned = of_person(inbox, scope)
            await self._bury_arrivals(mentioned)
            settled = of_person(rows, scope)
            touched = [*(await self._connection.execute(select(rows.c.id).where(settled))).scalars()]
            nameless = {"by": alias, "reason": None, "touched_at": self._now}
            statements = {
                "corrections": update(corrections).where(of_person(corrections, scope)).values(by=alias, reason=None),
                "feedback": update(feedback).where(of_person(feedback, scope)).values(by=alias, words=None),
                "signals": update(signals).where(of_person(signals, scope)).values(by=alias),
                "marks": update(review_marks).where(of_person(review_marks, scope)).values(by=alias),
                "settlers": update(rows).where(settled).values(nameless),
                "inbox": delete(inbox).where(mentioned),
                "askers": delete(askers).where(of_person(askers, scope)),
            }
            files_with_reasons = await self.exports(None) if touched else {}
            counts = added(
                await self._counted(statements), await self._unname_exports(scope, alias), files_with_reasons
            )
            posts = await SqlPosts(self._connection).leave([scope.target, *touched])
            return Erased(counts=counts, touched=tuple(touched), posts=posts)
        if scope.kind is ForgetKind.OWN:
            await self._bury_arrivals(of_person(inbox, scope))
            statements = {"inbox": delete(inbox).where(of_person(inbox, scope))}
        elif scope.kind is ForgetKind.MESSAGE:
            await self._bury_arrivals(inbox.c.place == scope.target)
            statements = {"inbox": delete(inbox).where(inbox.c.place == scope.target)}
            await self._tombstone(scope.target, None)
        elif scope.kind is ForgetKind.VERDICTS:
            old = scope.moment
            statements = {
                "answers": update(verdicts).where(verdicts.c.at < old, verdicts.c.reason != "").values(reason=""),
                "corrections": update(corrections)
                .where(corrections.c.at < old, corrections.c.reason.is_not(None))
                .values(reason=None),
                "feedback": update(feedback)
                .where(feedback.c.at < old, feedback.c.words.is_not(None))
                .values(words=None),
            }
        return Erased(counts=await self._counted(statements))

    async def exports(self, before: datetime | None) -> dict[str, int]:
        """Delete training files on the shelf; None: all. A version that is planned or prepared makes a new one."""
        old = [] if before is None else [files.c.updated_at < before]
        return await self._counted({"exports": delete(files).where(files.c.name.startswith(DATASETS), *old)})

    async def _empty(self, row: dict[str, Any]) -> None:
        """Keep of a row its category and dates, and a keyed hash of its group. An import's id is made of its text."""
        imported = row["id"].startswith(IMPORTED_PREFIX)  # staff may have settled it since
        row_id = self._keyed(row["id"]) if imported else row["id"]
        nothing = dict.fromkeys(("reason", "team", "channel", "ts", "origin"))
        values = {"id": row_id, "text": "", "group": self._keyed(row["group"]), "by": "", **nothing}
        times = {"withdrawn_at": self._now, "touched_at": self._now}
        if imported:  # and perhaps a second time, after it was forgotten
            await self._connection.execute(delete(rows).where(rows.c.id == row_id))
        await self._connection.execute(update(rows).where(rows.c.id == row["id"]).values(values | times))
        if imported:
            same = finetune_rows.c.row_id == row["id"]
            await self._connection.execute(update(finetune_rows).where(same).values(row_id=row_id))
            repeats = verdicts.c.settled_row == row["id"]
            await self._connection.execute(update(verdicts).where(repeats).values(settled_row=row_id))

    async def _forget_reviews(self, row_ids: Collection[str], groups: Collection[str]) -> dict[str, int]:
        """Delete what staff decided about rows of these groups: its keys are hashes of the texts."""
        settled = select(review_marks.c.number, review_marks.c.before).where(review_marks.c.before.is_not(None))
        numbers = [n for n, before in await self._connection.execute(settled) if not before.keys().isdisjoint(row_ids)]
        await self._connection.execute(delete(looks).where(looks.c.row_id.in_(row_ids)))
        decided = or_(review_marks.c.key.in_(groups), review_marks.c.number.in_(numbers))
        return await self._counted({"marks": delete(review_marks).where(decided)})

    async def _unname_exports(self, scope: Scope, alias: str) -> dict[str, int]:
        """Put the alias in the place of a person's id in what is kept of training files."""
        query = select(datasets.c.id, datasets.c.manifest).where(of_person(datasets, scope))
        found = (await self._connection.execute(query)).all()
        for dataset_id, manifest in found:
            people = {name: manifest.get(name, {}) for name in ("settlers", "aside")}
            named = {
                name: {alias if who == scope.target else who: n for who, n in one.items()}
                for name, one in people.items()
            }
            await self._connection.execute(
                update(datasets).where(datasets.c.id == dataset_id).values(manifest=manifest | named)
            )
        return {"manifests": len(found)} if found else {}

    async def _followers(self, row_ids: Collection[str]) -> list[str]:
        """Return the questions whose answer repeated one of these rows."""
        query = select(verdicts.c.question_id).where(verdicts.c.settled_row.in_(row_ids)).distinct()
        return [*(await self._connection.execute(query)).scalars()]

    async def _copies_of(self, texts: Iterable[str]) -> dict[str, int]:
        """Delete the answers of evaluations and the vectors that are kept by the hash of these texts."""
        hashes = {text_key(form) for text in texts for form in (text, normalised(text), text.strip())}
        same = func.substr(results.c.text_key, 1, KEY_CHARS).in_(hashes)
        await self._keep_tokens(results, same)
        return await self._counted(
            {
                "results": delete(results).where(same),
                "vectors": delete(embeddings).where(embeddings.c.text_hash.in_(hashes)),
            }
        )

    async def _shown(self, found: Sequence[dict[str, Any]]) -> tuple[Shown, ...]:
        query = select(sent_messages).where(sent_messages.c.question_id.in_([one["id"] for one in found]))
        sent: dict[str, list[tuple[str, str]]] = {}
        for message in (await self._connection.execute(query)).mappings():
            sent.setdefault(message["question_id"], []).append((message["channel"], message["ts"]))
        shown = []
        for one in found:
            thread = one["thread_ts"] or one["ts"].removesuffix(SECOND)
            beside = select(func.count()).where(
                questions.c.team == one["team"],
                questions.c.channel == one["channel"],
                questions.c.id.not_in([each["id"] for each in found]),
                or_(questions.c.thread_ts == thread, questions.c.ts == thread),
            )
            others = (await self._connection.execute(beside)).scalar_one()
            shown.append(
                Shown(
                    question=one["id"],
                    channel=one["channel"],
                    thread=thread,
                    card_ts=one["card_ts"],
                    sent=tuple(sent.get(one["id"], ())),
                    alone=not others,
                    language=one["language"],
                )
            )
        return tuple(shown)

    async def _bury(self, found: Sequence[dict[str, Any]]) -> None:
        for one in found:
            await self._tombstone(_place(one), self._keyed(group_of(one["text"])))

    async def _bury_arrivals(self, condition: ColumnElement[bool]) -> None:
        query = select(inbox.c.place).where(condition, inbox.c.place.is_not(None)).distinct()
        for place in (await self._connection.execute(query)).scalars().all():
            await self._tombstone(place, None)

    async def _tombstone(self, place: str, group: str | None) -> None:
        values = {"place": place, "group_hash": group, "at": self._now}
        await insert_new(self._connection, tombstones, values, unique=["place"])

    async def _keep_tokens(self, table: Table, condition: ColumnElement[bool]) -> None:
        """Keep what the answers cost, by day, so that the budget still counts it."""
        query = select(table.c.release_id, table.c.at, table.c.tokens_in, table.c.tokens_out).where(condition)
        spent: Counter[tuple[str, str]] = Counter()
        written: Counter[tuple[str, str]] = Counter()
        for release, at, tokens_in, tokens_out in await self._connection.execute(query):
            spent[release, at.date().isoformat()] += tokens_in
            written[release, at.date().isoformat()] += tokens_out
        for (release, day), tokens in spent.items():
            values = {"release_id": release, "day": day, "live": table is verdicts}
            values |= {"tokens_in": tokens, "tokens_out": written[release, day]}
            await add_up(self._connection, forgotten_tokens, values, "tokens_in", "tokens_out")

    async def _counted(self, statements: dict[str, Delete | Update]) -> dict[str, int]:
        counts = {name: (await self._connection.execute(one)).rowcount for name, one in statements.items()}
        return {name: n for name, n in counts.items() if n > 0}

    def _keyed(self, what: str) -> str:
        return keyed(self._key, what)


def of_person(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Return the condition that something is of the person, and not newer than the request."""
    if table is inbox:
        # In the notation of `json.dumps`, in which arrivals are stored.
        named = f'"asker": "{scope.target}"' if scope.kind is ForgetKind.OWN else scope.target
        own: ColumnElement[bool] = cast(inbox.c.arrival, Text).contains(named, autoescape=True)
    elif table is datasets:
        own = cast(datasets.c.manifest, Text).contains(f'"{scope.target}": ', autoescape=True)
    else:
        own = (table.c.person if table is askers else table.c.by) == scope.target
    at = table.c[_TIMES.get(table.name, "at")]
    return own & (at <= scope.until) if scope.until else own


def keyed(key: bytes, what: str) -> str:
    """Return the name that stands for something forgotten; without the key, nobody can find it by trying."""
    return FORGOTTEN_PREFIX + hmac.new(key, what.encode(), hashlib.sha256).hexdigest()[:32]


def _place(question: dict[str, Any]) -> str:
    return f"{question['team']}:{question['channel']}:{question['ts'].removesuffix(SECOND)}"


async def traced_questions(connection: AsyncConnection, ids: Collection[str]) -> Traced:
    """Return the ids that questions' traces and feedback have at the tracker, which are made of ours."""
    answered = select(verdicts.c.id).where(verdicts.c.question_id.in_(ids)).order_by(verdicts.c.number)
    shadowed = select(shadows).where(shadows.c.question_id.in_(ids))
    corrected = select(corrections.c.question_id, corrections.c.seq).where(corrections.c.question_id.in_(ids))
    traces = [*(await connection.execute(answered)).scalars()]
    traces += [
        str(trace_id(one["at"], "shadow", one["question_id"], one["release_id"]))
        for one in (await connection.execute(shadowed)).mappings()
    ]
    said = [str(feedback_id(question, seq)) for question, seq in await connection.execute(corrected)]
    return Traced(traces=tuple(traces), feedback=tuple(said))
