"""Where a program is put under load: a practice workspace that takes the time, and the program in its own process."""

import asyncio
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import yaml

from bot.practice import Server, Workspace, chat, interactions, serve
from bot.practice.delivery import NotAckedError
from bot.practice.people import Channel
from bot.practice.sockets import SocketMode
from bot.practice.wire import Json, SlackError
from bot.settings import ROOT
from handlers.views import ids
from tests.kits.openai_server import OpenAIServer, said
from tests.kits.postgres import make_database

MANIFEST = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
CHAT = "POST /v1/chat/completions"
TICKS = os.sysconf("SC_CLK_TCK")


class TimedSockets(SocketMode):
    """Keeps how many seconds each ack of a question ("asked") or of a press ("pressed") took, as Slack sees it."""

    took: defaultdict[str, list[float]]
    late: Counter[str]

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        of = "pressed" if kind == "interactive" else "asked"
        event = payload.get("event", {})
        counts = "bot_id" not in event and "subtype" not in event
        started = time.perf_counter()
        try:
            answer = await super().ask(kind, payload, **extra)
        except NotAckedError:
            self.late[of] += counts
            raise
        if counts:
            self.took[of].append(time.perf_counter() - started)
        return answer


class Site(Workspace):
    """A practice workspace that is asked and pressed without its page, and sees which questions are answered."""

    def __init__(self) -> None:
        super().__init__(MANIFEST)
        self.sockets = self.timed = TimedSockets(self.app.app_id, self.sockets.timing, self.clock)
        self.answers: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        """The ts of a question → the app's messages in its thread, by their ts, as they are now."""
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.forget()

    def forget(self) -> None:
        """Start to measure anew."""
        self.timed.took, self.timed.late = defaultdict(list), Counter()

    def show(self, channel: Channel, message: Json | None) -> None:
        super().show(channel, message)
        if message and "bot_id" in message and message.get("thread_ts"):
            self.answers[message["thread_ts"]][message["ts"]] = message
            waiting = self._waiting.pop(message["thread_ts"], None)
            if waiting and not waiting.done():
                waiting.set_result(None)

    def say(self, text: str) -> str:
        """Let an employee ask in the watched channel; the question's ts."""
        return str(chat.say(self, self.people.employees[1].id, self.sample.help_desk, text)["ts"])

    async def answered(self, text: str) -> None:
        """Ask, and wait for the answer."""
        ts = self.say(text)
        if not self.answers[ts]:
            self._waiting[ts] = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(120):
                await self._waiting[ts]

    async def agree(self, ts: str) -> bool:
        """Let one of the staff agree with the answer to a question. False where the press was not acked in time."""
        (card,) = self.answers[ts].values()
        given = next(
            {"block_id": block["block_id"], "action_id": element["action_id"]}
            for block in card["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") == ids.AGREE
        )
        place = {"channel": self.sample.help_desk.id, "ts": card["ts"]}
        try:
            await interactions.press_in_message(self, self.people.staff[1], place, given, {})
        except SlackError:
            return False
        return True

    def check(self, questions: int) -> None:
        """Raises RuntimeError unless so many questions have exactly one answer each: then nothing was measured."""
        counted = Counter(len(messages) for messages in self.answers.values())
        if counted != {1: questions}:
            raise RuntimeError(f"{questions} questions; answers per question: {dict(counted)}")


@dataclass(frozen=True)
class Program:
    """A running program."""

    pid: int

    @property
    def megabytes(self) -> float:
        """Its resident memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def cpu_seconds(self) -> float:
        """Of the processor, all its threads, since its start."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS


@asynccontextmanager
async def site(think: float = 0.0) -> AsyncIterator[tuple[Site, dict[str, str]]]:
    """A workspace and a model that thinks for so many seconds; what the environment of a program there says."""
    place, model = Site(), OpenAIServer()
    model.on(CHAT, replace(said("IT", "It is about a password.", p=0.9), wait_s=think))
    async with serve(place) as server, model.running():
        yield place, environment(server, model.url)


def environment(server: Server, model: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
        "PYTHONPATH": str(ROOT),
        "SLACK_API_URL": server.api_url,
        "SLACK_BOT_TOKEN": server.bot_token,
        "SLACK_APP_TOKEN": server.app_token,
        "OPENAI_BASE_URL": model,
        "OPENAI_API_KEY": "sk-bench",
        "BOT_LANGUAGE": "en",
        "BOT_STAFF": server.people.staff[1].id,
        "BOT_ADMINS": server.people.admin.id,
        "BOT_CHANNELS": server.channels.help_desk.id,
        "BOT_OPS_CHANNEL": server.channels.ops.id,
        "BOT_HTTP_PORT": "0",
    }


@asynccontextmanager
async def program(env: Mapping[str, str], folder: str, *command: str) -> AsyncIterator[Program]:
    """`python -m …`, from the first line that it prints on. Its log goes to a file beside it."""
    with Path(folder, "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            cwd=folder,
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout
    try:
        async with asyncio.timeout(300):
            if not await process.stdout.readline():
                raise RuntimeError(Path(folder, "log").read_text())
        yield Program(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def bot(env: Mapping[str, str], folder: str, database: str) -> Any:
    """The whole bot on this database, as `program` gives it."""
    return program({**env, "DATABASE_URL": database}, folder, "bot", "run")


def database_at(kind: str, folder: str) -> str:
    """The address of a new database that syncs each commit to the disk."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/bench.db"
    url = make_database()
    with psycopg.connect(url, autocommit=True) as connection:
        # The tests' server does without; a figure that people are told must not.
        connection.execute("ALTER SYSTEM SET fsync = on")
        connection.execute("SELECT pg_reload_conf()")
    return url


def spread(seconds: Sequence[float]) -> str:
    """Median, 99th percentile and longest in milliseconds, as three columns of a table."""
    if not seconds:
        return f"{'–':>8} {'–':>8} {'–':>8}"
    ranked = sorted(seconds)
    of = (ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)], ranked[-1])
    return " ".join(f"{one * 1000:8.1f}" for one in of)


SPREAD = f"{'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"


def line(text: str = "") -> None:
    """Print a line at once: a bench takes minutes, and is watched."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
