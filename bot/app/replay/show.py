"""One replay under way: a practice workspace of its own, in which people act only through the page."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from bot.app.replay.script import Plan, Script, UnusableFile
from bot.app.running import Running, open_bot
from bot.app.wiring import Core
from bot.domain.certainty import OutOfScope
from bot.domain.faults import Fault, Problem
from bot.domain.finetune import ENDED_STATES
from bot.domain.gate import Outcome
from bot.domain.labelled import Labelled
from bot.domain.release import Release
from bot.domain.scorecard import Judged, scorecard, wilson
from bot.domain.thing import Thing
from bot.practice import Person
from bot.practice.person import RefusedError
from bot.practice.state import elements
from bot.settings import Settings
from handlers.views import ids
from handlers.views.finetune import NamedPayload

ABREAST = 8
"""Questions asked at the same time."""
OVERRIDE_SENTENCE = "replay: at least as good on the held-out rows"
"""Why the gate is overridden where it has not enough evidence."""
AHEAD = 3
"""So many times more questions are asked than settled, where staff choose among many."""
FINETUNE_SECONDS = 600.0
"""Seconds that a fine-tune may take."""
RETRY_PAUSES = (0.0, 1.0, 5.0, 15.0, 30.0)
"""Seconds before what Slack gave up waiting for is done again."""


class UnsureFigures(Thing):
    """What saying "unsure" comes to on the questions that nobody corrected."""

    threshold: float | None
    """Chosen on the held-out rows, never on these; None where they do not tell."""
    answered: float
    """The share of questions that are answered as sure; of these, `wrong` are."""
    wrong: float
    scope: OutOfScope
    """At that threshold."""
    unasked: OutOfScope
    """Were every question answered."""


class Point(Thing):
    """One measurement on the questions that nobody corrected."""

    asked: int
    corrections: int
    right: int
    of: int
    model: str
    switched: bool
    """Whether this release now serves; else it was worse on the held-out rows and was left a candidate."""
    ece: float | None = None
    """Expected calibration error on these questions; None where the model tells no confidence."""
    doubt: UnsureFigures | None = None

    @property
    def accuracy(self) -> float:
        return self.right / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy."""
        return wilson(self.right, self.of)


async def replay(
    the_script: Script, plan: Plan, settings: Settings, progress: Callable[[int], object]
) -> AsyncIterator[Point]:
    """Ask, correct, fine-tune and switch; a point at the start and after each fine-tune.

    `progress` hears of every question that was answered and judged.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = settings.model_copy(
            update={
                "database_url": f"sqlite:///{folder}/replay.db",
                "bot_language": the_script.prompt.language,
                "bot_staff": [],
                "bot_admins": [],
                "bot_channels": [],
                "bot_ops_channel": None,
                "langsmith_api_key": None,
            }
        )
        async with open_bot(settings, the_script.prompt) as running, actors(running) as cast:
            show = Show(running.core, cast, the_script, plan, progress)
            async for point in show.points():
                yield point


@dataclass
class Cast:
    """Who acts."""

    employee: Person
    staff: Person
    admin: Person
    channel: str


@asynccontextmanager
async def actors(running: Running) -> AsyncIterator[Cast]:
    server = running.practice
    if server is None:
        raise LookupError("a replay runs in a practice workspace of its own")
    people = server.people
    async with (
        Person(server.url, people.employees[0].id) as employee,
        Person(server.url, people.staff[0].id) as staff,
        Person(server.url, people.admin.id) as admin,
    ):
        yield Cast(employee, staff, admin, server.channels.help_desk.id)


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question that was answered, and how staff would settle it as each category."""

    record: Labelled
    card: dict[str, Any]
    question: str
    said: str
    controls: dict[str, tuple[dict[str, Any], str]]


@dataclass
class Show:
    """One replay under way."""

    core: Core
    cast: Cast
    script: Script
    plan: Plan
    progress: Callable[[int], object]
    asked: int = 0
    corrections: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.plan.seed)

    async def points(self) -> AsyncIterator[Point]:
        serving = await self._first()
        yield await self._measured(serving, switched=True)
        step = self._train if self.plan.recall is None else partial(self._measured, serving, switched=True)
        if self.plan.order != "file":
            async for _ in self._reviews():
                yield await step()
            return
        trained_at = 0
        for start in range(0, len(self.script.stream), ABREAST):
            batch = self.script.stream[start : start + ABREAST]
            judged = await asyncio.gather(*map(self._ask, batch))
            self.asked += len(batch)
            self.corrections += sum(judged)
            self.progress(len(batch))
            if self.corrections - trained_at >= self.plan.every:
                trained_at = self.corrections
                yield await step()
        if self.corrections > trained_at:
            yield await step()

    async def _first(self) -> Release:
        """What serves at the start."""
        serving = await self.core.acts.releasing.serving()
        if not self.plan.recall:
            return serving
        release = await self.core.acts.releasing.recalling(serving.id, self.plan.recall, self.cast.admin.user_id)
        await self._switch(release)
        return release

    async def _switch(self, release: Release) -> None:
        await patiently(partial(self.cast.admin.command, f"/finetune switch {release.id} because {OVERRIDE_SENTENCE}"))
        await self._until(lambda serving: serving.id == release.id)

    async def _reviews(self) -> AsyncIterator[None]:
        """Ask many, settle `every` of those that are open, train; until all are asked. Yields when it is to train."""
        ahead, waiting = list(self.script.stream), dict[str, AnsweredQuestion]()
        while ahead:
            asked, ahead = ahead[: AHEAD * self.plan.every], ahead[AHEAD * self.plan.every :]
            for start in range(0, len(asked), ABREAST):
                answered = await asyncio.gather(*map(self._answered, asked[start : start + ABREAST]))
                waiting |= {one.question: one for one in answered}
                self.asked += len(answered)
                self.progress(len(answered))
            picked = [waiting.pop(question) for question in await self._picked(waiting)]
            for start in range(0, len(picked), ABREAST):
                batch = picked[start : start + ABREAST]
                await asyncio.gather(*(self._press(one.card, *one.controls[one.record.category]) for one in batch))
            self.corrections += len(picked)
            yield

    async def _picked(self, waiting: Collection[str]) -> list[str]:
        """The questions that staff settle next."""
        if self.plan.order == "queue":
            listed = [one.key for one in await self.core.acts.reviewing.queue() if one.key in waiting]
            return (listed or sorted(waiting))[: self.plan.every]
        return self._random.sample(sorted(waiting), min(self.plan.every, len(waiting)))

    async def _ask(self, record: Labelled) -> bool:
        """Ask one question; staff correct a wrong answer and agree to some right ones. Whether they did either."""
        asked = await self._answered(record)
        if asked.said == record.category and self._random.random() >= self.plan.agree:
            return False
        await self._press(asked.card, *asked.controls[record.category])
        return True

    async def _answered(self, record: Labelled) -> "AnsweredQuestion":
        ts = await self.cast.employee.say(self.cast.channel, record.text)
        card = await self.cast.employee.answer(ts, timeout=60.0)
        pressable = list(choices(card))
        agree = next((choice for element, _, choice in pressable if element["action_id"] == ids.AGREE), None)
        if agree is None:
            facts = {"line": str(record.line), "said": card["text"]}
            raise UnusableFile(Problem(what=Fault.NO_ANSWER, facts=facts))
        controls = {choice.category: (element, value) for element, value, choice in pressable}
        return AnsweredQuestion(record, card, agree.question, agree.category, controls)

    async def _press(self, card: dict[str, Any], element: dict[str, Any], value: str) -> None:
        if element["type"] == "button":
            await patiently(partial(self.cast.staff.press, card, lambda one: one is element))
        else:
            await patiently(partial(self.cast.staff.choose, card, element["action_id"], value))

    async def _train(self) -> Point:
        """Fine-tune on all rows and switch if the candidate is at least as good on the held-out ones.

        Few rows are not enough evidence for the gate, so it is overridden then; where it refuses, that holds.
        """
        serving = await self.core.acts.releasing.serving()
        plan, finetune_id = await self._planned()
        await patiently(partial(self.cast.admin.press, plan, ids.FINETUNE_CONFIRM))
        candidate = await self._candidate(finetune_id)
        if candidate is None:
            return await self._measured(serving, switched=False)
        judged = await self.core.acts.evaluating.evaluate(candidate)
        failed = judged.decision is None or judged.decision.outcome is Outcome.FAILED
        if failed or judged.before is None or judged.card.right < judged.before.right:
            return await self._measured(candidate, switched=False)
        await self._switch(candidate)
        return await self._measured(candidate, switched=True)

    async def _planned(self) -> tuple[dict[str, Any], str]:
        """The private message that a new /finetune start is answered by, with its button, and the fine-tune's id."""
        asked = time.time()
        await patiently(partial(self.cast.admin.command, "/finetune start"))
        # Earlier answers may still come in, or change: only what was posted since is the answer.
        message = await self.cast.admin.message(lambda m: "ephemeral" in m and float(m["ts"]) >= asked, timeout=60.0)
        for _, element in elements(message["blocks"]):
            if element["action_id"] == ids.FINETUNE_CONFIRM:
                return message, NamedPayload.unpacked(element["value"]).id
        raise UnusableFile(Problem(what=Fault.NO_PLAN, facts={"said": message["text"]}))

    async def _candidate(self, finetune_id: str) -> Release | None:
        """The release that a fine-tune becomes, or None where it failed. Its press is acked before it is confirmed."""
        async with asyncio.timeout(FINETUNE_SECONDS):
            while True:
                async with self.core.ports.store.snapshot() as tx:
                    finetune = await tx.finetunes.get(finetune_id)
                if finetune and finetune.state in ENDED_STATES:
                    return await self.core.acts.releasing.named(finetune.id) if finetune.model else None
                await asyncio.sleep(0.1)

    async def _until(self, wanted: Callable[[Release], bool]) -> None:
        async with asyncio.timeout(60.0):
            while not wanted(await self.core.acts.releasing.serving()):  # noqa: ASYNC110 - another program's doing is awaited
                await asyncio.sleep(0.05)

    async def _measured(self, release: Release, *, switched: bool) -> Point:
        judged = await self.core.acts.evaluating.judge(release, self.script.test, keep=False)
        card = scorecard(release.id, judged)
        return Point(
            asked=self.asked,
            corrections=self.corrections,
            right=card.right,
            of=card.rows,
            ece=card.ece,
            doubt=await self._doubt(release, judged),
            model=str(release.model),
            switched=switched,
        )

    async def _doubt(self, release: Release, judged: Sequence[Judged]) -> UnsureFigures:
        advised = (await self.core.acts.thresholding.doubts(release)).advised
        threshold = advised.threshold if advised else 0.0
        sure = [one for one in judged if (one.result.confidence or 0.0) >= threshold]
        other = next(c.id for c in self.script.prompt.categories if c.other)
        return UnsureFigures(
            threshold=advised.threshold if advised else None,
            answered=len(sure) / len(judged),
            wrong=sum(not one.right for one in sure) / len(sure) if sure else 0.0,
            scope=OutOfScope.of(judged, other, threshold),
            unasked=OutOfScope.of(judged, other),
        )


async def patiently(act: Callable[[], Awaitable[object]]) -> None:
    """As a person would: what Slack gave up waiting for, on a busy machine, is done again after a while.

    Each act may be done twice: a press that says the same again changes nothing, and a plan is only a plan.
    """
    for pause in RETRY_PAUSES:
        try:
            await act()
        except RefusedError as refused:
            if refused.error != "operation_timeout":
                raise
            await asyncio.sleep(pause)
        else:
            return
    await act()


def choices(card: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, ids.CategoryChoice]]:
    """What can be pressed on a card: the element, the value and what it stands for."""
    for _, element in elements(card.get("blocks", [])):
        if element["action_id"] == ids.AGREE or ids.CHANGES.match(element["action_id"]):
            groups = element.get("option_groups", [element])
            values = [o["value"] for g in groups for o in g.get("options", [])] or [element["value"]]
            for value in values:
                yield element, value, ids.CategoryChoice.unpacked(value)
