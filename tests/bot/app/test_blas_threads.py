"""The bot multiplies matrices on one thread: a second one would mostly wait, and burn a processor meanwhile."""

import subprocess
import sys

from bot.settings import ROOT

THREADS = """
from bot.settings import use_one_blas_thread
use_one_blas_thread()
import numpy, threadpoolctl
numpy.ones((4, 4)) @ numpy.ones((4, 4))
print({found["num_threads"] for found in threadpoolctl.threadpool_info() if found["user_api"] == "blas"})
"""


def test_blas_uses_one_thread() -> None:
    found = subprocess.run(
        [sys.executable, "-c", THREADS],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "{1}"
