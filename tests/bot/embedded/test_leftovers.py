"""Temporary files and folders after their program was killed, ended, or went on."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bot.embedded.leftovers import delete_leftovers, held_file, held_folder

HOLD = """
import sys
from pathlib import Path
from bot.embedded.leftovers import held_file, held_folder
folder = Path(sys.argv[1])
if sys.argv[2] == "file":
    kept = held_file(folder, "ours-")
    path = kept.__enter__()
else:
    kept = held_folder("ours-")
    path = kept.__enter__()
    (path / "text").write_text("a question")
print(path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.mark.program
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_only_a_killed_programs_things_are_deleted(kind: str, tmp_path: Path) -> None:
    command = (sys.executable, "-c", HOLD, str(tmp_path), kind)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        path = Path(process.stdout.readline().strip())
        delete_leftovers(tmp_path, "ours-*")
        assert path.exists(), "its program runs"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.exists()
    delete_leftovers(tmp_path, "ours-*")
    assert not path.exists()


def test_next_folder_takes_away_what_was_left(tmp_path: Path) -> None:
    left, foreign = tmp_path / "ours-left", tmp_path / "other-left"
    for folder in (left, foreign):
        folder.mkdir()
        (folder / "text").write_text("a question", encoding="utf-8")
    with held_folder("ours-") as first, held_folder("ours-") as second:
        assert first.is_dir()
        assert second.is_dir()
    assert [*tmp_path.iterdir()] == [foreign]


def test_held_file_is_the_owners_until_renamed(tmp_path: Path) -> None:
    with held_file(tmp_path, "ours-") as renamed, held_file(tmp_path, "ours-", ".partial") as kept:
        assert kept.stat().st_mode & 0o777 == 0o600
        delete_leftovers(tmp_path, "ours-*")
        renamed.replace(tmp_path / "a")
        assert kept.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_link_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "ours-link"
    target.write_text("text", encoding="utf-8")
    link.symlink_to(target)
    delete_leftovers(tmp_path, "ours-*")
    assert target.read_text(encoding="utf-8") == "text"


def test_file_taken_before_its_lock_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may see a new file before its maker has locked it."""
    opened, seen = os.open, list[Path]()

    def twice_taken(path: Path | str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            return opened(path, flags, mode)
        seen.append(Path(path))
        if len(seen) == 1:
            seen[0].unlink()
        descriptor = opened(path, flags, mode)
        if len(seen) == 2:
            seen[1].unlink()
        return descriptor

    monkeypatch.setattr(os, "open", twice_taken)
    with held_file(tmp_path, "ours-") as path:
        assert [*tmp_path.iterdir()] == [path] == seen[2:]
