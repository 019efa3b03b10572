"""`python -m bot run` as a program of its own; its environment names Slack, the model and the database."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import yaml

from bot.practice import Server
from tests.kits.forked_programs import forked

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))


def at_slack(server: Server) -> dict[str, str]:
    """Return the environment that a bot needs in this workspace, and nothing else."""
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
        "PYTHONPATH": str(ROOT),
        "SLACK_API_URL": server.api_url,
        "SLACK_BOT_TOKEN": server.bot_token,
        "SLACK_APP_TOKEN": server.app_token,
        "BOT_HTTP_PORT": "0",
        "BOT_AUTO_TRAIN": "off",
        "BOT_TRAINING_ALLOWED": "true",
        "BOT_ENCODER": "none",
        "BOT_STAFF": server.people.staff[1].id,
        "BOT_ADMINS": server.people.admin.id,
        "BOT_CHANNELS": server.channels.help_desk.id,
    }


@asynccontextmanager
async def running(
    folder: Path, env: dict[str, str], command: Sequence[str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program, forked unless a command is given; yield it once it is connected."""
    bot = await asyncio.create_subprocess_exec(
        *(command or forked("bot", "run")),
        cwd=folder,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert bot.stdout
    try:
        first = (await asyncio.wait_for(bot.stdout.readline(), 80)).decode()
        assert "Slack" in first, first
        yield bot
    finally:
        if bot.returncode is None:
            bot.kill()
        await bot.communicate()


@asynccontextmanager
async def run_with_short_leases(folder: Path, env: dict[str, str]) -> AsyncIterator[int]:
    """Run a bot whose leases are a tenth as long (tests/chaos/replica.py); yield its pid once it is connected.

    Raises:
        AssertionError: It ended before; the message is the end of its log.
    """
    log = folder / "replicas.log"
    with log.open("ab") as errors:
        nursery = await asyncio.create_subprocess_exec(
            *forked("tests.chaos.replica"),
            cwd=folder,
            env=env | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert nursery.stdin
    assert nursery.stdout
    nursery.stdin.write(b"\n")
    pid = 0
    try:
        async with asyncio.timeout(80):
            async for line in nursery.stdout:
                assert not line.startswith(b"gone"), log.read_text(encoding="utf-8")[-3000:]
                pid = int(line.split()[1]) if line.startswith(b"born") else pid
                if b"Slack" in line:
                    break
        yield pid
    finally:
        if pid:  # 0, of one that was never born, would be all of us
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        nursery.stdin.close()
        await nursery.communicate()


CATEGORIES = """
language = "en"
[[category]]
id = "facilities"
name = "Facilities"
rule = "Anything about the building"
owner = "U0PRIYA0001"
[[category]]
id = "people"
name = "People team"
rule = "Anything about people"
[[category]]
id = "rest"
name = "Rest"
other = true
"""


def environment(folder: Path, server: Server, model: str) -> dict[str, str]:
    prompt = folder / "prompt"
    prompt.mkdir()
    (prompt / "system.md").write_text("Sort questions.", encoding="utf-8")
    (prompt / "categories.toml").write_text(CATEGORIES, encoding="utf-8")
    return at_slack(server) | {
        "OPENAI_BASE_URL": model,
        "OPENAI_API_KEY": "sk-elsewhere",
        "BOT_PROMPT": str(prompt),
        "DATABASE_URL": f"sqlite:///{folder}/elsewhere.db",
    }
