"""Every fault that an operator can meet, as `python -m bot` reports it in both languages."""

import http.server
import re
import socket
import sqlite3
import string
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.cli import main
from bot.domain.faults import Fault, Problem, SettingsError, Unable, problem_of, problems_of
from bot.domain.prompt import CategoriesFile, Prompt
from bot.settings import ROOT, Settings, load
from handlers.texts.words import LANGUAGES, Words, texts
from tests.kits.tls import server_context

SECRET = "s3cr3t"
Shell = pytest.CaptureFixture[str]
ENGLISH = re.compile(r"[A-Za-z][a-z']*(?:[,.;:]?\s+[A-Za-z][a-z']*){2,}")
"""Three English words in a row."""
CATEGORY = '[[category]]\nid = "{id}"\nname = "{name}"\n'


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, without_settings: None) -> Path:
    """Start in an empty folder, without any setting."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Case:
    """A way to cause one fault.

    Attributes:
        where: The place that the line starts with.
        cause: A pattern of what another program says about the fault, in its own language.
        code: The exit code.
    """

    verb: str = "export"
    settings: dict[str, str] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    where: str = ""
    cause: str = ""
    code: int = 2


def setting(name: str, value: str) -> Case:
    return Case(settings={name: value}, where=name)


def categories(text: str, where: str = "", cause: str = "") -> Case:
    """Return a case whose prompt has this categories.toml."""
    file = "categories.toml"
    where = ": ".join(filter(None, ("BOT_PROMPT", file, where)))
    return Case(settings={"BOT_PROMPT": "."}, files={"system.md": "x", file: text}, where=where, cause=cause)


def entry(**changed: str) -> str:
    """Return a categories.toml of one category, with changed or further values."""
    values = {"id": '"a"', "name": '"A"'} | changed
    lines = "".join(f"{name} = {value}\n" for name, value in values.items() if value)
    return f'language = "en"\n[[category]]\n{lines}'


def questions(*labels: str) -> dict[str, str | bytes]:
    return {"q.csv": "text,category\n" + "".join(f"question {n},{label}\n" for n, label in enumerate(labels))}


CASES = {
    Fault.NOT_SET: categories(entry(name=""), "category 1 name"),
    Fault.UNKNOWN_NAME: categories(entry(owners='"U1"'), "category 1 owners"),
    Fault.NEAREST_NAME: setting("BOT_STAF", "U1"),
    Fault.ONE_OF: setting("BOT_LANGUAGE", "fr"),
    Fault.NOT_A_NUMBER: setting("BOT_BUDGET_USD", "much"),
    Fault.NOT_A_WHOLE_NUMBER: setting("BOT_HTTP_PORT", "1.5"),
    Fault.NOT_TRUE_OR_FALSE: categories(entry(other='"maybe"'), "category 1 other"),
    Fault.NOT_TEXT: categories(entry(guide="3"), "category 1 guide"),
    Fault.NOT_A_LIST: categories(entry(examples='"one"'), "category 1 examples"),
    Fault.NOT_A_TABLE: categories('language = "en"\ncategory = [1]\n', "category 1"),
    Fault.AT_LEAST: Case("replay q.csv --every 0", files=questions(), where="--every"),
    Fault.AT_MOST: setting("BOT_HTTP_PORT", "99999"),
    Fault.TOO_SHORT: categories(entry(name='""'), "category 1 name"),
    Fault.TOO_LONG: categories(entry(id=f'"{"a" * 99}"'), "category 1 id"),
    Fault.PATTERN: categories(entry(id='"a b"'), "category 1 id"),
    Fault.HALF_SET: Case(settings={"SLACK_BOT_TOKEN": f"xoxb-{SECRET}"}, where="SLACK_APP_TOKEN"),
    Fault.SWAPPED: Case(
        settings={"SLACK_BOT_TOKEN": f"xapp-{SECRET}", "SLACK_APP_TOKEN": f"xapp-{SECRET}"}, where="SLACK_BOT_TOKEN"
    ),
    Fault.ROTATING: Case(
        settings={"SLACK_BOT_TOKEN": f"xoxe.xoxb-1-{SECRET}", "SLACK_APP_TOKEN": "xapp-1"}, where="SLACK_BOT_TOKEN"
    ),
    Fault.TWO_WAYS: Case(
        settings={"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": SECRET},
        where="SLACK_SIGNING_SECRET",
    ),
    Fault.NOT_A_KEY: setting("OPENAI_API_KEY", f"é{SECRET}"),
    Fault.UNKNOWN_PROVIDER: setting("BOT_SERVING", "acme/model"),
    Fault.NO_KEY: setting("BOT_STUDENT", "openai/gpt"),
    Fault.NO_PROMPT: setting("BOT_PROMPT", "nowhere"),
    Fault.NOT_A_MODEL: setting("BOT_STUDENT", SECRET),
    Fault.NOT_AN_ENCODER: setting("BOT_ENCODER", SECRET),
    Fault.NOT_AN_ADDRESS: setting("OPENAI_BASE_URL", SECRET),
    Fault.NOT_A_DATABASE: setting("DATABASE_URL", "sqlite://"),
    Fault.NOT_PEOPLE: setting("BOT_STAFF", f"U1,{SECRET}"),
    Fault.NOT_CHANNELS: setting("BOT_CHANNELS", SECRET),
    Fault.NOT_A_CHANNEL: setting("BOT_OPS_CHANNEL", SECRET),
    Fault.NOT_SET_APART: setting("BOT_PROVIDERS", SECRET),
    Fault.NOT_CERTIFICATES: Case(settings={"SSL_CERT_FILE": "ca.pem"}, files={"ca.pem": SECRET}, where="SSL_CERT_FILE"),
    Fault.NOT_INSTALLED: setting("LANGSMITH_API_KEY", SECRET),
    Fault.NO_FILE: Case("import nowhere.csv", where="nowhere.csv"),
    Fault.A_FOLDER: Case("import .", where="."),
    Fault.NO_FOLDER: Case("import q.csv/a.csv", files=questions(), where="q.csv/a.csv"),
    Fault.UNREADABLE: Case("import loop", where="loop", cause="Too many levels of symbolic links"),
    Fault.NOT_UTF8: Case(files={".env": b"BOT_STAFF=\xff"}, where=".env"),
    Fault.NOT_TOML: categories("x = \n", cause=r"Invalid value \(at line 1, column \d\)"),
    Fault.FEW_CATEGORIES: categories(entry()),
    Fault.TWICE: categories(entry() + CATEGORY.format(id="b", name="A")),
    Fault.CATCH_ALL: categories(entry() + CATEGORY.format(id="b", name="B")),
    Fault.DATABASE_UNREACHABLE: Case(
        settings={"DATABASE_URL": f"postgresql://bot:{SECRET}@127.0.0.1:1/desk"}, cause="connection failed: .*", code=1
    ),
    Fault.FILE_UNREACHABLE: Case(files={"desk.db": "no database " * 99}, cause="file is not a database", code=1),
    Fault.TABLES_REFUSED: Case("export", cause="table .* already exists", code=1),
    Fault.TABLES_NEWER: Case("export", code=1),
    Fault.SLACK_REFUSED: Case("run", where="SLACK_BOT_TOKEN", code=1),
    Fault.SLACK_UNREACHABLE: Case("run", code=1),
    Fault.SLACK_CERTIFICATE: Case("run", cause="unable to get local issuer certificate", code=1),
    Fault.PORT_TAKEN: Case(
        "run",
        settings={"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"},
        cause=r"Address already in use",
        code=1,
    ),
    Fault.UNKNOWN_ENCODING: Case("import q.csv --encoding klingon", files=questions("it"), where="--encoding"),
    Fault.NOT_A_MAPPING: Case("import q.csv --map it", files=questions("it"), where="--map"),
    Fault.UNKNOWN_CATEGORY: Case(
        "import q.csv --map it=klingon",
        files=questions("it"),
        where="--map",
        cause="Labor, HR, General|労務, 人事, 総務",
    ),
    Fault.NOTHING_READ: Case("replay q.csv", files={"q.csv": b"text,category\n"}, code=1),
    Fault.ONE_CATEGORY: Case("replay q.csv", files=questions("it", "it"), code=1),
    Fault.FEW_QUESTIONS: Case("replay q.csv", files=questions("it", "labor", "it"), code=1),
    Fault.NO_PLAN: Case("replay q.csv --every 8 --agree 1", files=questions(*["it"] * 29, "labor"), cause=".*", code=1),
}
WITHOUT_CASE = {
    Fault.FORBIDDEN: problem_of(PermissionError(13, "no"), "desk.db"),  # root may open every file
    Fault.DISK_FULL: problem_of(OSError(28, "No space left on device"), "desk.db"),
    Fault.NO_ANSWER: Problem(what=Fault.NO_ANSWER, facts={"line": "3", "said": "–"}),
    Fault.UNUSABLE: Problem(what=Fault.UNUSABLE, where="BOT_X", facts={"kind": "url_parsing"}),
}
"""Faults that no case here causes."""


def test_every_fault_has_a_case() -> None:
    assert CASES.keys() | WITHOUT_CASE.keys() == set(Fault)
    assert not CASES.keys() & WITHOUT_CASE.keys()


def assert_no_english(text: str, cause: str = "") -> None:
    left = re.sub(r"python -m bot( [a-z]+)?", "", re.sub(cause, "", text) if cause else text)
    assert not ENGLISH.search(left), left


@pytest.fixture
def slack(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve something that Slack is not, or that fails as Slack does with this fault; yield its address."""
    refuses = request.param is Fault.SLACK_REFUSED
    body, status = (b'{"ok": false, "error": "invalid_auth"}', 200) if refuses else (b"<html>Not here</html>", 404)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status == 200 else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Log nothing, because the test reads the output."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        scheme = "http"
        if request.param is Fault.SLACK_CERTIFICATE:
            scheme, server.socket = "https", server_context().wrap_socket(server.socket, server_side=True)
        yield f"{scheme}://127.0.0.1:{server.server_port}/api/"
        server.shutdown()
        thread.join()


def prepare(fault: Fault, here: Path) -> None:
    """Prepare what a fault needs beyond files and settings."""
    if fault is Fault.UNREADABLE:
        (here / "loop").symlink_to("loop")
    if fault in {Fault.TABLES_REFUSED, Fault.TABLES_NEWER}:
        main(["export"])
        with sqlite3.connect("desk.db") as connection:
            if fault is Fault.TABLES_REFUSED:
                connection.execute("DROP TABLE alembic_version")
            else:
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
                connection.execute("UPDATE oldest_program SET revision = '9999'")
        connection.close()


def stderr_of(monkeypatch: pytest.MonkeyPatch, capsys: Shell, language: str, case: Case) -> str:
    """Run a call, check its exit code and return its stderr."""
    settings = {"DATABASE_URL": "sqlite:///desk.db", "LANG": language} | case.settings
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    assert main(case.verb.split()) == case.code
    said = capsys.readouterr()
    assert SECRET not in said.err + said.out
    return said.err


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fault", [one for one in CASES if not one.value.startswith("slack_")])
def test_fault_is_one_line_in_the_language(
    monkeypatch: pytest.MonkeyPatch, capsys: Shell, here: Path, fault: Fault, language: str
) -> None:
    case = CASES[fault]
    for name, content in case.files.items():
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("DATABASE_URL", "sqlite:///desk.db")
    prepare(fault, here)
    if fault is Fault.NOT_INSTALLED:
        monkeypatch.setitem(sys.modules, "langsmith", None)
    with socket.socket() as taken:
        if fault is Fault.PORT_TAKEN:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = {"BOT_HTTP_HOST": "127.0.0.1", "BOT_HTTP_PORT": str(taken.getsockname()[1])}
            case = replace(case, settings=case.settings | address)
        said = stderr_of(monkeypatch, capsys, language, case)
    assert_line(said, fault, case, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("slack", "fault"),
    [(fault, fault) for fault in (Fault.SLACK_REFUSED, Fault.SLACK_UNREACHABLE, Fault.SLACK_CERTIFICATE)],
    indirect=["slack"],
)
def test_slack_fault_at_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Shell, slack: str, fault: Fault, language: str
) -> None:
    tokens = {"SLACK_BOT_TOKEN": f"xoxb-{SECRET}", "SLACK_APP_TOKEN": f"xapp-{SECRET}"}
    case = replace(CASES[fault], settings={"SLACK_API_URL": slack, "BOT_HTTP_PORT": "0"} | tokens)
    assert_line(stderr_of(monkeypatch, capsys, language, case), fault, case, language)


def assert_line(said: str, fault: Fault, case: Case, language: str) -> None:
    """Check that the line is the fault's own, starts with its place, and is in one language."""
    # The log and the progress bar are on stderr too.
    (line,) = [line for line in said.splitlines() if line and not line.startswith("{") and "q/s" not in line]
    parts = [bare for bare in re.split(r"\{\w+\}", texts(language)[f"cli.fault.{fault.value}"]) if bare]
    assert all(part in line for part in parts), line
    assert line.startswith(f"{case.where}: " if case.where else line[:1])
    if case.cause:
        assert re.search(case.cause, line)
    if language == "ja":
        assert_no_english(line, case.cause)


@pytest.mark.parametrize("fault", WITHOUT_CASE)
def test_faults_without_case_have_texts(fault: Fault) -> None:
    assert WITHOUT_CASE[fault].what is fault
    assert_no_english(Words("ja").problem(WITHOUT_CASE[fault]))
    assert ENGLISH.search(Words("en").problem(WITHOUT_CASE[fault]))


WRONG_CALLS = [
    "fly",
    "import",
    "export one two",
    "replay q.csv --every",
    "replay q.csv --every few",
    "replay q.csv --agree much",
    "replay q.csv --order wild",
    "replay q.csv --e 3",
    "run -h=3",
    "--help",
    "run --help",
    "doctor --help",
    "export --help",
    "import --help",
    "replay --help",
]


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_argparse_speaks_the_language(monkeypatch: pytest.MonkeyPatch, capsys: Shell, call: str) -> None:
    said = {}
    for language in LANGUAGES:
        monkeypatch.setenv("LANG", language)
        with pytest.raises(SystemExit) as ended:
            main(call.split())
        assert ended.value.code == (0 if "--help" in call else 2)
        captured = capsys.readouterr()
        said[language] = captured.err + captured.out
    assert_no_english(said["ja"])
    assert "使い方" in said["ja"]
    assert said["en"].startswith("usage: python -m bot")


def test_program_speaks_the_language_of_env_file(here: Path) -> None:
    """The language counts even if other settings in the file are invalid."""
    (here / ".env").write_text("BOT_LANGUAGE=ja\nBOT_HTTP_PORT=x\n", encoding="utf-8")
    for call, expected in ((["export"], "BOT_HTTP_PORT: 整数で書いてください\n"), (["fly"], "使い方: python -m bot ")):
        ended = subprocess.run(
            [sys.executable, "-m", "bot", *call],
            env={"PYTHONPATH": str(ROOT), "LANG": "en_US.UTF-8", "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith(expected)
        assert_no_english(ended.stderr)


words_of_settings = st.text(string.printable, max_size=12).filter(lambda text: "\0" not in text)
names_of_settings = st.sampled_from([name.upper() for name in Settings.model_fields])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(names_of_settings, words_of_settings)
def test_any_wrong_setting_has_a_text(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(name, value)
        try:
            load()
        except SettingsError as error:
            assert_has_texts(error)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(["id", "name", "rule", "examples", "owner", "other"], values)))
def test_any_wrong_category_has_a_text(category: dict[str, object]) -> None:
    try:
        file = CategoriesFile.model_validate({"language": "en", "category": [category]})
        Prompt(language="en", template="", categories=file.category)
    except ValidationError as error:
        assert_has_texts(Unable(*problems_of(error)))


def assert_has_texts(error: Unable) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.what is not Fault.UNUSABLE, problem
        assert all(Words(language).problem(problem) for language in LANGUAGES)


@pytest.mark.parametrize(
    ("package", "case"),
    [
        ("opentelemetry", setting("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")),
        ("matplotlib", Case("replay q.csv --plot q.png", files=questions("it", "labor"), where="q.png")),
    ],
)
def test_left_out_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Shell, here: Path, package: str, case: Case
) -> None:
    for name, content in case.files.items():
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setitem(sys.modules, package, None)
    said = stderr_of(monkeypatch, capsys, "en", case)
    assert_line(said, Fault.NOT_INSTALLED, case, "en")
    assert package in said
