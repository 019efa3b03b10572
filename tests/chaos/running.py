"""A run: questions under random faults, then a quiet phase, then the evidence and its report."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bot.domain.question import Via
from bot.practice import Server, serve
from tests.chaos import words
from tests.chaos.checking import Violation, check, count_endings
from tests.chaos.evidence import AskedQuestion, BotMessage, Evidence, Outcome, Press, read_tables, seconds_to_answer
from tests.chaos.model import FailingModel
from tests.chaos.people import Employees, Json, StaffDesk, open_windows
from tests.chaos.processes import Postgres, ProcessFaults, Replica, environment
from tests.chaos.slack import FailingSlack, RandomFaults

SETTLE_TIMEOUT = 90.0
"""Deadline for all work after the last fault, in seconds: ten leases, or three retry delays of the outbox."""
READY_TIMEOUT = 60.0
"""Longest wait for all replicas to connect, in seconds."""


@dataclass(frozen=True)
class Plan:
    """The size of a run and its faults. `seed` fixes every choice; only the machine's timing differs between runs."""

    minutes: float = 10.0
    questions: int = 1000
    replicas: int = 2
    seed: int = 7
    postgres: bool = True
    life: float = 8.0
    """Mean seconds between a replica's start and its kill."""
    pause_every: float = 40.0
    crash_every: float = 60.0
    sockets_every: float = 20.0
    redeliver: tuple[float, ...] = (0.0, 6.0, 30.0)
    """Seconds before Slack's redeliveries: a tenth of Slack's own, like the leases in `tests/chaos/replica.py`."""


@dataclass
class Report:
    """The result of a run. `figures`: name → value, in the order to print."""

    violations: list[Violation]
    figures: dict[str, object] = field(default_factory=dict)


class Run:
    """One run with all its participants. Its files and logs stay in `folder`."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.faults = RandomFaults(Random(f"trouble {plan.seed}"))
        self.slack = FailingSlack(self.faults, plan.redeliver)
        self.model = FailingModel(self.faults)
        self.postgres = Postgres() if plan.postgres else None
        self.url = self.postgres.url if self.postgres else f"sqlite:///{folder}/chaos.db"
        self.replicas: list[Replica] = []
        self.presses: list[Press] = []
        self.failed_exits = 0

    async def play(self) -> Report:
        """Ask all questions under faults, wait until all work is done, and check the evidence."""
        try:
            async with (
                serve(self.slack) as server,
                self.model.running(),
                open_windows(server, self.slack, self.plan.seed, self.presses) as (employees, desk),
            ):
                async with self._replicas(server):
                    started = time.monotonic()
                    await self._ask_under_faults(server, employees)
                    settled = await self._wait_until_settled(desk, employees.asked)
                evidence = self._evidence(employees.asked)
                return self._report(evidence, time.monotonic() - started, settled)
        finally:
            if self.postgres:
                self.postgres.close()

    @asynccontextmanager
    async def _replicas(self, server: Server) -> AsyncIterator[None]:
        """Run the replicas; faults begin once all of them are connected."""
        env = environment(
            self._write_prompt(),
            SLACK_API_URL=server.api_url,
            SLACK_BOT_TOKEN=server.bot_token,
            BOT_QUESTIONS_PER_HOUR="0",
            SLACK_APP_TOKEN=server.app_token,
            OPENAI_BASE_URL=self.model.url,
            OPENAI_API_KEY="sk-chaos",
            BOT_STAFF=f"{server.people.staff_group.id},{server.people.admin.id}",
            BOT_ADMINS=server.people.admin.id,
            BOT_CHANNELS=server.channels.help_desk.id,
            DATABASE_URL=self.url,
            BOT_HTTP_PORT="0",
            BOT_AUTO_TRAIN="off",
            BOT_TRAINING_ALLOWED="true",
            BOT_DRAIN_SECONDS="2",
        )
        self.replicas = [Replica(f"replica-{n + 1}", self.folder, env, self.faults) for n in range(self.plan.replicas)]
        self.faults.stopped = True
        for replica in self.replicas:
            replica.start()
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                for replica in self.replicas:
                    await replica.ready.wait()
            self.faults.stopped = False
            yield
        finally:
            codes = await asyncio.gather(*(replica.stop() for replica in self.replicas))
            self.failed_exits = sum(code != 0 for code in codes)

    def _write_prompt(self) -> Path:
        """Write the prompt's files and return the folder that contains `prompt/`."""
        prompt = self.folder / "prompt"
        prompt.mkdir()
        (prompt / "system.md").write_text(words.SYSTEM, encoding="utf-8")
        (prompt / "categories.toml").write_text(words.categories_toml(), encoding="utf-8")
        return self.folder

    async def _ask_under_faults(self, server: Server, employees: Employees) -> None:
        """Ask the questions, four in five spread evenly and the others in five bursts, while all faults occur."""
        plan, rng = self.plan, Random(f"havoc {self.plan.seed}")
        process_faults = ProcessFaults(self.replicas, self.postgres, self.faults, rng)
        seconds = plan.minutes * 60
        bursts = [rng.uniform(0, seconds) for _ in range(5)]
        times = sorted(
            rng.choice(bursts) if rng.random() < 0.2 else rng.uniform(0, seconds) for _ in range(plan.questions)
        )
        fault_tasks = [
            asyncio.create_task(coroutine)
            for coroutine in (
                *(process_faults.kill(replica, plan.life) for replica in self.replicas),
                process_faults.pause(plan.pause_every),
                process_faults.crash(plan.crash_every),
                self._disturb_sockets(server, Random(f"sockets {plan.seed}")),
            )
        ]
        started = time.monotonic()

        async def ask(number: int, at: float) -> None:
            await asyncio.sleep(at - (time.monotonic() - started))
            await employees.ask(number)

        await asyncio.gather(*(ask(number, at) for number, at in enumerate(times)))
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))
        for task in fault_tasks:
            task.cancel()
        for result in await asyncio.gather(*fault_tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _disturb_sockets(self, server: Server, rng: Random) -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.4, 1.6) * self.plan.sockets_every)
            if rng.random() < 0.5:
                self.faults.counts["Slack: sockets lost"] += 1
                await server.drop_sockets()
            else:
                self.faults.counts["Slack: sockets asked to close"] += 1
                await server.disconnect()

    async def _wait_until_settled(self, desk: StaffDesk, asked: list[AskedQuestion]) -> float | None:
        """Stop all faults and wait for the remaining work.

        Returns:
            The seconds that the work took; None if it was not done after SETTLE_TIMEOUT.
        """
        self.faults.stopped = True
        if self.postgres:
            await self.postgres.ensure_running()
        for replica in self.replicas:
            replica.resume()
        started = time.monotonic()
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                while (  # noqa: ASYNC110 - other processes do the work
                    self.slack.failing_sockets.busy
                    or desk.busy
                    or await asyncio.to_thread(self._has_unfinished_work, asked)
                ):
                    await asyncio.sleep(0.25)
        except TimeoutError:
            return None
        return time.monotonic() - started

    def _has_unfinished_work(self, asked: list[AskedQuestion]) -> bool:
        """Return whether a queue has entries, or the catch-up has not found all questions in the watched channel."""
        tables = read_tables(self.url)
        places = [row["arrival"]["place"] for row in tables["inbox"]]
        found = {(place["channel"], place["ts"]) for place in places}
        if any(one.via is Via.CHANNEL and (one.channel, one.ts) not in found for one in asked):
            return True
        return bool(tables["outbox"]) or any(row["ending"] is None for row in tables["inbox"])

    def _evidence(self, asked: list[AskedQuestion]) -> Evidence:
        bot_messages = [
            bot_message
            for channel, messages in self.slack.board.messages.items()
            for message in messages.values()
            if message.get("user") == self.slack.app.bot_user and (bot_message := parse_bot_message(channel, message))
        ]
        logs = "".join(replica.log.read_text(encoding="utf-8", errors="replace") for replica in self.replicas)
        return Evidence(asked, self.presses, bot_messages, read_tables(self.url), logs)

    def _report(self, evidence: Evidence, seconds: float, settled: float | None) -> Report:
        violations = check(evidence)
        if settled is None:
            violations.append(Violation(f"work left {SETTLE_TIMEOUT:.0f} s after the last fault", None))
        if self.failed_exits:
            violations.append(Violation(f"{self.failed_exits} replicas did not exit with 0 after SIGTERM", None))
        cards = sum(message.question is not None for message in evidence.messages)
        self.faults.counts["cards posted twice, one deleted"] = self.slack.posted_cards - cards
        return Report(violations, figures(evidence, self.faults.counts, seconds, settled))


CARD_BLOCKS = ("card.", "direct.")
"""How the block ids of a card's controls begin, also in a direct message."""


def parse_bot_message(channel: str, message: Json) -> BotMessage | None:
    """Return a message of the bot as evidence; None if it is not about a question."""
    payload = (message.get("metadata") or {}).get("event_payload", {})
    place = {"channel": channel, "ts": message["ts"], "thread": message.get("thread_ts", "")}
    if "event_id" in payload:
        return BotMessage(**place, event=payload["event_id"])
    if "question_id" not in payload:
        return None
    block_ids = [block.get("block_id", "") for block in message["blocks"]]
    kind, verdict, seen, *_ = next(name for name in block_ids if name.startswith(CARD_BLOCKS)).split(".")
    return BotMessage(
        **place,
        question=payload["question_id"],
        verdict=verdict,
        seen=int(seen) if kind == "card" else 0,  # nobody may correct a direct message that was not sent on
        category_name=_first_category(message["text"]),
    )


def _first_category(text: str) -> str:
    """Return the name of the category that a card's text names first; empty if it names none."""
    found = {text.index(name): name for name, _ in words.CATEGORIES.values() if name in text}
    return found[min(found)] if found else ""


def figures(evidence: Evidence, counts: Counter[str], seconds: float, settled: float | None) -> dict[str, object]:
    """Return the figures of the report: name → value.

    Args:
        evidence: The evidence of the run.
        counts: Fault → how often it occurred.
        seconds: Length of the run.
        settled: Seconds from the last fault until all work was done; None if work was left.
    """
    asked = {(one.channel, one.ts): one for one in evidence.asked}
    places = {row["id"]: (row["channel"], row["ts"]) for row in evidence.tables["questions"]}
    waits = sorted(
        seconds_to_answer(asked[places[message.question]], message)
        for message in evidence.messages
        if message.question in places and places[message.question] in asked
    )
    result: dict[str, object] = {"seconds": round(seconds), "asked": len(evidence.asked)}
    result |= count_endings(evidence)
    result["edits"] = sum(len(one.edits) for one in evidence.asked)
    result["events stored more than once"] = sum(row["why"] == "duplicate" for row in evidence.tables["inbox"])
    if waits:
        result["answered within, p50 / p99 / max s"] = " / ".join(
            f"{waits[min(len(waits) - 1, int(len(waits) * share))]:.1f}" for share in (0.5, 0.99, 1.0)
        )
    provisional = {row["question_id"] for row in evidence.tables["verdicts"] if row["provisional"]}
    result["answered by the fallback release first"] = len(provisional)
    result["presses"] = len(evidence.presses)
    outcomes = Counter(press.outcome for press in evidence.presses)
    result |= {f"presses, {outcome.value}": outcomes[outcome] for outcome in Outcome}
    result["corrections in the database"] = len(evidence.tables["corrections"])
    result["active rows"] = sum(row["withdrawn_at"] is None for row in evidence.tables["rows"])
    result["all work done after s"] = "never" if settled is None else round(settled, 1)
    return result | {name: counts[name] for name in sorted(counts) if counts[name]}


async def run(plan: Plan, folder: Path) -> Report:
    """Run a plan in an empty folder, where the logs stay."""
    return await Run(plan, folder).play()
