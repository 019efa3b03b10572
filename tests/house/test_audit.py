"""`make audit`: the licences of all dependencies, and what `uv audit` says of vulnerabilities. A stand-in is uv."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def audited(folder: Path, uv: str) -> subprocess.CompletedProcess[str]:
    """Run the audit with this source as `uv`."""
    (folder / "uv").mkdir()
    (folder / "uv" / "__init__.py").touch()
    (folder / "uv" / "__main__.py").write_text(uv, encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}  # noqa: TID251 - a program needs one
    return subprocess.run(
        [sys.executable, ".ci/audit.py"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_licences_are_allowed_without_any_network(tmp_path: Path) -> None:
    done = audited(tmp_path, "import sys; sys.exit('error: no route to host')")
    assert done.returncode == 0, done.stdout
    assert " 0 to look at" in done.stdout
    assert done.stdout.endswith("vulnerabilities: not checked, because no service answered\n")


def test_known_vulnerability_fails_the_audit(tmp_path: Path) -> None:
    looking = """
import pathlib, sys
project = pathlib.Path(sys.argv[sys.argv.index("--project") + 1], "pyproject.toml").read_text()
print("CVE-1 in numpy" if '"numpy==' in project and '"tzdata==' in project else "nothing")
sys.exit(1)
"""
    done = audited(tmp_path, looking)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "CVE-1 in numpy")
