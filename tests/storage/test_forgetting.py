"""Forgetting in the database, on both databases. Every column that may hold people's words is searched."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from bot.domain.consent import Author, Consent
from bot.domain.dataset import Source, text_key
from bot.domain.forgetting import FORGOTTEN_CURSOR, Erased, ForgetKind, ForgetRequest, ForgetState, Posted, Scope, added
from bot.domain.mark import ImportedBefore, MarkKind, QueueMark
from bot.domain.question import Ending, Place
from bot.domain.scorecard import Result
from bot.domain.shadow import Shadow
from bot.domain.shares import Look
from bot.domain.signal import Signal, SignalKind
from bot.ports import Store
from storage.database import BUSY_SECONDS, Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from storage.tables import inbox
from tests.kits.marked_store import OTHERS, WORDS, files_with, holds, places_of, written_columns
from tests.storage.conftest import MakeDatabase
from tests.storage.things import (
    LEASE,
    NOW,
    PROMPT,
    arrival,
    correction,
    feedback,
    finetune,
    manifest,
    question,
    release,
    row,
    verdict,
)

MARK = "紫陽花zebra"
ASKED = Place(team="T1", channel="C1", ts="1.000100")
LATER = NOW + timedelta(days=1)
OTHER_AUTHOR = Author(id="U7", channel="C9", ts="5.000100", consent=Consent.YES)


async def fill(store: Store, database: Database) -> None:
    """Write the mark into every column that may hold words, all of it about question q1, which U1 asked."""
    said = f"{MARK}?"
    asked = question().model_copy(update={"text": said, "unread": f"{MARK}.pdf", "authors": (OTHER_AUTHOR,)})
    asked = asked.model_copy(update={"card_ts": "1.000200"})
    settled = correction().model_copy(update={"reason": said})
    kept = row("q1").model_copy(update={"text": said, "reason": said, "origin": f"{MARK}.csv"})
    waiting = arrival().model_copy(update={"place": ASKED, "text": said, "quotes": (said,)})
    async with store.transaction() as tx:
        await tx.prompts.put(PROMPT)
        await tx.releases.add(release(), "U3", "first")
        await tx.inbox.add(waiting, NOW)
        await tx.questions.add(asked)
        await tx.questions.add_verdict(verdict().model_copy(update={"reason": said}))
        await tx.corrections.add(settled)
        await tx.feedback.add(feedback().model_copy(update={"words": said}))
        signal = Signal(question_id="q1", message_ts="1.000100", kind=SignalKind.TAKEN, by="U2", at=NOW)
        await tx.signals.put(signal)
        await tx.marks.add(QueueMark(key="q1", kind=MarkKind.SKIP, by="U2", at=NOW))
        before = {"q1": ImportedBefore(category="other", source=Source.IMPORT, reason=said)}
        await tx.marks.add(QueueMark(key="near", kind=MarkKind.CONFLICT, by="U2", at=NOW, before=before))
        spent = {"tokens_in": 10, "tokens_out": 1}
        await tx.shadows.put(Shadow(question_id="q1", release_id="r1", category="other", confidence=1, at=NOW, **spent))
        await tx.rows.put(kept)
        await tx.datasets.put(manifest(), NOW)
        await tx.finetunes.add(finetune())
        await tx.finetunes.save_rows("f1", {"q1": said})
        result = Result(
            release_id="r1", text_key=text_key(said), category="other", confidence=1, latency_ms=1, at=NOW, **spent
        )
        await tx.results.put([result])
        await tx.vectors.put("m", {text_key(said): b"\0\1"}, NOW)
        await tx.outbox.add("card", "q1", {"note": said}, NOW)
        await tx.questions.save_sent("q1", "C3", "7.000100")
    await DatabaseShelf(database).put("datasets/d1.jsonl", said.encode())


async def erase_all(store: Store, scope: Scope) -> Erased:
    total = Erased()
    while True:
        async with store.transaction() as tx:
            step = await tx.forgetting.erase(scope, 100, NOW)
        total = total.model_copy(
            update={"counts": added(total.counts, step.counts), "trained": total.trained + step.trained}
            | {name: getattr(total, name) + getattr(step, name) for name in ("shown", "files", "posts")}
        )
        if "questions" not in step.counts and "rows" not in step.counts:
            return total


async def test_every_written_column_is_known(database: Database) -> None:
    known = {f"{table}.{column}" for table, columns in OTHERS.items() for column in columns.split()} | WORDS
    assert await written_columns(database) == known, "say in tests/kits/marked_store.py whether it may hold words"


@pytest.mark.parametrize(
    "scope",
    [
        Scope.message(ASKED),
        Scope.message(Place(team="T1", channel="C9", ts="5.000100")),
        Scope.person("U1"),
        Scope.person("U7"),
        Scope.before(LATER),
    ],
    ids=["message", "quoted message", "asker", "quoted author", "age"],
)
async def test_nothing_is_left_in_any_table(store: Store, database: Database, scope: Scope) -> None:
    await fill(store, database)
    assert await places_of(database, MARK) == WORDS
    async with store.transaction() as tx:
        assert (await tx.forgetting.found(scope))["questions"] == 1
    erased = await erase_all(store, scope)
    assert await places_of(database, MARK) == set()
    assert erased.counts["questions"] == erased.counts["rows"] == erased.counts["answers"] == 1
    assert erased.trained == ("f1",)
    (shown,) = erased.shown
    assert (shown.channel, shown.card_ts, shown.sent) == ("C1", "1.000200", (("C3", "7.000100"),))
    async with store.transaction() as tx:
        assert await tx.forgetting.found(scope) == {}
        assert await tx.forgetting.is_forgotten(ASKED)
        assert await tx.forgetting.trained_on() == {"f1": 1}
        assert not await tx.inbox.add(arrival().model_copy(update={"place": ASKED, "event_id": "again"}), NOW)


async def test_what_was_paid_still_counts(store: Store, database: Database) -> None:
    await fill(store, database)
    since = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    async with store.transaction() as tx:
        before = await tx.questions.tokens(since), await tx.questions.tokens(since, live=True)
    await erase_all(store, Scope.person("U1"))
    async with store.transaction() as tx:
        assert (await tx.questions.tokens(since), await tx.questions.tokens(since, live=True)) == before


async def test_a_person_is_no_longer_named(store: Store, database: Database) -> None:
    await fill(store, database)
    async with store.transaction() as tx:
        found = await tx.forgetting.found(Scope.person("U2"))
    assert found == {"corrections": 1, "signals": 1, "marks": 2, "settlers": 1}
    erased = await erase_all(store, Scope.person("U2"))
    assert erased.counts == found | {"exports": 1}, "a training file holds a person's reasons"
    async with store.transaction() as tx:
        (settled,) = await tx.corrections.of("q1")
        kept = await tx.rows.get("q1")
    assert settled.by.startswith("forgotten:")
    assert settled.reason is None
    assert kept is not None
    assert (kept.by, kept.reason) == (settled.by, None)
    assert "U2" not in {settled.by, kept.by}


async def test_who_is_forgotten_may_go_on(store: Store, database: Database) -> None:
    await fill(store, database)
    scope = Scope.person("U1").model_copy(update={"until": NOW - timedelta(hours=1)})
    assert (await erase_all(store, scope)).counts == {}
    assert await places_of(database, MARK) == WORDS


async def test_retention_of_questions_leaves_rows(store: Store, database: Database) -> None:
    await fill(store, database)
    await erase_all(store, Scope.before(LATER, ForgetKind.QUESTIONS))
    async with store.transaction() as tx:
        kept = await tx.rows.get("q1")
        assert await tx.questions.get("q1") is None
    assert kept is not None
    assert await places_of(database, MARK) == {
        "rows.text",
        "rows.reason",
        "rows.origin",
        "review_marks.before",
        "finetune_rows.text",
        "files.data",
    }
    await erase_all(store, Scope.before(LATER, ForgetKind.ROWS))
    assert await places_of(database, MARK) == set()


async def test_retention_of_answers_leaves_figures(store: Store, database: Database) -> None:
    await fill(store, database)
    await erase_all(store, Scope.before(LATER, ForgetKind.VERDICTS))
    async with store.transaction() as tx:
        answer = await tx.questions.verdict("q1")
    assert answer is not None
    assert (answer.category, answer.reason) == ("labor", "")
    left = await places_of(database, MARK)
    assert not left & {"verdicts.reason", "corrections.reason", "feedback.words"}
    assert "questions.text" in left


async def test_an_import_leaves_no_hash_of_its_text(store: Store) -> None:
    imported = row("import:abc").model_copy(update={"source": Source.IMPORT, "team": None, "channel": None, "ts": None})
    async with store.transaction() as tx:
        await tx.rows.put(imported)
    await erase_all(store, Scope.before(LATER))
    async with store.transaction() as tx:
        ((stub, counts),) = [one async for one in tx.rows.changed(None)]
        assert (await tx.forgetting.groups(["g", "h"]))[stub.group] == "g"
    assert not counts
    assert (stub.text, stub.by) == ("", "")
    assert stub.id.startswith("forgotten:")


async def test_settled_import_leaves_no_hash_either(store: Store, database: Database) -> None:
    """Staff settled it in a conflict, and an admin looked at it: both are kept by hashes of its text.

    `MARK` stands for that hash: no random id or keyed hash, whose letters are a to f, can hold it by chance.
    """
    imported = row(f"import:{MARK}").model_copy(update={"group": MARK, "source": Source.CHANGE})
    before = {f"import:{MARK}": ImportedBefore(category="other", source=Source.IMPORT)}
    async with store.transaction() as tx:
        await tx.rows.put(imported)
        await tx.marks.add(QueueMark(key=MARK, kind=MarkKind.SKIP, by="U2", at=NOW))
        await tx.marks.add(QueueMark(key="near", kind=MarkKind.CONFLICT, by="U2", at=NOW, before=before))
        await tx.marks.add(QueueMark(key="else", kind=MarkKind.SKIP, by="U2", at=NOW))
        await tx.looks.put([Look(row_id=f"import:{MARK}", settled_at=NOW, keep=True, by="U3", at=NOW)])
    erased = await erase_all(store, Scope.before(LATER))
    assert erased.counts["marks"] == 2
    assert await places_of(database, MARK) == set()
    async with store.transaction() as tx:
        assert list(await tx.marks.skipped("U2")) == ["else"]


async def test_locked_row_is_forgotten_with_its_change(store: Store, database: Database) -> None:
    await fill(store, database)
    async with store.transaction() as tx:
        read = await tx.rows.get("q1", lock=True)
        assert read is not None
        forgetting = asyncio.create_task(erase_all(store, Scope.message(ASKED)))
        await asyncio.wait({forgetting}, timeout=0.5)
        await tx.rows.put(read)
    assert (await forgetting).counts["rows"] == 1
    assert await places_of(database, MARK) == set()


async def test_import_can_be_forgotten_twice(store: Store) -> None:
    imported = row("import:abc").model_copy(update={"source": Source.IMPORT})
    for _ in range(2):
        async with store.transaction() as tx:
            await tx.rows.put(imported)
        assert (await erase_all(store, Scope.before(LATER))).counts["rows"] == 1
    async with store.transaction() as tx:
        assert len([one async for one, _ in tx.rows.changed(None)]) == 1


async def test_summaries_of_files_lose_the_name(store: Store) -> None:
    named = manifest().model_copy(update={"settlers": {"U2": {"it": 3}, "U22": {"it": 1}}, "aside": {"U2": 2}})
    async with store.transaction() as tx:
        await tx.prompts.put(PROMPT)
        await tx.datasets.put(named, NOW)
        assert await tx.forgetting.found(Scope.person("U2")) == {"manifests": 1}
    assert (await erase_all(store, Scope.person("U2"))).counts == {"manifests": 1}
    async with store.transaction() as tx:
        assert await tx.forgetting.found(Scope.person("U2")) == {}
        kept = await tx.datasets.get(named.id)
    assert kept is not None
    alias = next(iter(kept.aside))
    assert alias.startswith("forgotten:")
    assert (kept.settlers, kept.aside) == ({alias: {"it": 3}, "U22": {"it": 1}}, {alias: 2})


async def test_histories_stay_closed_to_others(store: Store, database: Database) -> None:
    await fill(store, database)
    await erase_all(store, Scope.person("U9"))
    with pytest.raises(Exception, match="append-only"):
        async with database.begin() as connection:
            await connection.execute(text("DELETE FROM corrections"))


async def test_erased_arrivals_are_lost_to_their_workers(store: Store, database: Database) -> None:
    await fill(store, database)
    async with store.transaction() as tx:
        item = await tx.inbox.claim("me", NOW, LEASE)
    assert item is not None
    await erase_all(store, Scope.message(ASKED))
    async with store.transaction() as tx:
        assert not await tx.inbox.renew(item, LATER)
        assert not await tx.inbox.finish(item, Ending.ANSWERED, None, NOW)


async def test_requests_are_kept_with_their_report(store: Store) -> None:
    request = ForgetRequest(
        id="x", kind=ForgetKind.PERSON, target="U1", by="U3", language="en", created_at=NOW, updated_at=NOW
    )
    async with store.transaction() as tx:
        await tx.forgetting.add(request)
        assert await tx.forgetting.under_way(Scope.person("U1")) == request
        done = request.model_copy(update={"state": ForgetState.DONE, "counts": {"rows": 2}, "trained": ("f1",)})
        await tx.forgetting.save(done)
        await tx.forgetting.moved(NOW)
        assert await tx.forgetting.newest(5) == [done]
        assert await tx.forgetting.under_way(Scope.person("U1")) is None
        assert await tx.cursors.get(FORGOTTEN_CURSOR)


async def test_scrubbed_files_hold_no_deleted_text(make_empty: MakeDatabase) -> None:
    url = make_empty()
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps its files on its own server")
    database = Database(url)
    await database.migrate()
    store, folder = SqlStore(database), Path(url.removeprefix("sqlite:///")).parent
    try:
        await fill(store, database)
        name = Path(url).name
        assert any(found.startswith(name) for found in files_with(folder, MARK))
        async with database.begin() as connection:
            await connection.execute(update(inbox).values(why=MARK * 2000))
            await connection.execute(update(inbox).values(why=None))
        await erase_all(store, Scope.person("U1"))
        assert await store.scrub()
        assert not [found for found in files_with(folder, MARK) if found.startswith(name)]
    finally:
        await database.close()


async def test_nobody_waits_while_a_reader_keeps_the_log(make_empty: MakeDatabase) -> None:
    url = make_empty()
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL has no log that a reader keeps")
    database = Database(url)
    await database.migrate()
    store = SqlStore(database)
    try:
        async with store.snapshot() as reading:
            assert await reading.questions.count() == 0
            await fill(store, database)
            async with asyncio.timeout(BUSY_SECONDS / 2):  # a wait for the reader would end after `BUSY_SECONDS`
                assert not await store.scrub()
        assert await store.scrub()
    finally:
        await database.close()


def test_search_finds_each_form() -> None:
    assert holds({"a": MARK}, MARK)
    assert holds(MARK.encode(), MARK)
    assert not holds("zebra", MARK)


def posted(name: str, *holds: str) -> Posted:
    return Posted(id=name, channel="C1", language="en", at=NOW, holds=holds)


async def test_posts_leave_with_what_they_show(store: SqlStore, database: Database) -> None:
    await fill(store, database)
    async with store.transaction() as tx:
        assert await tx.posts.add(posted("file", "q1", "U3"))
        assert await tx.posts.add(posted("other"))
        await tx.posts.complete("file", None, ["F1", "F2"])
        await tx.posts.complete("other", "9.1", [])
        assert await tx.posts.shown("C1", "9.1", ["q7"])
        assert not await tx.posts.shown("C2", "9.1", ["q7"])
        assert await tx.posts.holding(["q7", "q8"]) == ["other"]
    assert (await erase_all(store, Scope.message(ASKED))).posts == ("file",), "once, as question and as row"
    async with store.transaction() as tx:
        kept = await tx.posts.get("file")
        assert kept is not None
        assert kept.files == ("F1", "F2")
        assert not await tx.posts.add(posted("late", "q1")), "read before it was forgotten, posted after"
        assert await tx.posts.get("late") is None


async def test_person_takes_files_that_name_them(store: SqlStore, database: Database) -> None:
    await fill(store, database)
    async with store.transaction() as tx:
        await tx.posts.add(posted("manifest", "U2"))
        await tx.posts.add(posted("rows", "q1"))
    left = (await erase_all(store, Scope.person("U2"))).posts
    assert left == ("manifest", "rows"), "the row that U2 settled has a reason of theirs"


async def test_retention_of_exports_reaches_slack(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.posts.add(posted("old"))
        await tx.posts.add(posted("new").model_copy(update={"at": LATER}))
        scope = Scope.before(LATER, ForgetKind.EXPORTS)
        assert (await tx.forgetting.found(scope))["posts"] == 1
    assert (await erase_all(store, scope)).posts == ("old",)
    async with store.transaction() as tx:
        assert await tx.forgetting.found(scope) == {}
