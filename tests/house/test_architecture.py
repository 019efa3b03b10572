"""Names, sizes, import contracts and dependencies of the whole repository."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bot", "handlers", "storage")
STORIES = ("app", "questions", "care", "corrections", "dataset", "finetunes", "releases", "mirror", "similarity")
LONGEST_TEST_NAME = 8
"""Words after `test_`."""
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a statement, an exception handler or a case that hold further statements."""
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def modules(*folders: str) -> list[Path]:
    """Return the Python files of these folders, without migrations: each migration repeats its own definitions."""
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sorted(file for file in files if "migrations" not in file.parts)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def public_definitions(tree: ast.Module) -> Iterator[str]:
    """Yield the module's public classes, constants and type aliases, which all begin with a capital letter."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec"))):
                names = []
            case ast.Assign(targets=targets):
                names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if name[0].isupper())


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements below a node. Most nodes of a tree are expressions, and none of those holds a statement."""
    for field in BLOCKS:
        for inner in getattr(node, field, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from statements(inner)


@cache
def imported_modules(file: Path) -> tuple[str, ...]:
    """Return the modules that a file imports, and the full names of what it imports from them."""
    return tuple(_imported_modules(file))


def _imported_modules(file: Path) -> Iterator[str]:
    for node in statements(parsed(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def declared(requirements: Iterable[str]) -> set[str]:
    """Return the normalised distribution names of these requirements."""
    names = (re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements)
    return {normalised(name) for name in names}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def installed() -> Mapping[str, list[str]]:
    """Return package → the names of the distributions that it comes in. Reading them all takes a second."""
    return packages_distributions()


def undeclared(files: Iterable[Path], requirements: Iterable[str]) -> set[str]:
    """Return the packages that these files import although no requirement declares their distribution."""
    ours = {*ROOMS, "tests", *sys.stdlib_module_names}
    packages = {module.partition(".")[0] for file in files for module in imported_modules(file)} - ours
    known, distributions = declared(requirements), installed()
    return {package for package in packages if known.isdisjoint(map(normalised, distributions.get(package, [])))}


def named_modules() -> set[str]:
    """Return every module of ours that an import contract names, with its full name."""
    found: set[str] = set()
    for contract in PROJECT["tool"]["importlinter"]["contracts"]:
        lists = ("source_modules", "forbidden_modules", "protected_modules", "allowed_importers", "ancestors")
        found |= {module for name in lists for module in contract.get(name, [])}
        layers = [part.strip(" ()") for layer in contract.get("layers", []) for part in re.split(r"[|:]", layer)]
        containers = contract.get("containers", [])
        found |= {f"{container}.{layer}" for container in containers for layer in layers} if containers else {*layers}
        found |= {*containers}
    return {module for module in found if module.partition(".")[0] in ROOMS}


def import_linter(project: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the project in this folder."""
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"],
        cwd=project,
        env={"COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the code and its contracts."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "page"))
    return folder


def test_public_names_are_unique() -> None:
    places = defaultdict(list)
    for file in modules(*ROOMS):
        for name in public_definitions(parsed(file)):
            places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


@pytest.mark.parametrize(
    ("folder", "most"), [("bot", 6), ("handlers", 20), *((f"bot/{story}", 12) for story in STORIES)]
)
def test_folder_stays_small(folder: str, most: int) -> None:
    files = sorted(file.name for file in (ROOT / folder).glob("*.py") if file.name != "__init__.py")
    assert 0 < len(files) <= most, files


def test_contracts_are_kept_by_an_unchanged_copy(copy: Path) -> None:
    checked = import_linter(copy)
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


FORBIDDEN = [
    ("storage/rows.py", "bot.mirror.outbound", "storage is not allowed to import bot.mirror"),
    ("bot/domain/card.py", "bot.ports.clock", "bot.domain is not allowed to import bot.ports"),
    ("bot/questions/cards.py", "sqlalchemy", "bot.questions is not allowed to import sqlalchemy"),
    ("handlers/home.py", "storage.store", "handlers is not allowed to import storage"),
    ("handlers/views/card.py", "bot.settings", "Illegal imports of protected package bot.settings"),
]


def test_forbidden_imports_break_the_contracts(copy: Path) -> None:
    before = {file: (copy / file).read_text(encoding="utf-8") for file, _, _ in FORBIDDEN}
    try:
        for file, forbidden, _ in FORBIDDEN:
            (copy / file).write_text(f"{before[file]}\nimport {forbidden}\n", encoding="utf-8")
        checked = import_linter(copy)
    finally:
        for file, source in before.items():
            (copy / file).write_text(source, encoding="utf-8")
    assert checked.returncode == 1, checked.stdout
    for file, forbidden, complaint in FORBIDDEN:
        importer = file.removesuffix(".py").replace("/", ".")
        assert f"{importer} -> {forbidden}" in checked.stdout
        assert complaint in checked.stdout


def test_contracts_name_folders_only() -> None:
    named = named_modules()
    assert {"bot.questions", "bot.domain", "handlers", "storage"} <= named
    for module in named:
        place = ROOT / module.replace(".", "/")
        at_the_top = module.count(".") == 1 and module.startswith("bot.")
        assert place.is_dir() or (at_the_top and place.with_suffix(".py").is_file()), module


def test_imported_packages_are_declared() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    requirements = [*PROJECT["project"]["dependencies"], *(each for extra in extras for each in extra)]
    assert undeclared(modules(*ROOMS), requirements) == set()
    assert undeclared(modules("tests"), [*requirements, *PROJECT["dependency-groups"]["dev"]]) == set()


@pytest.mark.parametrize("document", ["LICENSE", "CONTRIBUTING.md", "SECURITY.md"])
def test_document_of_the_house_exists(document: str) -> None:
    assert (ROOT / document).read_text(encoding="utf-8").strip()


def test_no_test_module_is_imported() -> None:
    for file in modules("tests"):
        imported = [module for module in imported_modules(file) if re.match(r"tests\.(\w+\.)*test_", module)]
        assert imported == [], file


def test_test_names_have_at_most_eight_words() -> None:
    named = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in statements(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
    assert not sorted(name for name in named if name.count("_") > LONGEST_TEST_NAME)
