"""One run of a replay, in a practice workspace of its own, where people act only through the page."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
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
from bot.embedded.leftovers import held_folder
from bot.practice import Person
from bot.practice.person import RefusedError
from bot.practice.state import elements
from bot.settings import Settings
from handlers.views import ids
from handlers.views.ids import NamedPayload

CONCURRENT_QUESTIONS = 8
"""Number of questions asked at the same time."""
OVERRIDE_SENTENCE = "replay: at least as good on the held-out rows"
"""Sentence that overrides the gate if it has not enough evidence."""
ASKED_PER_SETTLED = 3
"""Number of questions asked per settled question, if staff pick from many."""
FINETUNE_SECONDS = 600.0
"""Deadline of a fine-tune, in seconds."""
RETRY_PAUSES = (0.0, 1.0, 5.0, 15.0, 30.0)
"""Pauses in seconds before an action that Slack timed out on is repeated."""


class UnsureFigures(Thing):
    """The effect of a threshold, measured on the questions that nobody corrected."""

    threshold: float | None
    """Threshold chosen on the held-out rows, never on these questions; None if the held-out rows yield none."""
    answered: float
    """Share of the questions that get a sure answer, 0..1."""
    wrong: float
    """Share of wrong answers among the sure ones, 0..1."""
    scope: OutOfScope
    """Figures on out-of-scope questions at the threshold."""
    without_threshold: OutOfScope
    """Figures on out-of-scope questions if no answer were unsure."""


class Point(Thing):
    """One measurement on the questions that nobody corrected."""

    asked: int
    corrections: int
    right: int
    of: int
    model: str
    version: str
    switched: bool
    """Whether this release now serves; if not, it was worse on the held-out rows and stays a candidate."""
    ece: float | None = None
    """Expected calibration error on these questions; None if the model returns no confidence."""
    unsure: UnsureFigures | None = None
    refused: str | None = None
    """Why nothing was trained before this measurement, in the bot's words."""

    @property
    def accuracy(self) -> float:
        return self.right / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95% interval of the accuracy."""
        return wilson(self.right, self.of)


async def replay(
    script: Script, plan: Plan, settings: Settings, progress: Callable[[int], object]
) -> AsyncGenerator[Point]:
    """Ask, correct, fine-tune and switch; yield a point at the start and after each fine-tune.

    `progress` is called with the number of questions that were just answered and judged.
    """
    with held_folder("madoguchi-replay-") as folder:
        settings = settings.model_copy(
            update={
                "database_url": f"sqlite:///{folder}/replay.db",
                "bot_language": script.prompt.language,
                "bot_staff": [],
                "bot_admins": [],
                "bot_channels": [],
                "bot_ops_channel": None,
                "langsmith_api_key": None,
                "bot_auto_train": "off",  # the replay trains by itself, and only one training runs at a time
            }
        )
        async with open_bot(settings, script.prompt) as running, open_actors(running) as actors:
            show = ReplayRun(running.core, actors, script, plan, progress)
            async for point in show.points():
                yield point


@dataclass
class Actors:
    """The people who act, and the channel of the questions."""

    employee: Person
    staff: Person
    admin: Person
    channel: str


@asynccontextmanager
async def open_actors(running: Running) -> AsyncIterator[Actors]:
    server = running.practice
    if server is None:
        raise LookupError("a replay runs in a practice workspace of its own")
    people = server.people
    async with (
        Person(server.url, people.employees[0].id) as employee,
        Person(server.url, people.staff[0].id) as staff,
        Person(server.url, people.admin.id) as admin,
    ):
        yield Actors(employee, staff, admin, server.channels.help_desk.id)


@dataclass(frozen=True)
class AnsweredQuestion:
    """An answered question: its card, the category it was answered with, and the controls that settle it."""

    record: Labelled
    card: dict[str, Any]
    question: str
    answer: str
    controls: dict[str, tuple[dict[str, Any], str]]


@dataclass
class ReplayRun:
    """One run of a replay."""

    core: Core
    actors: Actors
    script: Script
    plan: Plan
    progress: Callable[[int], object]
    asked: int = 0
    corrections: int = 0
    trained: bool = False
    """Whether any fine-tune was made."""
    _random: Random = field(init=False)
    _form: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._random = Random(self.plan.seed)

    async def points(self) -> AsyncIterator[Point]:
        """Yield the measurements.

        Raises:
            UnusableFile: No fine-tune could be made of all that staff settled.
        """
        point = None
        async for point in self._points():
            yield point
        if point and point.refused and not self.trained:
            raise UnusableFile(Problem(what=Fault.NO_PLAN, facts={"said": point.refused}))

    async def _points(self) -> AsyncIterator[Point]:
        serving = await self._start_release()
        yield await self._measure(serving, switched=True)
        step = self._train if self.plan.recall is None else partial(self._measure, serving, switched=True)
        if self.plan.order != "file":
            async for _ in self._settle_in_batches():
                yield await step()
            return
        trained_at, stream = 0, await self._with_cards()
        for start in range(0, len(stream), CONCURRENT_QUESTIONS):
            batch = stream[start : start + CONCURRENT_QUESTIONS]
            judged = await asyncio.gather(*map(self._ask_and_settle, batch))
            self.asked += len(batch)
            self.corrections += sum(judged)
            self.progress(len(batch))
            if self.corrections - trained_at >= self.plan.every:
                trained_at = self.corrections
                yield await step()
        if self.corrections > trained_at:
            yield await step()

    async def _with_cards(self) -> list[Labelled]:
        """Return the questions without cries for help, which get no card."""
        found = [one for one in self.script.stream if not await self.core.acts.caring.needs_help(one.text)]
        self.progress(len(self.script.stream) - len(found))
        return found

    async def _start_release(self) -> Release:
        """Return the release that serves at the start."""
        serving = await self.core.acts.releasing.serving()
        if self.plan.recall in {None, serving.recall}:
            return serving
        release = await self.core.acts.releasing.recalling(serving.id, self.plan.recall, self.actors.admin.user_id)
        await self._switch(release)
        return release

    async def _switch(self, release: Release) -> None:
        await with_retries(
            partial(self.actors.admin.command, f"/finetune switch {release.id} because {OVERRIDE_SENTENCE}")
        )
        await self._wait_until(lambda serving: serving.id == release.id)

    async def _settle_in_batches(self) -> AsyncIterator[None]:
        """Ask many questions and settle `every` of the open ones, until all are asked. Yield after each batch."""
        ahead, waiting = await self._with_cards(), dict[str, AnsweredQuestion]()
        while ahead:
            asked, ahead = ahead[: ASKED_PER_SETTLED * self.plan.every], ahead[ASKED_PER_SETTLED * self.plan.every :]
            for start in range(0, len(asked), CONCURRENT_QUESTIONS):
                answered = await asyncio.gather(*map(self._ask, asked[start : start + CONCURRENT_QUESTIONS]))
                waiting |= {one.question: one for one in answered}
                self.asked += len(answered)
                self.progress(len(answered))
            picked = [waiting.pop(question) for question in await self._next_to_settle(waiting)]
            for start in range(0, len(picked), CONCURRENT_QUESTIONS):
                batch = picked[start : start + CONCURRENT_QUESTIONS]
                await asyncio.gather(*map(self._settle, batch))
            self.corrections += len(picked)
            yield

    async def _next_to_settle(self, waiting: Collection[str]) -> list[str]:
        """Return the questions that staff settle next."""
        if self.plan.order == "queue":
            listed = [one.key for one in await self.core.acts.reviewing.queue() if one.key in waiting]
            return (listed or sorted(waiting))[: self.plan.every]
        return self._random.sample(sorted(waiting), min(self.plan.every, len(waiting)))

    async def _ask_and_settle(self, record: Labelled) -> bool:
        """Ask one question. Staff correct a wrong answer and agree to some right ones; return whether they did."""
        asked = await self._ask(record)
        if asked.answer == record.category and self._random.random() >= self.plan.agree:
            return False
        await self._settle(asked)
        return True

    async def _ask(self, record: Labelled) -> "AnsweredQuestion":
        ts = await self.actors.employee.say(self.actors.channel, record.text)
        card = await self.actors.employee.answer(ts, timeout=60.0)
        pressable = list(card_choices(card))
        agree = next((choice for element, _, choice in pressable if element["action_id"] == ids.AGREE), None)
        if agree is None:
            facts = {"line": str(record.line), "said": card["text"]}
            raise UnusableFile(Problem(what=Fault.NO_ANSWER, facts=facts))
        controls = {choice.category: (element, value) for element, value, choice in pressable}
        return AnsweredQuestion(record, card, agree.question, agree.category, controls)

    async def _settle(self, asked: "AnsweredQuestion") -> None:
        """Press the button of the right category; the form has those that the card does not offer."""
        if control := asked.controls.get(asked.record.category):
            await self._press(asked.card, *control)
            return
        async with self._form:  # one person has one form open
            await with_retries(partial(self.actors.staff.press, asked.card, ids.CORRECT_OPEN))
            while not await self._submit_form(asked):
                pass

    async def _submit_form(self, asked: "AnsweredQuestion") -> bool:
        """Submit the next form of the question; return whether it was still open.

        If a press was repeated after a timeout, the bot opens two forms, and the second one closes the first.
        """
        frame = await self.actors.staff.wait_for(partial(_is_form_of, asked.question), timeout=60.0)
        entry = {ids.CATEGORY_INPUT: {ids.CATEGORY_INPUT: _option(frame["view"], asked.record.category)}}
        try:
            await with_retries(partial(self.actors.staff.submit, frame["view"], entry))
        except RefusedError as refused:
            if refused.error != "not_found":
                raise
            return False
        return True

    async def _press(self, card: dict[str, Any], element: dict[str, Any], value: str) -> None:
        if element["type"] == "button":
            await with_retries(partial(self.actors.staff.press, card, lambda one: one is element))
        else:
            await with_retries(partial(self.actors.staff.choose, card, element["action_id"], value))

    async def _train(self) -> Point:
        """Fine-tune on all rows, and switch if the candidate is at least as good on the held-out ones.

        The gate is overridden if it has not enough evidence, as with few rows. A failed candidate never serves.
        """
        serving = await self.core.acts.releasing.serving()
        plan, finetune_id = await self._request_plan()
        if finetune_id is None:  # too few answers yet, or all of one category: the next batch may do
            return await self._measure(serving, switched=True, refused=plan["text"])
        self.trained = True
        await with_retries(partial(self.actors.admin.press, plan, ids.FINETUNE_CONFIRM))
        candidate = await self._wait_for_candidate(finetune_id)
        if candidate is None:
            return await self._measure(serving, switched=False)
        judged = await self.core.acts.evaluating.evaluate(candidate)
        failed = judged.decision is None or judged.decision.outcome is Outcome.FAILED
        if failed or judged.before is None or judged.card.right < judged.before.right:
            return await self._measure(candidate, switched=False)
        await self._switch(candidate)
        return await self._measure(candidate, switched=True)

    async def _request_plan(self) -> tuple[dict[str, Any], str | None]:
        """Call /finetune start; return the private message, and the fine-tune's id if it is a plan with its button."""
        asked = time.time()
        await with_retries(partial(self.actors.admin.command, "/finetune start"))
        # Earlier answers may still arrive or change, so only a message posted since then counts.
        message = await self.actors.admin.message(lambda m: "ephemeral" in m and float(m["ts"]) >= asked, timeout=60.0)
        for _, element in elements(message["blocks"]):
            if element["action_id"] == ids.FINETUNE_CONFIRM:
                return message, NamedPayload.unpacked(element["value"]).id
        return message, None

    async def _wait_for_candidate(self, finetune_id: str) -> Release | None:
        """Wait for the fine-tune and return its release, or None if it failed. The press is acked before it starts."""
        async with asyncio.timeout(FINETUNE_SECONDS):
            while True:
                async with self.core.ports.store.snapshot() as tx:
                    finetune = await tx.finetunes.get(finetune_id)
                if finetune and finetune.state in ENDED_STATES:
                    return await self.core.acts.releasing.named(finetune.id) if finetune.model else None
                await asyncio.sleep(0.1)

    async def _wait_until(self, wanted: Callable[[Release], bool]) -> None:
        async with asyncio.timeout(60.0):
            while not wanted(await self.core.acts.releasing.serving()):  # noqa: ASYNC110 - the bot offers no event for it
                await asyncio.sleep(0.05)

    async def _measure(self, release: Release, *, switched: bool, refused: str | None = None) -> Point:
        judged = await self.core.acts.evaluating.judge(release, self.script.test, keep=False)
        card = scorecard(release.id, judged)
        return Point(
            asked=self.asked,
            corrections=self.corrections,
            right=card.right,
            of=card.rows,
            ece=card.ece,
            unsure=await self._unsure_figures(release, judged),
            model=str(release.model),
            version=release.name,
            switched=switched,
            refused=refused,
        )

    async def _unsure_figures(self, release: Release, judged: Sequence[Judged]) -> UnsureFigures:
        advised = (await self.core.acts.thresholding.report(release)).advised
        threshold = advised.threshold if advised else 0.0
        sure = [one for one in judged if (one.result.confidence or 0.0) >= threshold]
        other = next(c.id for c in self.script.prompt.categories if c.other)
        return UnsureFigures(
            threshold=advised.threshold if advised else None,
            answered=len(sure) / len(judged),
            wrong=sum(not one.right for one in sure) / len(sure) if sure else 0.0,
            scope=OutOfScope.of(judged, other, threshold),
            without_threshold=OutOfScope.of(judged, other),
        )


async def with_retries(act: Callable[[], Awaitable[object]]) -> None:
    """Run an action; if Slack timed out on a busy machine, repeat it after a pause, as a person would.

    Each action may run twice: a repeated press changes nothing, and a second plan starts nothing.
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


def _is_form_of(question: str, frame: dict[str, Any]) -> bool:
    """Return whether the frame opens the correction form of this question."""
    return frame["type"] == "view" and ids.Form.unpacked(frame["view"]["private_metadata"]).question == question


def _option(form: dict[str, Any], category: str) -> dict[str, Any]:
    """Return the value of the form's menu with this category chosen."""
    menu = next(block["element"] for block in form["blocks"] if block["block_id"] == ids.CATEGORY_INPUT)
    groups = menu.get("option_groups", [menu])
    chosen = next(option for group in groups for option in group["options"] if option["value"] == category)
    return {"type": menu["type"], "selected_option": chosen}


def card_choices(card: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, ids.CategoryChoice]]:
    """Yield what can be pressed on a card: the element, its value, and the choice that the value stands for."""
    for _, element in elements(card.get("blocks", [])):
        if element["action_id"] == ids.AGREE or ids.CHANGES.match(element["action_id"]):
            groups = element.get("option_groups", [element])
            values = [o["value"] for g in groups for o in g.get("options", [])] or [element["value"]]
            for value in values:
                yield element, value, ids.CategoryChoice.unpacked(value)
