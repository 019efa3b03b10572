"""The setting of a load test: a practice workspace that measures times, and the program under test as a process."""

import asyncio
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

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
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


Figures = Mapping[str, float]
"""What was measured in one run, by name."""


class TimedSockets(SocketMode):
    """Socket Mode that measures acks as Slack sees them.

    Attributes:
        seconds: The time of each ack, by kind: "asked" for questions, "pressed" for presses.
        late: How many deliveries were not acked in time, by kind.
    """

    seconds: defaultdict[str, list[float]]
    late: Counter[str]

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        counted_as = "pressed" if kind == "interactive" else "asked"
        event = payload.get("event", {})
        counts = "bot_id" not in event and "subtype" not in event
        started = time.perf_counter()
        try:
            answer = await super().ask(kind, payload, **extra)
        except NotAckedError:
            self.late[counted_as] += counts
            raise
        if counts:
            self.seconds[counted_as].append(time.perf_counter() - started)
        return answer


class BenchWorkspace(Workspace):
    """A practice workspace in which questions are asked and answers confirmed without its page.

    Attributes:
        answers: Ts of a question → the app's messages in its thread, by their ts, in their current state.
    """

    def __init__(self) -> None:
        super().__init__(MANIFEST)
        self.sockets = self.timed = TimedSockets(self.app.app_id, self.sockets.timing, self.clock)
        self.answers: defaultdict[str, dict[str, Json]] = defaultdict(dict)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.reset_times()

    def reset_times(self) -> None:
        self.timed.seconds, self.timed.late = defaultdict(list), Counter()

    def show(self, channel: Channel, message: Json | None) -> None:
        super().show(channel, message)
        if message and "bot_id" in message and message.get("thread_ts"):
            self.answers[message["thread_ts"]][message["ts"]] = message
            waiting = self._waiting.pop(message["thread_ts"], None)
            if waiting and not waiting.done():
                waiting.set_result(None)

    def say(self, text: str) -> str:
        """Post a question of an employee in the watched channel and return its ts."""
        return str(chat.say(self, self.people.employees[1].id, self.sample.help_desk, text)["ts"])

    async def ask(self, text: str) -> str:
        """Post a question, wait for its answer and return the question's ts."""
        ts = self.say(text)
        if not self.answers[ts]:
            await self._shown(ts)
        return ts

    async def confirm(self, ts: str) -> None:
        """Confirm the answer to a question and wait until its message changes."""
        shown = asyncio.create_task(self._shown(ts))
        await asyncio.sleep(0)  # it begins to wait
        if not await self.agree(ts):
            raise RuntimeError("a press was not acked in time")
        await shown

    async def _shown(self, ts: str) -> None:
        """Wait until a message in this question's thread is posted or updated."""
        self._waiting[ts] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(120):
            await self._waiting[ts]

    async def agree(self, ts: str) -> bool:
        """Confirm the answer to a question as one of the staff, and return whether the press was acked in time."""
        (card,) = self.answers[ts].values()
        button = next(
            {"block_id": block["block_id"], "action_id": element["action_id"]}
            for block in card["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") == ids.AGREE
        )
        place = {"channel": self.sample.help_desk.id, "ts": card["ts"]}
        try:
            await interactions.press_in_message(self, self.people.staff[1], place, button, {})
        except SlackError:
            return False
        return True

    def check(self, questions: int) -> None:
        """Check that `questions` questions have exactly one answer each.

        Raises:
            RuntimeError: An answer is missing or duplicated, so the measured times mean nothing.
        """
        counted = Counter(len(messages) for messages in self.answers.values())
        if counted != {1: questions}:
            raise RuntimeError(f"{questions} questions; answers per question: {dict(counted)}")


@dataclass(frozen=True)
class RunningProgram:
    """A running process under test."""

    pid: int

    @property
    def megabytes(self) -> float:
        """Resident memory now, in units of 1,000,000 bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all threads since the start, in seconds."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_PER_SECOND


@asynccontextmanager
async def open_workspace(model_seconds: float = 0.0) -> AsyncIterator[tuple[BenchWorkspace, dict[str, str]]]:
    """Serve a workspace and a model that takes `model_seconds` per answer.

    Yields:
        The workspace, and the environment of a program that works in it.
    """
    workspace, model = BenchWorkspace(), OpenAIServer()
    answer = said("IT", "It is about a password.", p=0.9)
    assert isinstance(answer.body, dict)
    # As many tokens as a provider bills: with fewer, the bot would load a tokenizer to see how many are missing.
    billed = answer.body | {"usage": {"prompt_tokens": 1_500, "completion_tokens": 12}}
    model.on(CHAT, replace(answer, body=billed, wait_s=model_seconds))
    async with serve(workspace) as server, model.running():
        yield workspace, environment(server, model.url)


def environment(server: Server, model_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
        "PYTHONPATH": str(ROOT),
        "SLACK_API_URL": server.api_url,
        "SLACK_BOT_TOKEN": server.bot_token,
        "BOT_QUESTIONS_PER_HOUR": "0",
        "SLACK_APP_TOKEN": server.app_token,
        "OPENAI_BASE_URL": model_url,
        "OPENAI_API_KEY": "sk-bench",
        "BOT_LANGUAGE": "en",
        "BOT_STAFF": server.people.staff[1].id,
        "BOT_ADMINS": server.people.admin.id,
        "BOT_CHANNELS": server.channels.help_desk.id,
        "BOT_OPS_CHANNEL": server.channels.ops.id,
        "BOT_HTTP_PORT": "0",
        "BOT_AUTO_TRAIN": "off",
        "BOT_TRAINING_ALLOWED": "true",
    }


@asynccontextmanager
async def run_program(env: Mapping[str, str], folder: str, *command: str) -> AsyncIterator[RunningProgram]:
    """Run `python -m <command>` in a folder, where its standard error goes to the file `log`.

    Yields:
        The program, once it has printed its first line.

    Raises:
        RuntimeError: The program ended without a line; the message is its log.
        TimeoutError: No line came within 300 seconds.
    """
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
        yield RunningProgram(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def run_bot(env: Mapping[str, str], folder: str, url: str) -> AbstractAsyncContextManager[RunningProgram]:
    """Run the whole bot on the database at `url`, see `run_program`."""
    return run_program({**env, "DATABASE_URL": url}, folder, "bot", "run")


def create_database(kind: str, folder: str) -> str:
    """Create a database that syncs each commit to disk, and return its URL."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/bench.db"
    url = make_database()
    with psycopg.connect(url, autocommit=True) as connection:
        # The tests' server runs without fsync; published figures must include it.
        connection.execute("ALTER SYSTEM SET fsync = on")
        connection.execute("SELECT pg_reload_conf()")
    return url


def percentiles(seconds: Sequence[float]) -> str:
    """Return the table columns under PERCENTILES_HEADER: median, 99th percentile and maximum, in milliseconds."""
    if not seconds:
        return f"{'–':>8} {'–':>8} {'–':>8}"
    ranked = sorted(seconds)
    figures = (ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)], ranked[-1])
    return " ".join(f"{figure * 1000:8.1f}" for figure in figures)


def median_and_range(values: Sequence[float], digits: int = 1) -> str:
    """Return a figure of several turns as text: the median, with the lowest and the highest in brackets."""
    low, median, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{median} ({low} to {high})"


def print_figures(found: Mapping[str, Sequence[Figures]]) -> None:
    """Print a line for each figure and a column for each program, with the median and the range of its runs."""
    names = {name: None for runs in found.values() for name in runs[0]}
    print_line(f"{'':<28} " + " ".join(f"{program:>24}" for program in found))
    for name in names:
        values = [[run[name] for run in runs if name in run] for runs in found.values()]
        cells = [median_and_range(one, 0 if min(one) >= 100 else 2) if one else "–" for one in values]
        print_line(f"{name:<28} " + " ".join(f"{cell:>24}" for cell in cells))


PERCENTILES_HEADER = f"{'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"


def print_line(text: str = "") -> None:
    """Print a line and flush, because people watch a bench that takes minutes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
