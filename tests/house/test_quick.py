"""`make quick` leaves out what starts a program."""

import re
import subprocess
import sys

from bot.settings import ROOT


def test_quick_leaves_out_started_programs() -> None:
    chosen = next(
        line.split('"')[1]
        for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
        if "hypothesis-profile=quick" in line
    )
    command = [sys.executable, "-m", "pytest", "--collect-only", "-m", chosen, "tests/bot/app/test_blas_threads.py"]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert re.search(r"no tests collected \(\d+ deselected\)", collected.stdout)
