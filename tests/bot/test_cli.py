"""The command line: the output, files and exit code of each command."""

import argparse
import asyncio
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, cast

import pytest

from bot import cli
from bot.app import running
from bot.app.replay.show import Point, UnsureFigures
from bot.cli import main, open_page, parser, point_line, unsure_line
from bot.dataset.training_files import DiskFile
from bot.domain.certainty import OutOfScope
from bot.settings import ROOT, load
from handlers.texts.escape import visible
from handlers.texts.words import Words

QUESTIONS = "".join(f"question {n} about a laptop,it\nquestion {n} about leave,labor\n" for n in range(8))
Shell = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, without_settings: None) -> Path:
    """Start in an empty folder with a database of its own, in English."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/desk.db")
    monkeypatch.setenv("BOT_LANGUAGE", "en")
    return tmp_path


def python_m_bot(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m bot` in an environment that holds nothing else."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_bad_settings_print_lines_and_exit_2(here: Path) -> None:
    ended = python_m_bot(here, SLACK_BOT_TOKEN="xoxb-s3cr3t", BOT_STUDENT="acme/x")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("SLACK_APP_TOKEN: not set; Slack needs ")
    assert ended.stderr.count("\n") == 1
    ended = python_m_bot(here, "export", BOT_LANGUAGE="fr", BOT_HTTP_PORT="x")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["BOT_LANGUAGE", "BOT_HTTP_PORT"]
    assert list(here.iterdir()) == []


def test_unusable_prompt_is_one_line(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shell) -> None:
    (here / "system.md").write_text("Choose.", encoding="utf-8")
    (here / "categories.toml").write_text('language = "en"\ncategory = []\n', encoding="utf-8")
    monkeypatch.setenv("BOT_PROMPT", str(here))
    assert main(["export"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "at least two categories are needed" in lines[0]


def test_wrong_database_address_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Shell) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://bot:s3cr3t@db/desk")
    assert main(["export"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("DATABASE_URL: ")
    assert "s3cr3t" not in line


def test_import_reports_each_line(here: Path, capsys: Shell) -> None:
    file = here / "history.csv"
    file.write_text("text,category\n" + QUESTIONS + "a,nothing of ours\n", encoding="utf-8")
    assert main(["import", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == "16 training examples added, 0 changed, 0 already there, 1 bad line\n"
    place = "history.csv, line 18, column 2: "
    assert said.err.startswith(f"{place}the category 'nothing of ours' (1 line) is none of: ")
    file.write_text("text,category\n" + QUESTIONS, encoding="utf-8")
    assert main(["import", str(file)]) == 0
    assert capsys.readouterr().out == "0 training examples added, 0 changed, 16 already there, 0 bad lines\n"


def test_import_names_spans_labels_and_skipped_lines(here: Path, capsys: Shell) -> None:
    file = here / "h.csv"
    lines = [
        "a laptop,IT,accept",
        "b leave,HRR,accept",
        "c leave,HRR,accept",
        "d leave,HR,reject",
        '"e,IT,accept',
        "f,IT,",
    ]
    file.write_text("\n".join(["text,label,answer", *lines]), encoding="utf-8")
    assert main(["import", str(file)]) == 1
    said = capsys.readouterr()
    assert "h.csv, line 3, column 2: the category 'HRR' (2 lines) is none of: Labor, HR, " in said.err
    assert "The nearest is HR: --map 'HRR=HR'" in said.err
    assert said.err.count("HRR") == 2
    assert "h.csv, line 6 to 7: a quotation mark that opens on line 6 is not closed" in said.err
    assert "1 record skipped: rejected" in said.out
    assert "1 training example added, 0 changed, 0 already there, 4 bad lines" in said.out
    file.write_text("\n".join(["text,label,answer", *lines[:4]]), encoding="utf-8")
    assert main(["import", str(file), "--map", "hrr=HR"]) == 0
    assert "2 training examples added, 0 changed, 1 already there, 0 bad lines" in capsys.readouterr().out


def test_terminal_gets_no_orders_from_a_file(here: Path, capsys: Shell) -> None:
    """A terminal would clear itself, change its title, or show a line backwards."""
    order = "\x1b[2J\x1b]0;mine\x07\u202eyenom\x9b31m"
    file = here / f"h{order}.csv"
    rows = [("question", "category"), (f"where is my {order} laptop", "IT"), ("broken", f"none {order}")]
    file.write_text("".join(f"{text},{category}\n" for text, category in rows), encoding="utf-8")
    for call in (["import", str(file), "--dry-run"], ["import", str(file)]):
        assert main(call) == 1
        said = capsys.readouterr()
        assert "where is my" in said.out or "--dry-run" not in call
        assert "none" in said.err
        assert visible(said.out + said.err).splitlines() == (said.out + said.err).splitlines()


def test_workbook_is_imported_with_its_sheets(here: Path, capsys: Shell) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.worksheets[0].append(["notes about this file"])
    for name, label in (("2025", "IT"), ("2026", "HRR")):
        sheet = book.create_sheet(name)
        for row in (["Question", "Category"], [f"a laptop of {name}", "IT"], [f"leave in {name}", label]):
            sheet.append(row)
    book.save(here / "h.xlsx")
    assert main(["import", str(here / "h.xlsx")]) == 1
    said = capsys.readouterr()
    assert said.out == (
        "1 sheet skipped: without a column for the question and one for the category\n"
        "3 training examples added, 0 changed, 0 already there, 1 bad line\n"
    )
    assert said.err.startswith("h.xlsx [2026], line 3, column 2: the category 'HRR' (1 line) is none of: ")


def test_dry_run_shows_rows_and_writes_nothing(here: Path, capsys: Shell) -> None:
    file = here / "h.csv"
    file.write_text("what,kind\n" + QUESTIONS + "a laptop,tools\n", encoding="euc_jp")
    call = ["import", str(file), "--text", "what", "--category", "kind", "--encoding", "euc_jp"]
    assert main([*call, "--dry-run"]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "question 0 about a laptop → it",
        "question 0 about leave → labor",
        "question 1 about a laptop → it",
        "question 1 about leave → labor",
        "question 2 about a laptop → it",
        "it: 8",
        "labor: 8",
        "Nothing was written. 16 training examples would be imported, 0 repeated, 1 bad line.",
    ]
    assert "'tools'" in said.err
    assert main(call) == 1
    assert "16 training examples added" in capsys.readouterr().out


def test_replay_takes_the_options_of_import(here: Path, capsys: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_PROMPT", str(ROOT / "prompts" / "ja"))
    file = here / "h.csv"
    lines = (ROOT / "prompts" / "ja" / "history.csv").read_text(encoding="utf-8").splitlines()[1:31]
    file.write_text("\n".join(["内訳メモ,行き先", *lines]), encoding="euc_jp")
    assert main(["replay", str(file)]) == 1
    assert "No question could be read" in capsys.readouterr().err
    call = ["replay", str(file), "--text", "内訳メモ", "--category", "行き先", "--encoding", "euc_jp"]
    assert main([*call, "--every", "15", "--test", "8", "--recall", "0"]) == 0
    assert "Measured on the last" in capsys.readouterr().out
    assert main(["replay", str(file), "--encoding", "klingon"]) == 2
    assert capsys.readouterr().err.startswith("--encoding: ")


@pytest.mark.parametrize(
    ("option", "value"), [("--encoding", "klingon"), ("--map", "IT"), ("--map", "=it"), ("--map", "a=nothing")]
)
def test_unusable_import_option_is_one_line(here: Path, capsys: Shell, option: str, value: str) -> None:
    (here / "h.csv").write_text("text,category\na,b\n", encoding="utf-8")
    assert main(["import", "h.csv", option, value]) in {1, 2}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{option}: ")


@pytest.mark.parametrize("arguments", [["--help"], ["import", "無い.csv"], ["import", "h.csv", "--dry-run"]])
def test_japanese_output_never_ends_a_command(here: Path, arguments: list[str]) -> None:
    (here / "h.csv").write_text("質問,分類\n有給は何日前？,労務\nなぜ？,謎\n", encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "BOT_LANGUAGE": "ja"}
    ended = python_m_bot(here, *arguments, DATABASE_URL=f"sqlite:///{here}/desk.db", **ascii_only)
    assert "Traceback" not in ended.stderr
    assert "\\u" in ended.stdout + ended.stderr
    assert ended.returncode == {"--help": 0, "無い.csv": 2, "--dry-run": 1}[arguments[-1]]


def test_japanese_arguments_are_understood_everywhere(here: Path) -> None:
    (here / "履歴.csv").write_text("質問,分類\n有給は何日前？,古い労務\n", encoding="utf-8")
    (here / ".env").write_text("# 設定\nDATABASE_URL=sqlite:///データ/窓口.db\nBOT_LANGUAGE=ja\n", encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    columns = ["--text", "質問", "--category", "分類", "--map", "古い労務=労務"]
    ended = python_m_bot(here, "import", "履歴.csv", *columns, **ascii_only)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    assert (here / "データ" / "窓口.db").exists()


def test_export_is_reproducible_and_names_its_hash(here: Path, capsys: Shell) -> None:
    assert main(["export"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    file = here / "history.csv"
    file.write_text("text,category\n" + QUESTIONS, encoding="utf-8")
    assert main(["import", str(file)]) == 0
    written = []
    for folder in ("one", "two/deep"):
        assert main(["export", folder]) == 0
        data, manifest = sorted(Path(folder).iterdir())
        assert [data.suffix, manifest.name.split(".", 1)[1]] == [".jsonl", "manifest.json"]
        assert [file.stat().st_mode & 0o777 for file in (data, manifest, Path(folder))] == [0o600, 0o600, 0o700]
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        assert facts["id"] == hashlib.sha256(data.read_bytes()).hexdigest()
        assert re.fullmatch(rf"madoguchi-\d{{4}}-\d\d-\d\d-{facts['rows']}-examples", data.stem)
        assert facts["rows"] + facts["held_out"] == 16
        written.append((data.read_bytes(), facts))
    assert written[0] == written[1]
    killed = Path("one/madoguchi-killed.partial")
    killed.write_text("questions", encoding="utf-8")
    assert main(["export", "one"]) == 0
    assert not killed.exists(), "the next export deletes what a killed one left"
    assert len([*Path("one").iterdir()]) == 2
    assert Path("two").stat().st_mode & 0o777 == 0o700
    capsys.readouterr()
    assert main(["audit", "export"]) == 0
    log = Path("madoguchi-audit.jsonl")
    assert [json.loads(line)["act"] for line in log.read_text(encoding="utf-8").splitlines()] == ["exported"] * 3
    assert log.stat().st_mode & 0o777 == 0o600
    assert "The log holds: entries 3" in capsys.readouterr().out
    with closing(sqlite3.connect(here / "desk.db")) as tampered:
        tampered.executescript("DROP TRIGGER audit_log_refuse_update; UPDATE audit_log SET thing = 'x' WHERE seq = 1")
    assert main(["audit"]) == 1
    assert "entry 1 does not follow" in capsys.readouterr().err


@pytest.fixture(params=[signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """Yield a signal that is not ignored: a suite that runs under `nohup` ignores SIGHUP, as its commands would."""
    number: signal.Signals = request.param
    before = signal.signal(number, signal.SIG_DFL)
    yield number
    signal.signal(number, before)


def test_ended_command_deletes_its_file(
    here: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: Shell
) -> None:
    (here / "q.csv").write_text("text,category\n" + QUESTIONS, encoding="utf-8")
    assert main(["import", "q.csv"]) == 0
    close, seen = DiskFile.close, list[str]()

    def end_before(file: DiskFile) -> str:
        seen.extend(one.name for one in Path("out").iterdir())
        os.kill(os.getpid(), number)
        return close(file)

    monkeypatch.setattr(DiskFile, "close", end_before)
    capsys.readouterr()
    assert main(["export", "out"]) == 128 + number
    assert len(seen) == 1
    assert [*Path("out").iterdir()] == []
    assert capsys.readouterr().err == ""
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("verb", ["import", "replay"])
def test_missing_file_is_one_line(verb: str, capsys: Shell) -> None:
    assert main([verb, "nowhere.csv"]) == 2
    assert capsys.readouterr().err == "nowhere.csv: there is no such file or folder\n"


def test_unusable_replay_file_is_one_line(here: Path, capsys: Shell) -> None:
    (here / "few.csv").write_text("text,category\na,x\nb,y\n", encoding="utf-8")
    assert main(["replay", "few.csv"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "too few" in line
    (here / "mail.csv").write_bytes("text,category\nété,b\n".encode("latin-1"))
    assert main(["replay", "mail.csv"]) == 1
    assert "No question could be read" in capsys.readouterr().err


def test_unknown_command_is_refused(capsys: Shell) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fly"])
    assert ended.value.code == 2
    assert "fly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "near"),
    [(["doctr"], "doctor"), (["import", "q.csv", "--catagory", "x"], "--category"), (["--verson"], "--version")],
)
def test_misspelt_word_is_answered_with_the_nearest(arguments: list[str], near: str, capsys: Shell) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert f"Did you mean {near}?" in capsys.readouterr().err


def test_command_of_slack_is_sent_there(capsys: Shell) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status"])
    assert ended.value.code == 2
    assert "/finetune status" in capsys.readouterr().err


def test_version_and_wrong_numbers_are_told_plainly(capsys: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"Madoguchi \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)
    monkeypatch.setenv("BOT_LANGUAGE", "ja")
    with pytest.raises(SystemExit):
        main(["replay", "q.csv", "--every", "x"])
    assert "整数で書いてください" in capsys.readouterr().err


def test_python_without_packages_is_told_what_to_do(here: Path) -> None:
    start = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('bot', run_name='__main__')"
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start], cwd=here, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    english, japanese = ended.stderr.strip().splitlines()
    assert english.startswith("Madoguchi's packages are not installed for this Python")
    assert "`make`" in japanese


def test_long_work_shows_a_bar_on_terminals(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shell) -> None:
    (here / "q.csv").write_text("text,category\n" + QUESTIONS, encoding="utf-8")
    for arguments, shown in ((["import", "q.csv"], "16/16"), (["export", "out"], "16/16")):
        assert main(arguments) == 0
        assert shown not in capsys.readouterr().err
        with monkeypatch.context() as terminal:
            terminal.setattr(sys.stderr, "isatty", lambda: True, raising=False)
            assert main(arguments) == 0
        assert shown in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "ja"])
def test_measurement_is_one_line_in_both_languages(language: str) -> None:
    point = Point(asked=120, corrections=40, right=90, of=100, model="local/ft:1", version="v2", switched=True)
    switched = point_line(point, Words(language))
    kept = point_line(point.model_copy(update={"switched": False}), Words(language))
    for line in (switched, kept):
        assert "\n" not in line
        assert all(fact in line for fact in ("120", "40", "90.0%", "82.6%", "94.5%", "v2"))
        assert "ft:1" not in line
    assert switched != kept


@pytest.mark.parametrize("language", ["en", "ja"])
def test_threshold_effect_is_one_line_in_both_languages(language: str) -> None:
    scope = OutOfScope(rows=40, named=20, caught=30, said=25)
    before = OutOfScope(rows=40, named=22, caught=22, said=30)
    unsure = UnsureFigures(threshold=0.62, answered=0.8, wrong=0.083, scope=scope, without_threshold=before)
    facts = {"0.62": "80%", "8.3%": "40", "75%": "55%"}
    line = unsure_line(unsure, Words(language))
    assert all(fact in line for pair in facts.items() for fact in pair)
    none = unsure_line(unsure.model_copy(update={"threshold": None, "scope": before}), Words(language))
    assert "0.62" not in none
    assert "55%" in none


def test_replay_logs_warnings_only_by_default() -> None:
    read = parser(Words("en")).parse_args
    assert read(["replay", "x.csv"]).log_level == "WARNING"
    assert read(["replay", "x.csv", "--log-level", "INFO"]).log_level == "INFO"
    assert read(["run"]).log_level == "INFO"


URL = "http://127.0.0.1:7788/"


@pytest.mark.parametrize(
    ("practice", "terminal", "setting", "opened"),
    [
        (True, True, "", [URL]),
        (True, True, "1", [URL]),
        (True, True, "0", []),
        (True, True, "false", []),
        (True, False, "", []),
        (False, True, "", []),
    ],
)
async def test_practice_page_opens_in_the_browser(
    monkeypatch: pytest.MonkeyPatch, capsys: Shell, *, practice: bool, terminal: bool, setting: str, opened: list[str]
) -> None:
    """It does so only at a terminal, and not if the setting forbids it."""
    pages: list[str] = []

    @asynccontextmanager
    async def open_bot(*_: object, **__: object) -> AsyncIterator[running.Running]:
        yield running.Running(cast("Any", None), cast("Any", object()) if practice else None, URL)

    async def record(url: str) -> None:
        pages.append(url)

    monkeypatch.setenv("BOT_OPEN_BROWSER", setting)
    monkeypatch.setattr(running, "open_bot", open_bot)
    monkeypatch.setattr(cli, "open_page", record)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    assert await cli.run(argparse.Namespace(), load(), Words("en")) == 0
    assert pages == opened
    assert URL in capsys.readouterr().out


def browser_script(folder: Path, commands: str) -> str:
    """Write a program that takes the place of a browser, and return its path."""
    script = folder / "browser"
    script.write_text(f"#!/bin/sh\n{commands}\n", encoding="utf-8")
    script.chmod(0o700)
    return str(script)


async def test_browser_gets_the_page_without_noise(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROWSER", browser_script(here, 'echo "$1" >> pages; echo noise; echo noise >&2'))
    await open_page(URL)
    assert (here / "pages").read_text(encoding="utf-8") == f"{URL}\n"
    assert capfd.readouterr() == ("", "")


async def test_hanging_browser_does_not_delay_the_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", browser_script(here, "touch started; exec sleep 20"))
    opening = asyncio.create_task(open_page(URL))
    async with asyncio.timeout(15):
        while not (here / "started").exists():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_missing_browser_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    await open_page(URL)
