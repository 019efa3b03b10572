"""Files, names, labels and commands in the documents: they exist and work."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from bot.cli import parser
from handlers.texts.words import Language, Words, texts

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.ja.md")
GUIDES = ("docs/code.md", "CONTRIBUTING.md")
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
ROOMS = ("bot/", "handlers/", "storage/", "prompts/", "tests/", "docs/")
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]*)+|[\w-]+\.(?:py|md|toml|yml))`")
"""A path in backticks: with a slash, or the name of a file."""
NAMED = re.compile(r"`([\w./-]+\.py)`((?:(?:,|\sand)?\s+`[A-Za-z_][\w.]*(?:\(\))?`)+)")
"""A Python file in backticks with the names that follow it, as in `file.py` `Class.method`, `function()`."""
FORMER = re.compile(r"`([^`]+)` is now ")
"""A former name in docs/upgrade.md, as in `old.py` is now `new.py`."""


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of this language, without the indentation of a list."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", read(document), re.MULTILINE | re.DOTALL)


@cache
def definitions(file: str) -> set[str]:
    """Return the classes, functions and constants of a file, and `Class.name` for all that a class defines."""

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            match node:
                case ast.ClassDef(name=name, body=inner):
                    yield prefix + name
                    yield from walk(inner, f"{prefix}{name}.")
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield prefix + name
                case ast.Assign(targets=targets):
                    yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))
                case ast.AnnAssign(target=ast.Name(id=name)):
                    yield prefix + name
                case _:
                    pass

    return set(walk(ast.parse(read(file)).body, ""))


def named(document: str) -> list[tuple[str, str]]:
    """Return each pair of a Python file and a name that the document says is in it."""
    pairs = NAMED.findall(read(document))
    return [(file, name) for file, names in pairs for name in re.findall(r"`([\w.]+)(?:\(\))?`", names) if "/" in file]


def shell_lines(document: str) -> list[str]:
    return [line for block in blocks(document, "sh") for line in block.splitlines()]


def command_lines(document: str) -> list[str]:
    """Return the commands without comments and leading variables.

    They are the lines of the sh blocks. In the READMEs and CONTRIBUTING, commands in running text are complete, too.
    """
    lines = shell_lines(document)
    if not document.startswith("docs/"):
        lines += re.findall(r"`((?:[A-Z_]+=\S+ )*(?:make|(?:\.venv/bin/)?python -m bot)(?: [^`]*)?)`", read(document))
    bare = (re.sub(r"^\s*(?:[A-Z_]+=\S+ )*|\s+#.*$", "", line) for line in lines)
    return [line for line in bare if line]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("document", GUIDES)
def test_paths_in_guides_exist(document: str) -> None:
    paths = {path for path in PATH.findall(read(document)) if path.startswith(ROOMS) or Path(path).suffix}
    assert len(paths) > 20
    missing = [path for path in sorted(paths) if not (ROOT / path).exists()]
    assert not missing, missing


@pytest.mark.parametrize("document", GUIDES)
def test_names_in_guides_are_defined(document: str) -> None:
    pairs = named(document)
    assert len(pairs) > 10
    undefined = [(file, name) for file, name in pairs if name not in definitions(file)]
    assert not undefined, undefined


def test_import_order_in_guide_is_the_contract() -> None:
    (line,) = re.findall(r"^`(cli > .*)`\.$", read("docs/code.md"), re.MULTILINE)
    told = [re.findall(r"\w+", layer) for layer in line.split(" > ")]
    contract = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]
    layers = [{name.removeprefix("bot.") for name in layer.split(" | ")} for layer in contract]
    order = [[n for n, layer in enumerate(layers) if layer.issuperset(names)] for names in told]
    assert order == sorted(order)
    assert all(len(found) == 1 for found in order), line


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_of_ours_in_documents_exist(document: str) -> None:
    text = read(document)
    paths = {path for path in PATH.findall(text) if path.startswith(ROOMS)} - set(FORMER.findall(text))
    missing = [path for path in sorted(paths) if not (ROOT / path).exists()]
    assert not missing, missing


@pytest.mark.parametrize("document", READMES)
@pytest.mark.parametrize("target", ["LICENSE", "CONTRIBUTING.md", "SECURITY.md", "docs/code.md", "docs/settings.md"])
def test_readme_links_to_document(document: str, target: str) -> None:
    assert f"]({target})" in read(document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_in_documents_exist(document: str) -> None:
    lines = [line.split() for line in command_lines(document) if re.match(r"make\b", line)]
    unknown = [line for line in lines if not {*line[1:]} <= make_targets()]
    assert not unknown, unknown
    assert lines or document not in (*READMES, "CONTRIBUTING.md")


def test_every_make_target_is_in_contributing() -> None:
    text = read("CONTRIBUTING.md")
    missing = [t for t in re.findall(r"^([a-z]+):.*##", read("Makefile"), re.MULTILINE) if f"make {t}" not in text]
    assert not missing, missing


@pytest.mark.parametrize("document", READMES)
def test_every_verb_is_in_readme(document: str) -> None:
    verbs = parser(Words("en"))._subparsers._group_actions[0].choices  # type: ignore[union-attr]  # argparse has no public way
    assert verbs
    missing = [verb for verb in verbs if f"python -m bot {verb}" not in read(document)]
    assert not missing, missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_bot_commands_in_documents_can_be_parsed(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    program = parser(Words("en"))
    lines = [line for line in command_lines(document) if re.match(r"(\.venv/bin/)?python -m bot ", line)]
    assert lines or document not in READMES
    for line in lines:
        try:
            program.parse_args(shlex.split(line.partition(" -m bot ")[2]))
        except SystemExit:
            pytest.fail(f"{line}\n{capsys.readouterr().err}")


@pytest.mark.parametrize(("document", "language"), [("README.md", "en"), ("README.ja.md", "ja")])
def test_buttons_in_readme_have_these_labels(document: str, language: Language) -> None:
    labels = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", read(document))
    assert len(labels) > 4
    page = (ROOT / "bot/practice/page/words.js").read_text("utf-8").partition("  ja: {")[2 if language == "ja" else 0]
    known = [*texts(language).values(), *re.findall(r"^    \w+: \"(.+)\",$", page, re.MULTILINE)]
    patterns = [re.sub(r"\\{\d\\}", ".+", re.escape(label)) for label in known]
    assert [label for label in labels if not any(re.fullmatch(one, label) for one in patterns)] == []


def test_example_in_contributing_is_a_real_test() -> None:
    (example,) = blocks("CONTRIBUTING.md", "python")
    (file,) = re.findall(r"are from\s+`(tests/[\w/]+\.py)`", read("CONTRIBUTING.md"))
    real = {ast.dump(node) for node in ast.parse(read(file)).body}
    pieces = ast.parse(example).body
    assert len(pieces) > 1
    changed = [ast.unparse(piece) for piece in pieces if ast.dump(piece) not in real]
    assert not changed, changed


def history_lines(document: str) -> list[str]:
    """Return the lines that import and export the sample history."""
    return [line for line in shell_lines(document) if re.search(r" -m bot (import|export) ", line)]


def test_japanese_readme_has_the_same_history_commands() -> None:
    english = [line.replace("prompts/en/", "prompts/ja/") for line in history_lines("README.md")]
    assert history_lines("README.ja.md") == [f"BOT_LANGUAGE=ja {line}" for line in english]


@pytest.fixture
def fresh_copy(tmp_path: Path) -> Path:
    """Return a copy of the tracked files, with their bytecode if there is any: compiling takes a second."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    bytecode = [Path(cache_from_source(str(file))) for file in files if file.suffix == ".py"]
    for file in [*files, *bytecode]:
        if file.is_file():
            target = tmp_path / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)  # with its time, by which Python knows whether bytecode is valid
    return tmp_path


@pytest.mark.program
def test_import_and_export_of_readme_work_as_typed(fresh_copy: Path) -> None:
    typed = history_lines("README.md")
    assert len(typed) == 2
    for line in typed:
        ended = subprocess.run(
            [sys.executable, *shlex.split(line.removeprefix(".venv/bin/python "))],
            cwd=fresh_copy,
            env={},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, ""), line
    (data,), (manifest,) = fresh_copy.glob("out/madoguchi-*.jsonl"), fresh_copy.glob("out/madoguchi-*.manifest.json")
    assert len(data.read_bytes().splitlines()) > 100
    assert manifest.name.startswith(data.stem)


@pytest.mark.tour
@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", ["README.md", "README.ja.md"])
def test_replay_of_readme_works_as_typed(fresh_copy: Path, document: str) -> None:
    (line,) = (line for line in shell_lines(document) if " -m bot replay " in line)
    settings, _, call = line.partition(".venv/bin/python ")
    ended = subprocess.run(
        [sys.executable, *shlex.split(call)],
        cwd=fresh_copy,
        env=dict(setting.split("=") for setting in settings.split()),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("%") >= 3, ended.stdout
    assert (fresh_copy / "history.png").read_bytes().startswith(b"\x89PNG")


def test_each_decision_has_a_number_of_its_own() -> None:
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0] for path in ROOT.glob("docs/decisions/*.md")
    }
    assert all(re.match(rf"# {int(name[:4])}\. ", title) for name, title in titles.items()), "file and title differ"
    assert len({name[:4] for name in titles}) == len(titles)
