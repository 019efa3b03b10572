"""The heart of forgetting: afterwards, a word of the question is found nowhere at all."""

import asyncio
import io
import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from bot.app.running import Running
from bot.domain.dataset import Split, group_of, split_of
from bot.domain.forgetting import ForgetState, Scope
from bot.practice import Person, Workspace, serve
from storage.database import Database
from tests.kits.langsmith_server import LangSmithServer
from tests.kits.langsmith_server.server import KEY
from tests.kits.marked_store import files_with, holds, places_of
from tests.kits.migrated import migrated_sqlite
from tests.kits.openai_server import CHAT, OpenAIServer
from tests.kits.openai_server import said as answers
from tests.loop.conftest import Open
from tests.loop.program import MANIFEST, environment, run_with_short_leases
from tests.loop.story import STORIES, LoopDesk, open_loop_desk, run_finetune, settle_all_questions

pytestmark = pytest.mark.timeout(150)

MARK = "zyxwaardvark"
"""A word that is in no other text."""


def marked() -> Iterator[str]:
    """Yield questions with the mark that train a model: what is held out is in no training file."""
    texts = (f"Where can I feed my {MARK} number {n}?" for n in itertools.count())
    return (text for text in texts if split_of(group_of(text)) is Split.TRAIN)


def at_langsmith(server: LangSmithServer) -> list[str]:
    """Return where LangSmith still knows the mark: in traces, feedback, or any version of an example."""
    found = [f"run {one['id']}" for one in server.traces.runs.values() if holds(one, MARK)]
    found += [f"feedback {one['id']}" for one in server.traces.feedback.values() if holds(one, MARK)]
    for dataset in server.datasets.by_id.values():
        found += [f"example {one.id}" for one in dataset.examples.values() if holds(one.versions, MARK)]
    return found


async def everywhere(folder: Path, running: Running, langsmith: LangSmithServer) -> list[str]:
    """Return every place that holds the mark: tables, files, messages and views of Slack, LangSmith."""
    database = Database(f"sqlite:///{folder}/loop.db")
    tables = sorted(await places_of(database, MARK))
    await database.close()
    assert running.practice
    board = running.practice.workspace.board
    messages = [f"message {ts}" for known in board.messages.values() for ts, one in known.items() if holds(one, MARK)]
    files = [name for name in files_with(folder, MARK) if not name.startswith("workspace.json")]
    return [*tables, *messages, *files, *at_langsmith(langsmith)]


async def until_forgotten(running: Running) -> None:
    async with asyncio.timeout(90):
        while True:
            requests = await running.core.acts.forgetting.newest(5)
            if requests and all(one.state is ForgetState.DONE for one in requests):
                return
            await asyncio.sleep(0.1)


async def until_mirrored(running: Running) -> None:
    async with asyncio.timeout(60):
        while (await running.core.acts.reporting.status()).mirror.open:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def write_back(file: Path) -> None:
    """Move everything from the log into the database's file, where it must be found and taken out too."""
    with closing(sqlite3.connect(file, timeout=30.0)) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def compressed_files(file: Path) -> list[bytes]:
    """Return the middle of each compressed file in the database that holds the mark: no other file has the same."""
    with closing(sqlite3.connect(file, timeout=30.0)) as database:
        found = database.execute("SELECT data FROM files WHERE name LIKE '%.zz'").fetchall()
    return [data[len(data) // 2 :][:64] for (data,) in found if holds(data, MARK)]


async def ask_settle_and_train(desk: LoopDesk) -> tuple[str, str]:
    """Ask a question with the mark, settle it, and train a version on it; return its ts and the version."""
    await settle_all_questions(desk, STORIES[1])
    ts = await desk.employee.say(desk.channel, next(marked()))
    card = await desk.employee.answer(ts)
    await desk.settle(card, "other")
    return ts, await run_finetune(desk)


async def test_deleted_message_is_found_nowhere(open_loop: Open, tmp_path: Path) -> None:
    async with LangSmithServer().running() as langsmith:
        more = {"langsmith_api_key": KEY, "langsmith_endpoint": langsmith.url}
        async with open_loop("en", **more) as running, open_loop_desk(running) as desk:
            ts, version = await ask_settle_and_train(desk)
            await until_mirrored(running)
            write_back(tmp_path / "loop.db")
            before = await everywhere(tmp_path, running, langsmith)
            for place in ("questions.text", "rows.text", "finetune_rows.text", "files.data", "loop.db"):
                assert place in before, before
            assert any(one.startswith("run ") for one in before)
            assert any(one.startswith("example ") for one in before)
            packed = compressed_files(tmp_path / "loop.db")
            assert packed, "the training file on the shelf"
            await desk.employee.delete(desk.channel, ts)
            await until_forgotten(running)
            await until_mirrored(running)
            assert await everywhere(tmp_path, running, langsmith) == []
            written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
            assert not any(part in data for part in packed for data in written), "nor in a page that is free"
            (request,) = await running.core.acts.forgetting.newest(5)
            assert request.left == {}
            assert len(request.trained) == 1
            status = await running.core.acts.reporting.status()
            assert status.forgotten == {version: 1}
            shelf = running.core.ports.shelf
            (model,) = [await shelf.get(name) for name in await shelf.names("models/") if name.endswith(".npz")]
            with np.load(io.BytesIO(model), allow_pickle=False) as packed:
                assert (packed["known"].size, packed["digests"].size) == (0, 0)
            assert request.counts["models"] == 1
            await desk.ask("Where are Acorn points accepted today?")
        assert files_with(tmp_path, MARK) == [], "the workspace's own file, once it is closed"


async def test_stopped_in_the_middle_goes_on(open_loop: Open, tmp_path: Path) -> None:
    async with LangSmithServer().running() as langsmith:
        more = {"langsmith_api_key": KEY, "langsmith_endpoint": langsmith.url}
        async with open_loop("en", **more) as running, open_loop_desk(running) as desk:
            for text in itertools.islice(marked(), 3):
                await desk.employee.answer(await desk.employee.say(desk.channel, text))
            await until_mirrored(running)
            langsmith.traces.busy = True  # the deletion of traces waits, so the request cannot be done
            person = desk.employee.user_id
            await running.core.acts.forgetting.forget(Scope.own(person), person, "en")
            async with asyncio.timeout(60):
                while (await running.core.acts.forgetting.newest(1))[0].state is ForgetState.ERASING:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        langsmith.traces.busy = False
        async with open_loop("en", **more) as running:
            await until_forgotten(running)
            left = [one for one in await everywhere(tmp_path, running, langsmith) if not one.startswith("message")]
            assert left == []
            assert running.practice
            async with Person(running.practice.url, person) as employee:
                told = await employee.history(await employee.dm())
            assert any("Everything that you asked is forgotten" in json.dumps(one) for one in told)


async def test_killed_process_is_continued_by_another(tmp_path: Path) -> None:
    model, asked = OpenAIServer(), [f"Where is my {MARK} number {n}?" for n in range(8)]
    model.on(CHAT, answers("Facilities", f"It is about a {MARK}."))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        await stack.enter_async_context(model.running())
        env = environment(tmp_path, server, model.url) | {"DATABASE_URL": migrated_sqlite(tmp_path / "bot.db")}
        asker = await stack.enter_async_context(Person(server.url, server.people.employees[1].id))
        channel = server.channels.help_desk.id
        async with run_with_short_leases(tmp_path, env):
            for text in asked:
                await asker.answer(await asker.say(channel, text), timeout=40)
            await asker.shortcut("forget_my_questions")
            assert await asker.submit(await asker.view()) == {}
            await asker.message(lambda m: "This answer was removed." in m["text"], timeout=40)
        # That was SIGKILL, with some answers removed and others not.
        async with run_with_short_leases(tmp_path, env):
            await asker.message(lambda m: "Everything that you asked is forgotten" in m["text"], timeout=80)
        shown = [one for known in server.workspace.board.messages.values() for one in known.values()]
        assert [one["text"] for one in shown if one.get("bot_id") and holds(one, MARK)] == []
        assert sum("This answer was removed." in one["text"] for one in shown) == len(asked)
        assert files_with(tmp_path, MARK) == []
