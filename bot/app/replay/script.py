"""Replays a labelled file through the running loop as people would, and measures what was learnt.

A program above the house: it opens a practice workspace of its own on a database of its own, and acts in it only
through the page, as an employee, a member of staff and an admin.
"""

import asyncio
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import Field, ValidationError

from bot.app.running import Running, open_bot
from bot.app.wiring import Core
from bot.domain.certainty import OutOfScope
from bot.domain.dataset import Row, Source, group_of, split_of
from bot.domain.faults import Fault, Problem, Unable, problems_of
from bot.domain.finetune import ENDED_STATES
from bot.domain.gate import Outcome
from bot.domain.labelled import Labelled, read
from bot.domain.prompt import Category, Prompt
from bot.domain.release import Release
from bot.domain.scorecard import Judged, scorecard, wilson
from bot.domain.thing import Thing
from bot.practice import Person
from bot.practice.person import RefusedError
from bot.practice.state import elements
from bot.settings import Settings
from bot.similarity.index import Index
from handlers.texts.words import Words
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


class Plan(Thing):
    """How to replay. `every`: a fine-tune after so many new corrections (agreements count as such)."""

    every: int = Field(default=100, ge=1)
    agree: float = Field(default=0.2, ge=0, le=1)
    """The share of right answers that staff agree to; the others they leave alone."""
    test: int | None = Field(default=None, ge=1)
    """The last so many questions are never asked, only measured on; default a third, at most 500."""
    examples: int = Field(default=3, ge=0)
    """Questions a category that a made prompt starts from; they are neither asked nor measured on."""
    other: str | None = None
    """Which category is the catch-all of a made prompt."""
    seed: int = 7
    order: Literal["file", "random", "queue"] = "file"
    """Which question staff settle next: each as it is asked, or one of many that were answered, at random or as
    /finetune review lists them. Of many, each that is taken up is settled, right or wrong."""
    recall: int | None = Field(default=None, ge=0)
    """Never fine-tune: serve from the start with so many examples, and measure where else a fine-tune would be."""


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


class UnusableFile(Unable):
    """The file cannot be replayed."""


@dataclass
class Script:
    """Who asks what: the prompt, the questions in their order, and the rows that are only measured on."""

    prompt: Prompt
    stream: list[Labelled]
    test: list[Row]
    near: int
    """Questions that are not measured on, for what is asked or stands in the prompt is nearly the same."""


def script(data: bytes, plan: Plan, configured: Prompt) -> Script:
    """Read a file and cut it up. The configured prompt is used if it has all of the file's categories.

    Raises:
        UnusableFile: nothing readable, one category only, or too few questions to learn and to measure.
    """
    records = [record for record in read(data) if isinstance(record, Labelled)]
    unique = list({group_of(record.text): record for record in records}.values())
    names = list(dict.fromkeys(record.category for record in unique))
    if len(names) < 2:
        raise UnusableFile(Problem(what=Fault.ONE_CATEGORY))
    known = {label: c for c in configured.categories for label in (c.id, c.name)}
    if all(name in known for name in names):
        prompt, used = configured, set[int]()
        unique = [record.model_copy(update={"category": known[record.category].id}) for record in unique]
    else:
        prompt, used = made_prompt(unique, names, plan)
        unique = [record.model_copy(update={"category": category_id(record.category)}) for record in unique]
    rest = [record for record in unique if record.line not in used]
    test = min(500, len(rest) // 3) if plan.test is None else plan.test
    at = max(0, len(rest) - test)
    stream, last = rest[:at], rest[at:]
    measured = unlike(last, [*(record.text for record in stream), *prompt.examples])
    if not measured or len(stream) < plan.every:
        facts = {"n": str(len(rest)), "test": str(len(measured)), "every": str(plan.every)}
        raise UnusableFile(Problem(what=Fault.FEW_QUESTIONS, facts=facts))
    return Script(prompt, stream, [_row(record) for record in measured], near=len(last) - len(measured))


def unlike(records: Sequence[Labelled], known: Sequence[str]) -> list[Labelled]:
    """The records that are not nearly the same as any of these texts: what was taught is not measured on."""
    index = Index()
    for text in known:
        index.slot(text)
    return [record for record in records if not index.near(record.text)]


def made_prompt(records: Sequence[Labelled], names: Sequence[str], plan: Plan) -> tuple[Prompt, set[int]]:
    """A prompt that knows the names and a few examples of each, and the lines of the examples."""
    examples: dict[str, list[Labelled]] = defaultdict(list)
    for record in records:
        if len(examples[record.category]) < plan.examples:
            examples[record.category].append(record)
    other = plan.other or next(
        (n for n in names if re.search(r"other|out.?of.?scope|general|misc|その他|雑", n, re.IGNORECASE)), None
    )
    categories = [
        Category(
            id=category_id(name),
            name=name[:60],
            examples=tuple(record.text for record in examples[name]),
            other=name == other,
        )
        for name in names
    ]
    japanese = sum(bool(re.search(r"[ぁ-んァ-ヶ一-龠]", record.text)) for record in records) * 2 > len(records)
    if other not in names:
        categories.append(Category(id="other", name="その他" if japanese else "Other", other=True))
    task = "質問の担当を一つ選んでください。" if japanese else "Choose the one category that a question belongs to."
    try:
        prompt = Prompt(language="ja" if japanese else "en", template=task, categories=tuple(categories))
    except ValidationError as error:
        raise UnusableFile(*problems_of(error)) from None
    return prompt, {record.line for kept in examples.values() for record in kept}


def category_id(name: str) -> str:
    """An id that a made prompt gives to a category of this name."""
    return re.sub(r"[^\w.-]+", "_", name)[:64]


def _row(record: Labelled) -> Row:
    group = group_of(record.text)
    return Row(
        id=str(record.line),
        text=record.text,
        group=group,
        category=record.category,
        reason=None,
        split=split_of(group),
        source=Source.IMPORT,
        by="replay",
        settled_at=datetime.fromtimestamp(0, UTC),
    )


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
            show = Show(running.house, cast, the_script, plan, progress)
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

    house: Core
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
        serving = await self.house.releasing.serving()
        if not self.plan.recall:
            return serving
        release = await self.house.releasing.recalling(serving.id, self.plan.recall, self.cast.admin.user_id)
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
            listed = [one.key for one in await self.house.reviewing.queue() if one.key in waiting]
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
        serving = await self.house.releasing.serving()
        plan, finetune_id = await self._planned()
        await patiently(partial(self.cast.admin.press, plan, ids.FINETUNE_CONFIRM))
        candidate = await self._candidate(finetune_id)
        if candidate is None:
            return await self._measured(serving, switched=False)
        judged = await self.house.evaluating.evaluate(candidate)
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
                async with self.house.store.snapshot() as tx:
                    finetune = await tx.finetunes.get(finetune_id)
                if finetune and finetune.state in ENDED_STATES:
                    return await self.house.releasing.named(finetune.id) if finetune.model else None
                await asyncio.sleep(0.1)

    async def _until(self, wanted: Callable[[Release], bool]) -> None:
        async with asyncio.timeout(60.0):
            while not wanted(await self.house.releasing.serving()):  # noqa: ASYNC110 - another program's doing is awaited
                await asyncio.sleep(0.05)

    async def _measured(self, release: Release, *, switched: bool) -> Point:
        judged = await self.house.evaluating.judge(release, self.script.test, keep=False)
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
        advised = (await self.house.doubting.doubts(release)).advised
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


def saved(queue: Sequence[Point], other: Sequence[Point]) -> tuple[float, int, int] | None:
    """The best accuracy that both reach, and how many corrections the queue and the other order take to it first.

    Between two points accuracy is taken to grow evenly. None where the other order never rises.
    """
    goal = min(max(point.accuracy for point in points) for points in (queue, other))
    if goal <= other[0].accuracy:
        return None
    return goal, _reached(queue, goal), _reached(other, goal)


def _reached(points: Sequence[Point], goal: float) -> int:
    for before, after in pairwise(points):
        if before.accuracy < goal <= after.accuracy:
            share = (goal - before.accuracy) / (after.accuracy - before.accuracy)
            return round(before.corrections + share * (after.corrections - before.corrections))
    return points[0].corrections


def choices(card: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, ids.CategoryChoice]]:
    """What can be pressed on a card: the element, the value and what it stands for."""
    for _, element in elements(card.get("blocks", [])):
        if element["action_id"] == ids.AGREE or ids.CHANGES.match(element["action_id"]):
            groups = element.get("option_groups", [element])
            values = [o["value"] for g in groups for o in g.get("options", [])] or [element["value"]]
            for value in values:
                yield element, value, ids.CategoryChoice.unpacked(value)


def plot(points: Sequence[Point], title: str, file: Path, words: Words) -> None:
    """Draw accuracy over corrections, with 95% intervals, as a PNG."""
    from matplotlib.figure import Figure

    from handlers.pictures import japanese_font, lettering

    x = [point.corrections for point in points]
    y = [point.accuracy * 100 for point in points]
    low, high = zip(*(point.interval for point in points), strict=True)
    with lettering(words, japanese_font()) as written:
        figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
        axes = figure.subplots()
        axes.fill_between(x, [v * 100 for v in low], [v * 100 for v in high], alpha=0.15, linewidth=0)
        axes.plot(x, y, marker="o")
        for point in points:
            if not point.switched:
                axes.plot(point.corrections, point.accuracy * 100, marker="x", color="tab:red", markersize=10)
        axes.set(title=title, xlabel=written("cli.replay.x"), ylim=(0, 100))
        axes.set_ylabel(written("cli.replay.y", n=points[0].of))
        axes.grid(alpha=0.3)
        figure.savefig(file)
