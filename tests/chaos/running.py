"""One run: replicas, people and trouble together; then quiet; then the evidence."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bot.domain.question import Via
from bot.practice import Server, serve
from tests.chaos import words
from tests.chaos.checking import Violation, check, ends
from tests.chaos.evidence import Asked, Evidence, Outcome, Posted, Pressed, seconds_between, tables_of
from tests.chaos.model import FailingModel
from tests.chaos.people import Askers, Desk, Json, everybody
from tests.chaos.processes import Havoc, Postgres, Replica, environment
from tests.chaos.slack import FailingSlack, Trouble

SETTLING = 90.0
"""Seconds after the last fault in which everything must come to its end: ten leases, or three waits of the outbox."""
READY = 60.0


@dataclass(frozen=True)
class Plan:
    """What is played. `seed` decides everything but what the machine's own timing decides."""

    minutes: float = 10.0
    questions: int = 1000
    replicas: int = 2
    seed: int = 7
    postgres: bool = True
    life: float = 8.0
    """Seconds that a replica lives, on average."""
    pause_every: float = 40.0
    crash_every: float = 60.0
    sockets_every: float = 20.0
    redeliver: tuple[float, ...] = (0.0, 6.0, 30.0)
    """Slack's own pauses before an event comes again, ten times shorter, as the leases are (tests/chaos/replica)."""


@dataclass
class Outcomes:
    """What came of it."""

    violations: list[Violation]
    figures: dict[str, object] = field(default_factory=dict)


class Run:
    """Everything that takes part."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.trouble = Trouble(Random(f"trouble {plan.seed}"))
        self.slack = FailingSlack(self.trouble, plan.redeliver)
        self.model = FailingModel(self.trouble)
        self.postgres = Postgres() if plan.postgres else None
        self.url = self.postgres.url if self.postgres else f"sqlite:///{folder}/chaos.db"
        self.replicas: list[Replica] = []
        self.pressed: list[Pressed] = []
        self.unclean = 0

    async def play(self) -> Outcomes:
        """Let it all happen, wait until it is quiet, and look."""
        try:
            async with (
                serve(self.slack) as server,
                self.model.running(),
                everybody(server, self.slack, self.plan.seed, self.pressed) as (askers, desk),
            ):
                async with self._replicas(server):
                    started = time.monotonic()
                    await self._storm(server, askers)
                    settled = await self._calm(desk, askers.asked)
                evidence = self._evidence(askers.asked)
                return self._outcomes(evidence, time.monotonic() - started, settled)
        finally:
            if self.postgres:
                self.postgres.close()

    @asynccontextmanager
    async def _replicas(self, server: Server) -> AsyncIterator[None]:
        told = environment(
            self._prompt(),
            SLACK_API_URL=server.api_url,
            SLACK_BOT_TOKEN=server.bot_token,
            SLACK_APP_TOKEN=server.app_token,
            OPENAI_BASE_URL=self.model.url,
            OPENAI_API_KEY="sk-chaos",
            BOT_STAFF=f"{server.people.staff_group.id},{server.people.admin.id}",
            BOT_ADMINS=server.people.admin.id,
            BOT_CHANNELS=server.channels.help_desk.id,
            DATABASE_URL=self.url,
            BOT_HTTP_PORT="0",
            BOT_DRAIN_SECONDS="2",
        )
        self.replicas = [
            Replica(f"replica-{n + 1}", self.folder, told, self.trouble) for n in range(self.plan.replicas)
        ]
        self.trouble.over = True
        for replica in self.replicas:
            replica.start()
        try:
            async with asyncio.timeout(READY):
                for replica in self.replicas:
                    await replica.ready.wait()
            self.trouble.over = False
            yield
        finally:
            codes = await asyncio.gather(*(replica.stop() for replica in self.replicas))
            self.unclean = sum(code != 0 for code in codes)

    def _prompt(self) -> Path:
        prompt = self.folder / "prompt"
        prompt.mkdir()
        (prompt / "system.md").write_text(words.SYSTEM, encoding="utf-8")
        (prompt / "categories.toml").write_text(words.categories_toml(), encoding="utf-8")
        return self.folder

    async def _storm(self, server: Server, askers: Askers) -> None:
        """Questions, most of them evenly and some at once, and all the trouble while they are asked."""
        plan, rng = self.plan, Random(f"havoc {self.plan.seed}")
        havoc = Havoc(self.replicas, self.postgres, self.trouble, rng)
        seconds = plan.minutes * 60
        bursts = [rng.uniform(0, seconds) for _ in range(5)]
        times = sorted(
            rng.choice(bursts) if rng.random() < 0.2 else rng.uniform(0, seconds) for _ in range(plan.questions)
        )
        troubles = [
            asyncio.create_task(doing)
            for doing in (
                *(havoc.kill(replica, plan.life) for replica in self.replicas),
                havoc.pause(plan.pause_every),
                havoc.crash(plan.crash_every),
                self._sockets(server, Random(f"sockets {plan.seed}")),
            )
        ]
        started = time.monotonic()

        async def ask(number: int, at: float) -> None:
            await asyncio.sleep(at - (time.monotonic() - started))
            await askers.ask(number)

        await asyncio.gather(*(ask(number, at) for number, at in enumerate(times)))
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))
        for task in troubles:
            task.cancel()
        for result in await asyncio.gather(*troubles, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _sockets(self, server: Server, rng: Random) -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.4, 1.6) * self.plan.sockets_every)
            if rng.random() < 0.5:
                self.trouble.counted["Slack: sockets lost"] += 1
                await server.drop_sockets()
            else:
                self.trouble.counted["Slack: sockets asked to go"] += 1
                await server.disconnect()

    async def _calm(self, desk: Desk, asked: list[Asked]) -> float | None:
        """No more trouble: wait until nothing is under way; the seconds it took, or None where it did not end."""
        self.trouble.over = True
        if self.postgres:
            await self.postgres.back()
        for replica in self.replicas:
            replica.go_on()
        started = time.monotonic()
        try:
            async with asyncio.timeout(SETTLING):
                while self.slack.wire.busy or desk.busy or await asyncio.to_thread(self._open, asked):  # noqa: ASYNC110 - it is elsewhere
                    await asyncio.sleep(0.25)
        except TimeoutError:
            return None
        return time.monotonic() - started

    def _open(self, asked: list[Asked]) -> bool:
        tables = tables_of(self.url)
        places = [row["arrival"]["place"] for row in tables["inbox"]]
        found = {(place["channel"], place["ts"]) for place in places}
        if any(one.via is Via.CHANNEL and (one.channel, one.ts) not in found for one in asked):
            return True
        return bool(tables["outbox"]) or any(row["ending"] is None for row in tables["inbox"])

    def _evidence(self, asked: list[Asked]) -> Evidence:
        posted = [
            one
            for channel, messages in self.slack.board.messages.items()
            for message in messages.values()
            if message.get("user") == self.slack.app.bot_user and (one := posted_of(channel, message))
        ]
        logs = "".join(replica.log.read_text(encoding="utf-8", errors="replace") for replica in self.replicas)
        return Evidence(asked, self.pressed, posted, tables_of(self.url), logs)

    def _outcomes(self, evidence: Evidence, took: float, settled: float | None) -> Outcomes:
        violations = check(evidence)
        if settled is None:
            violations.append(Violation(f"not at rest {SETTLING:.0f} s after the last fault", None))
        if self.unclean:
            violations.append(Violation(f"{self.unclean} replicas did not end with 0 when they were asked to", None))
        self.trouble.counted["cards posted twice, one taken back"] = self.slack.cards - sum(
            one.question is not None for one in evidence.posted
        )
        return Outcomes(violations, figures(evidence, self.trouble.counted, took, settled))


def posted_of(channel: str, message: Json) -> Posted | None:
    """What a message of the bot says of a question; None where it is about none."""
    payload = (message.get("metadata") or {}).get("event_payload", {})
    place = {"channel": channel, "ts": message["ts"], "thread": message.get("thread_ts", "")}
    if "event_id" in payload:
        return Posted(**place, event=payload["event_id"])
    if "question_id" not in payload:
        return None
    _, verdict, seen = next(b["block_id"] for b in message["blocks"] if b["type"] == "actions").split(".")
    said = message["text"].partition(" · ")[0]
    return Posted(**place, question=payload["question_id"], verdict=verdict, seen=int(seen), said=said)


def figures(evidence: Evidence, counted: Counter[str], took: float, settled: float | None) -> dict[str, object]:
    """The run in numbers."""
    asked = {(one.channel, one.ts): one for one in evidence.asked}
    places = {row["id"]: (row["channel"], row["ts"]) for row in evidence.tables["questions"]}
    waits = sorted(
        seconds_between(asked[places[one.question]], one)
        for one in evidence.posted
        if one.question in places and places[one.question] in asked
    )
    outcome: Callable[[Outcome], int] = lambda wanted: sum(press.outcome is wanted for press in evidence.pressed)  # noqa: E731 - three uses, one line
    made: dict[str, object] = {"seconds": round(took), "asked": len(evidence.asked)}
    made |= ends(evidence)
    made["edits"] = sum(len(one.edits) for one in evidence.asked)
    made["events written down more than once"] = sum(row["why"] == "duplicate" for row in evidence.tables["inbox"])
    if waits:
        made["answered within, p50 / p99 / max s"] = " / ".join(
            f"{waits[min(len(waits) - 1, int(len(waits) * share))]:.1f}" for share in (0.5, 0.99, 1.0)
        )
    provisional = {row["question_id"] for row in evidence.tables["verdicts"] if row["provisional"]}
    made["answered by the fallback release first"] = len(provisional)
    made["presses"] = len(evidence.pressed)
    made |= {f"presses, {one.value}": outcome(one) for one in Outcome}
    made["corrections in the database"] = len(evidence.tables["corrections"])
    made["rows that count"] = sum(row["withdrawn_at"] is None for row in evidence.tables["rows"])
    made["at rest after s"] = "never" if settled is None else round(settled, 1)
    return made | {name: counted[name] for name in sorted(counted) if counted[name]}


async def run(plan: Plan, folder: Path) -> Outcomes:
    """Play a plan in an empty folder, where the logs stay."""
    return await Run(plan, folder).play()
