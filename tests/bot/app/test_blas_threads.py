"""The bot multiplies matrices on one thread: a second one would mostly wait, and burn a processor meanwhile."""

import subprocess
import sys

import pytest

from bot.settings import ROOT

THREADS = """
from bot.settings import use_one_blas_thread
use_one_blas_thread()
import numpy, threadpoolctl
numpy.ones((4, 4)) @ numpy.ones((4, 4))
print({found["num_threads"] for found in threadpoolctl.threadpool_info() if found["user_api"] == "blas"})
"""


TRAINING = """
import sys
import tempfile
import threadpoolctl
import uvicorn
from bot.embedded.__main__ import main
from bot.embedded.learner import learn
from bot.embedded.training_set import TrainingTask

def show(*_, **__):
    print({one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"})

rows = [(f"{word} {n}", word) for n in range(5) for word in ("pay", "leave")]
learn(TrainingTask(rows, "", open=["more pay"]), lambda fold, *_: show() if fold == 1 else None)
uvicorn.run = show
with tempfile.TemporaryDirectory() as folder:
    sys.argv = ["", "--folder", folder, "--encoder", "none"]
    main()
"""


@pytest.mark.parametrize(
    ("script", "environment", "printed"),
    [(THREADS, {}, ["{1}"]), (TRAINING, {"OPENBLAS_NUM_THREADS": "2"}, ["{1}", "{1}"])],
    ids=["bot", "first training, server of the embedded model"],
)
def test_blas_uses_one_thread(script: str, environment: dict[str, str], printed: list[str]) -> None:
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split("\n")[:-1] == printed
