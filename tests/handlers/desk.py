"""A whole bot at the practice workspace: real Bolt, real socket, real database; only the model is a fake."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.corrections.correcting import Correcting
from bot.corrections.drafting import Drafting
from bot.corrections.explaining import Explaining
from bot.corrections.reviewing import Reviewing
from bot.domain.correction import Correction
from bot.domain.dataset import Row
from bot.domain.fallback import Fallback
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Question
from bot.domain.release import ModelName
from bot.ports import Model, Store
from bot.practice import Person, Server, Timing, Workspace, serve
from bot.practice.people import TEAM_ID, Member
from bot.providers.tokens import OfflineEstimator
from bot.questions.answering import Answering
from bot.questions.catching_up import CatchingUp
from bot.questions.classifying import Classifying
from bot.questions.delivering import Delivering
from bot.questions.rechecking import Rechecking
from bot.releases.prompting import Prompting
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from handlers import command, corrections, home, questions, review, why
from handlers import prompt as prompt_story
from handlers.catch_up import CatchUp, SlackHistory
from handlers.corrections import CorrectionListeners
from handlers.server.pool import Pool
from handlers.slack import errors, forms
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.connection import bolt_app
from handlers.slack.forms import CorrectionForms
from handlers.slack.guard import Guard
from handlers.slack.people import Home, People
from handlers.slack.policy import Policy
from handlers.slack.private import Private
from handlers.why import WhyListener
from tests.kits.fakes import RuleModel, StepClock

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "manifest.yml").read_text(encoding="utf-8"))
PROMPT = Prompt(
    language="en",
    template="Choose the category.",
    categories=(
        Category(id="labor", name="Labor 労務", rule="leave", owner="S0STAFF0001", guide="Open the attendance system"),
        Category(id="it", name="IT", rule="computers", owner="U0PRIYA0001"),
        Category(id="other", name="Other", other=True),
    ),
)
MODEL = ModelName(provider="local", model="base")
Json = dict[str, Any]


@dataclass
class Desk:
    """What a test needs of a running bot."""

    server: Server
    store: Store
    clock: StepClock
    model: RuleModel
    people: People
    client: AsyncWebClient
    announcer: SlackAnnouncer
    answering: Answering
    answerers: Pool
    deliverers: Pool
    stack: AsyncExitStack
    neighbours: RowNeighbours
    catch_up: CatchUp
    connect: Callable[[], Awaitable[Any]]
    handler: Any = None
    """The socket, as of the last connect."""
    _timing: Timing | None = None
    windows: dict[str, Person] = field(default_factory=dict)

    async def window(self, member: Member) -> Person:
        """This person's window, opened when first needed."""
        if member.id not in self.windows:
            self.windows[member.id] = await self.stack.enter_async_context(Person(self.server.url, member.id))
        return self.windows[member.id]

    async def away(self) -> None:
        """Let the bot hear nothing until `back`, nor later of what was said meanwhile: its events are lost."""
        sockets = self.server.workspace.sockets
        self._timing, sockets.timing = sockets.timing, replace(sockets.timing, redeliver=())
        await self.handler.close_async()
        await eventually(self._unheard)

    async def _unheard(self) -> bool:
        return not self.server.workspace.sockets.connected

    async def back(self) -> None:
        """Connect again."""
        self.server.workspace.sockets.timing = self._timing or self.server.workspace.sockets.timing
        self.handler = await self.connect()

    async def misaki(self) -> Person:
        """An employee who speaks Japanese."""
        return await self.window(self.server.people.employees[0])

    async def emily(self) -> Person:
        """An employee who speaks English."""
        return await self.window(self.server.people.employees[1])

    async def kenji(self) -> Person:
        """One of the staff, who speaks Japanese."""
        return await self.window(self.server.people.staff[0])

    async def priya(self) -> Person:
        """One of the staff, who speaks English."""
        return await self.window(self.server.people.staff[1])

    async def tom(self) -> Person:
        """A guest."""
        return await self.window(self.server.people.guest)

    async def settled(self) -> None:
        """Wait until nothing is left in the inbox that is due."""
        await eventually(self._nothing_open)

    async def _nothing_open(self) -> bool:
        async with self.store.transaction() as tx:
            return await tx.inbox.open() == 0

    @asynccontextmanager
    async def time_passes(self) -> AsyncIterator[None]:
        """While the block runs the clock goes on, ten times as fast as the wall's: what was put off comes due."""

        async def tick() -> None:
            while True:
                await asyncio.sleep(0.01)
                self.clock.advance(seconds=0.1)

        ticking = asyncio.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()

    async def question(self, channel: str, ts: str) -> Question | None:
        async with self.store.transaction() as tx:
            return await tx.questions.at(TEAM_ID, channel, ts)

    async def questions(self) -> int:
        async with self.store.transaction() as tx:
            return await tx.questions.count()

    async def corrections(self, question: Question) -> list[Correction]:
        async with self.store.transaction() as tx:
            return await tx.corrections.of(question.id)

    async def rows(self) -> list[Row]:
        async with self.store.transaction() as tx:
            return [row async for row in tx.rows.all()]


async def eventually(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what it waits for is in the database
            await asyncio.sleep(0.01)


def texts(message: Json) -> str:
    """All that a person reads in a message, in one string."""

    def walk(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["text"]] if isinstance(value.get("text"), str) else []
            return own + [text for inner in value.values() for text in walk(inner)]
        return [text for inner in value for text in walk(inner)] if isinstance(value, list) else []

    return "\n".join([message.get("text", ""), *walk(message.get("blocks", []))])


def controls(message: Json) -> list[str]:
    """The action ids of a message's controls."""
    return [e["action_id"] for b in message.get("blocks", []) if b["type"] == "actions" for e in b["elements"]]


@asynccontextmanager
async def open_desk(
    store: Store,
    prompt: Prompt = PROMPT,
    *,
    ack: float = 3.0,
    model: Model | None = None,
    serving: ModelName = MODEL,
    fallback: Fallback | None = None,
) -> AsyncIterator[Desk]:
    """A bot at a fresh practice workspace.

    Args:
        store: its record.
        prompt: of what serves.
        ack: how many seconds it has for an ack.
        model: another one than the desk's fake.
        serving: the name of what serves.
        fallback: who stands in for it.
    """
    async with AsyncExitStack() as stack:
        timing = Timing(ack=ack, redeliver=(0.0, 0.05, 0.05))
        clock, rules = StepClock(), RuleModel({"leave": "labor", "有給": "labor", "laptop": "it"})
        workspace = Workspace(MANIFEST, lambda: clock.now().timestamp(), timing=timing)
        server = await stack.enter_async_context(serve(workspace))
        client = AsyncWebClient(token=server.bot_token, base_url=server.api_url, retry_handlers=[])
        here = Home(TEAM_ID, server.people.bot.id)
        people = People(client, here)
        announcer = SlackAnnouncer(client, people, server.channels.ops.id, [server.people.staff_group.id])
        neighbours = RowNeighbours(store)
        classifying = Classifying(store, model or rules, neighbours, clock, fallback)
        answering = Answering(store, classifying, announcer, clock)
        delivering = Delivering(store, announcer, clock)
        answerers, deliverers = Pool(answering.answer_next, 4, poll=0.05), Pool(delivering.deliver_next, 2, poll=0.05)
        recheckers = Pool(Rechecking(store, classifying, clock).recheck_next, 1, poll=0.05)
        await Releasing(store, clock, fallback).ensure(prompt, serving)

        app = bolt_app(client, _identity(server))
        guard = Guard([server.people.staff_group.id], [server.people.admin.id], client)
        private = Private(client)
        errors.register(app, people, private)
        policy = Policy(here.bot_user_id, [server.channels.help_desk.id])
        questions.register(app, answering, people, private, policy, answerers.wake)
        correcting = Correcting(store, neighbours, clock)
        why.register(app, WhyListener(Explaining(store, neighbours), guard, people, private))
        form = CorrectionForms(correcting, Drafting(store, rules), guard, people, client)
        forms.register(app, form)
        corrections.register(app, CorrectionListeners(correcting, form, guard, people, private, deliverers.wake))
        reviewing = Reviewing(store, correcting, neighbours, clock)
        prompting = Prompting(store, OfflineEstimator(), clock)
        office: Any = SimpleNamespace(
            client=client,
            mirroring=None,
            prompting=prompting,
            guard=guard,
            people=people,
            private=private,
            correcting=correcting,
            reviewing=reviewing,
            wake=deliverers.wake,
        )
        command.register(app, office, [review.REVIEW_STORY, prompt_story.PROMPT_STORY])
        home.register(app, prompting.current, guard, people)

        catching_up = CatchingUp(store, SlackHistory(client, people, policy), clock, timedelta(hours=24))
        catch_up = CatchUp(catching_up, [server.channels.help_desk.id], clock, answerers.wake, lambda: None)

        async def connect() -> Any:
            handler: Any = AsyncSocketModeHandler(app, server.app_token)
            await handler.connect_async()
            stack.push_async_callback(handler.close_async)
            return handler

        desk = Desk(
            *(server, store, clock, rules, people, client, announcer, answering, answerers, deliverers, stack),
            catch_up=catch_up,
            connect=connect,
            neighbours=neighbours,
        )
        await desk.back()
        answerers.start()
        deliverers.start()
        recheckers.start()
        stack.push_async_callback(answerers.stop, 5)
        stack.push_async_callback(recheckers.stop, 5)
        stack.push_async_callback(deliverers.stop, 5)
        yield desk


def _identity(server: Server) -> AuthorizeResult:
    return AuthorizeResult(
        enterprise_id=None,
        team_id=TEAM_ID,
        bot_user_id=server.people.bot.id,
        bot_id=server.workspace.app.bot_id,
        bot_token=server.bot_token,
    )
