"""Forgetting by the command line: asked on the terminal, and carried out where the app was removed from Slack."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from bot.app.replicas import ReplicaLeases
from bot.app.wiring import SystemClock
from bot.cli import main
from bot.domain.forgetting import ForgetState, Scope
from bot.forgetting.finishing import Finishing
from bot.forgetting.forgetting import Forgetting
from bot.forgetting.reaching import Reaching
from bot.ports import NoSlack
from bot.releases.releasing import Releasing
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeTrainer, Fault, Faults
from tests.kits.finetune_bench import FinetuneBench
from tests.kits.marked_store import files_with


class HurryingClock:
    """A clock that moves on by a second with each look at it."""

    def __init__(self, clock: StepClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        self._clock.advance(seconds=1)
        return self._clock.now()


Shell = pytest.CaptureFixture[str]
MARK = "有給zyxmark"
"""A word of the question and of its training example. The kit's question is asked by U1."""
NOTHING = "Nothing of that is stored."


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, without_settings: None) -> Path:
    """Start in an empty folder, in English, with a database that holds one settled question."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/desk.db")
    monkeypatch.setenv("BOT_LANGUAGE", "en")

    async def ask(store: SqlStore) -> None:
        await Releasing(store, StepClock()).ensure(PROMPT, BASE)
        desk = CorrectionDesk(store, StepClock())
        await desk.ask(MARK)
        await desk.press("it", seen=0, by="U0PRIYA0001")

    in_store(tmp_path, ask)
    return tmp_path


def in_store(folder: Path, act: Callable[[SqlStore], Awaitable[None]]) -> None:
    """Run an act in the database that the command line uses."""

    async def run() -> None:
        database = Database(f"sqlite:///{folder}/desk.db")
        try:
            await database.migrate()
            await act(SqlStore(database))
        finally:
            await database.close()

    asyncio.run(run())


def audited(folder: Path, capsys: Shell) -> list[tuple[str, str, str]]:
    assert main(["audit", "export"]) == 0
    capsys.readouterr()
    lines = (folder / "madoguchi-audit.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [(one["who"], one["act"], one["thing"]) for one in found if one["act"].startswith("forg")]


@pytest.mark.parametrize("typed", ["", "no\n", "y\n"])
def test_only_yes_is_yes(here: Path, capsys: Shell, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(typed))
    assert main(["forget", "--everything"]) == 1
    said = capsys.readouterr()
    assert "1 question\n" in said.out
    assert "Everything was kept." in said.err
    assert audited(here, capsys) == []


def test_running_bot_gets_the_request(here: Path, capsys: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("yes\n"))
    assert main(["forget", "--before", "2999-01-31"]) == 0
    said = capsys.readouterr().out
    assert "from before 2999-01-31?" in said
    assert "The running bot carries it out" in said
    assert audited(here, capsys) == [("operator", "forget_asked", "before")]
    assert files_with(here, MARK)


def test_forget_without_slack_leaves_slack_messages(here: Path, capsys: Shell) -> None:
    assert main(["forget", "--everything", "--without-slack", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "In Slack, 1 question was left as it is" in said
    assert "Done, and looked for again." in said
    assert files_with(here, MARK) == []
    assert [who for who, *_ in audited(here, capsys)] == ["operator", "madoguchi"]
    assert main(["forget", "--everything", "--without-slack", "--yes"]) == 0
    assert capsys.readouterr().out.strip() == NOTHING


def test_one_person_of_many(here: Path, capsys: Shell) -> None:
    assert main(["forget", "--person", "U0NOBODY001", "--yes"]) == 0
    assert capsys.readouterr().out.strip() == NOTHING
    assert main(["forget", "--person", "U0PRIYA0001", "--without-slack", "--yes"]) == 0
    assert files_with(here, "U0PRIYA0001") == []
    assert files_with(here, MARK), "somebody else asked it"


def test_bot_that_runs_is_not_passed_over(here: Path, capsys: Shell) -> None:
    in_store(here, lambda store: ReplicaLeases(store, SystemClock(), "1").beat())
    assert main(["forget", "--everything", "--without-slack", "--yes"]) == 1
    assert "A bot is running" in capsys.readouterr().err
    assert files_with(here, MARK)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--person --before --everything"),
        (["--before", "yesterday"], "2026-01-31"),
        (["--person", "emily"], "U… or W…"),
        (["--everything", "--person", "U0EMILY0001"], "--everything"),
    ],
)
def test_unclear_calls_are_explained(arguments: list[str], said: str, capsys: Shell) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forget", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


async def test_service_that_takes_long_is_not_waited_for(
    store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.forgetting.finishing.NEXT_LOOK", 0)
    bench = FinetuneBench(store, shelf, trainer, clock)
    await bench.running()
    (job,) = trainer.jobs
    trainer.set_status(job, "failed")
    await bench.acts.following.follow()
    trainer.faults.add("delete_file", Fault.DOWN, times=1_000)
    await Forgetting(store, clock).forget(Scope.before(clock.now() + timedelta(days=1)), "operator", "en")
    finishing = Finishing(
        store, HurryingClock(clock), Reaching(store, NoSlack(), trainer, clock), timedelta(seconds=30)
    )
    (waiting,) = await finishing.finish()
    assert waiting.state is ForgetState.REACHING
    trainer.faults = Faults()
    clock.advance(seconds=3600)
    (request,) = await finishing.finish()
    assert (request.state, request.counts["provider_files"]) == (ForgetState.DONE, 1)
    assert trainer.files == {}
