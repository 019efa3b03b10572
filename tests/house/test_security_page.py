"""docs/security.md: its data map names every table and every file place, and each test that it cites exists."""

import ast
import re
from pathlib import Path

from storage.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROOMS = ("bot", "handlers", "storage")
WRITES = frozenset(
    {"write_text", "write_bytes", "mkstemp", "mkdtemp", "TemporaryDirectory", "NamedTemporaryFile", "held_folder"}
)
"""Calls that make a file, whatever their arguments."""
WRITERS = frozenset({"savefig", "savez", "savez_compressed"})
"""Methods of libraries that write what they hold."""


def part(title: str) -> str:
    """Return the text below a heading, down to the next one."""
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def named(text: str) -> list[str]:
    """Return what stands in code marks in the first column of a table."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]


def writes_files(path: Path) -> bool:
    """Return whether a module opens a file to write, or calls what writes one."""
    source = path.read_text(encoding="utf-8")
    if not any(f"{name}(" in source for name in {*WRITES, *WRITERS, "open"}):
        return False
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            texts = [
                one.value for one in [*node.args, *(k.value for k in node.keywords)] if isinstance(one, ast.Constant)
            ]
            modes = any(isinstance(one, str) and re.fullmatch(r"[wax][bt+]*", one) for one in texts)
            by_os = name == "open" and isinstance(node.func, ast.Attribute) and "O_" in ast.dump(node)
            by_library = name in WRITERS
            if name in WRITES or by_os or by_library or (name in {"open", "fdopen"} and modes):
                return True
    return False


def test_data_map_names_every_table_once() -> None:
    assert sorted(named(part("Tables"))) == sorted(metadata.tables)


def test_data_map_names_every_file_place() -> None:
    writers = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and writes_files(path)
    }
    assert set(named(part("Files"))) == writers


def test_cited_evidence_exists() -> None:
    cited = set(re.findall(r"`(test_\w+)`", PAGE))
    known = {
        found
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(cited) > 40
    assert cited - known == set()


def test_pages_lead_to_security_page() -> None:
    assert "docs/security.md" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "security.md" in (ROOT / "docs" / "code.md").read_text(encoding="utf-8")
