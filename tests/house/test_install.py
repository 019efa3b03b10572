"""The installation by `make`: its progress, its failures, and what it leaves unsaid. A stand-in takes pip's place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FETCHING = """
import pathlib, sys, sysconfig
print("Looking in indexes: https://index.example/simple")
print("Collecting numpy==2.4.1 (from -r .ci/run.txt (line 3))")
print("  Downloading https://index.example/numpy-2.4.1-cp311-cp311-linux_x86_64.whl (9 MB)")
print("Processing /wheels/typing_extensions-4.16.0-py3-none-any.whl (from -r .ci/run.txt (line 9))")
print("Collecting psycopg[binary]==3.3.2 (from -r .ci/run.txt (line 12))")
print("WARNING: Retrying (Retry(total=4)) after connection broken: host='index.example'")
"""
INSTALLING = """
print("Installing collected packages: numpy, typing-extensions")
for name in ("numpy-2.4.1", "typing_extensions-4.16.0"):
    folder = pathlib.Path(sysconfig.get_path("purelib")) / f"{name}.dist-info"
    folder.mkdir()
    (folder / "INSTALLER").write_text("pip")
"""
FAILING = """
print("ERROR: hashes differ", file=sys.stderr)
print("    numpy==2.4.1 from https://index.example/numpy.whl (host='index.example'):", file=sys.stderr)
print("        Got abc", file=sys.stderr)
sys.exit(2)
"""
STEPS = """\
  fetching numpy 2.4.1
  fetching typing-extensions 4.16.0
  fetching psycopg 3.3.2
  the package index does not answer; trying again
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, the installer, an empty lock and an environment without pip."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / ".ci" / "install.py", tmp_path / ".ci")
    (tmp_path / ".ci" / "run.txt").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    return tmp_path


def make(project: Path, pip: str, shell: str = "/bin/sh") -> subprocess.CompletedProcess[str]:
    """Let `make` install the packages of the lock with this source as pip."""
    stand_in = project / "stand_in" / "pip"
    stand_in.mkdir(parents=True)
    (stand_in / "__main__.py").write_text(pip, encoding="utf-8")
    path = os.environ["PATH"]  # noqa: TID251 - make needs one
    return subprocess.run(
        ["make", f"SHELL={shell}", ".venv/run.ok"],
        cwd=project,
        env={"PATH": path, "PYTHONPATH": str(stand_in.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_package_is_shown_without_addresses(project: Path) -> None:
    ended = make(project, FETCHING + INSTALLING)
    assert (ended.returncode, ended.stderr) == (0, "")
    heading, _, steps = ended.stdout.partition("\n")
    assert heading.startswith("Installing the packages of .ci/run.txt")
    assert steps == (f"{STEPS}  installed numpy 2.4.1\n  installed typing-extensions 4.16.0\n  2 packages installed\n")
    assert (project / ".venv" / "run.ok").exists()


@pytest.mark.parametrize("shell", [shell for name in ("dash", "bash") if (shell := shutil.which(name))])
def test_failure_of_pip_is_failure_of_make(project: Path, shell: str) -> None:
    ended = make(project, FETCHING + FAILING, shell)
    assert ended.returncode == 2
    assert STEPS in ended.stdout
    assert ended.stderr.startswith("ERROR: hashes differ\n    numpy==2.4.1 from … (host='…'):\n        Got abc\n")
    assert "index.example" not in ended.stdout + ended.stderr
    assert not (project / ".venv" / "run.ok").exists()
