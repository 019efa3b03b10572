"""A whole bot in the practice workspace: real Bolt, a real socket and a real database. Only the model is a fake."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts, Choices, Ports, SlackActs, SlackPorts
from bot.corrections.readership import Readership
from bot.dataset.surveying import Surveying
from bot.domain.correction import Correction
from bot.domain.dataset import Row
from bot.domain.fallback import Fallback
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Question
from bot.domain.release import ModelName
from bot.finetunes.digesting import Digesting
from bot.ports import Embedded, Model, NothingEmbedded, Store, Trainer
from bot.practice import Person, Server, Timing, Workspace, serve
from bot.practice.people import TEAM_ID, Member
from bot.providers.tokens import OfflineEstimator
from bot.providers.training_file import check
from bot.questions.answering import Answering
from bot.similarity.neighbours import RowNeighbours
from handlers.catch_up import CatchUp, SlackHistory
from handlers.context import Context, Wake
from handlers.registration import register
from handlers.server.pool import Pool
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.channels import ChannelAudiences, ChannelMembers
from handlers.slack.connection import bolt_app, fetch_identity, open_client
from handlers.slack.deliveries import Deliveries, Socket
from handlers.slack.guard import Guard
from handlers.slack.moved import FollowingClient
from handlers.slack.people import Home, People
from handlers.slack.policy import Policy
from handlers.slack.private import Private
from handlers.slack.reading import MessageReader
from handlers.views.ids import DETAILS, REVIEW_SETTLE
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeTrainer, NoBatches, StoreShelf
from tests.kits.front import Front

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
POLL_SECONDS = 0.2
FIRST_LOOK, LONGEST_LOOK = 0.005, 0.05
"""Seconds between two looks of `eventually`: at first, and at most."""
UNTHROTTLED = 10_000.0
"""Classifications per second in evaluations: no test waits for the rate of a paid provider."""
WATCHED = "C0HELPDESK1"
EMOJI = "raised_hands"
"""The emoji that makes a message a question."""


@dataclass
class SlackDesk:
    """A running bot, with everything that a test needs to drive and inspect it."""

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
    acts: Acts
    catch_up: CatchUp
    surveying: Surveying
    digesting: Digesting
    connect: Callable[[], Awaitable[Any]]
    deliveries: Deliveries
    app: AsyncApp
    context: Context
    front: Front | None = None
    """Counts the bot's connections to Slack; see `open_desk`."""
    handler: Any = None
    """The socket of the last connect."""
    _timing: Timing | None = None
    windows: dict[str, Person] = field(default_factory=dict)

    async def window(self, member: Member) -> Person:
        """Return this person's window; the first call opens it."""
        if member.id not in self.windows:
            self.windows[member.id] = await self.stack.enter_async_context(Person(self.server.url, member.id))
        return self.windows[member.id]

    async def away(self) -> None:
        """Disconnect the bot until `back`. Events of that time are lost: Slack does not deliver them later."""
        sockets = self.server.workspace.sockets
        self._timing, sockets.timing = sockets.timing, replace(sockets.timing, redeliver=())
        await self.handler.close_async()
        await eventually(self._unheard)

    async def _unheard(self) -> bool:
        return not self.server.workspace.sockets.connected

    async def back(self) -> None:
        """Connect the bot again."""
        self.server.workspace.sockets.timing = self._timing or self.server.workspace.sockets.timing
        self.handler = await self.connect()

    async def misaki(self) -> Person:
        """Return the window of an employee who reads Japanese."""
        return await self.window(self.server.people.employees[0])

    async def emily(self) -> Person:
        """Return the window of an employee who reads English."""
        return await self.window(self.server.people.employees[1])

    async def kenji(self) -> Person:
        """Return the window of a member of staff who reads Japanese."""
        return await self.window(self.server.people.staff[0])

    async def priya(self) -> Person:
        """Return the window of a member of staff who reads English."""
        return await self.window(self.server.people.staff[1])

    async def tom(self) -> Person:
        """Return the window of a guest."""
        return await self.window(self.server.people.guest)

    async def settled(self) -> None:
        """Wait until the inbox has no open arrival."""
        await eventually(self._nothing_open)

    async def _nothing_open(self) -> bool:
        async with self.store.transaction() as tx:
            return await tx.inbox.open() == 0

    @asynccontextmanager
    async def time_passes(self) -> AsyncIterator[None]:
        """Run the clock ten times as fast as real time until the block ends, so that retries come due."""

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
    """Wait until `holds` returns something true; after `seconds`, raise TimeoutError.

    Each look asks the database, which takes milliseconds of the processor, so looks become rarer.
    """
    pause = FIRST_LOOK
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK)


def texts(message: Json) -> str:
    """Return everything that a person reads in a message, as one string."""

    def walk(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["text"]] if isinstance(value.get("text"), str) else []
            return own + [text for inner in value.values() for text in walk(inner)]
        return [text for inner in value for text in walk(inner)] if isinstance(value, list) else []

    return "\n".join([message.get("text", ""), *walk(message.get("blocks", []))])


def controls(message: Json) -> list[str]:
    """Return the action ids of a message's controls."""
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
    judged: Model | None = None,
    trainer: Trainer | None = None,
    student: ModelName = MODEL,
    embedded: Embedded | None = None,
    enterprise: str = "",
    per_hour: int | None = None,
    training_allowed: bool = True,
    tell_askers: bool = False,
    budget_usd: float | None = None,
    counted: bool = False,
) -> AsyncIterator[SlackDesk]:
    """Open a bot in a new practice workspace.

    Args:
        store: The bot's database.
        prompt: The prompt of the serving release.
        ack: Seconds that the workspace waits for an ack.
        model: Replaces the desk's fake for live questions.
        serving: The model of the serving release.
        fallback: The rule for the fallback release; the default has none.
        judged: Replaces the desk's fake for evaluations and drafts.
        trainer: Replaces the fake that trains.
        student: The model to train.
        embedded: The embedded model's facts about itself; the default has none.
        enterprise: The Enterprise Grid organisation of the workspace; the default has none.
        budget_usd: The budget of a month; the default has none.
        counted: Whether the bot speaks to Slack through `front`, with the client that a start opens.
        per_hour: Questions that one person may ask within an hour; the default has no limit.
        training_allowed: Whether the settings allow trainings.
        tell_askers: Whether each asker is told once what happens with questions, as the bot does outside of tests.
    """
    async with AsyncExitStack() as stack:
        timing = Timing(ack=ack, redeliver=(0.0, 0.05, 0.05))
        clock, rules = StepClock(), RuleModel({"leave": "labor", "有給": "labor", "laptop": "it"})
        workspace = Workspace(MANIFEST, lambda: clock.now().timestamp(), timing=timing)
        workspace.people.bot.enterprise_id = enterprise
        server = await stack.enter_async_context(serve(workspace))
        client = FollowingClient(token=server.bot_token, base_url=server.api_url, retry_handlers=[])
        front = None
        if counted:
            front = await stack.enter_async_context(Front(server.url).running())
            workspace.url = front.url
            client = await stack.enter_async_context(open_client(SecretStr(server.bot_token), f"{front.url}api/"))
        identity = await fetch_identity(client)
        home = Home(identity.team_id or "", identity.bot_user_id or "", identity.enterprise_id)
        people = People(client, home)
        policy = Policy(home.bot_user_id, [server.channels.help_desk.id])
        audiences = ChannelAudiences(client)
        neighbours = RowNeighbours(store)
        ports = Ports(
            store=store,
            shelf=StoreShelf(store),
            clock=clock,
            neighbours=neighbours,
            model=judged or rules,
            live_model=model or rules,
            trainer=trainer or FakeTrainer(),
            batcher=NoBatches(),
            estimator=OfflineEstimator(),
            check_file=check,
            embedded=embedded or NothingEmbedded(),
        )
        rates = {name.provider: UNTHROTTLED for name in (serving, student)}
        fallback = fallback or Fallback()
        acts = Acts(
            ports,
            Choices(
                student=student,
                fallback=fallback,
                budget_usd=budget_usd,
                judged_per_second=rates,
                training_allowed=training_allowed,
            ),
        )
        guard = Guard([server.people.staff_group.id], [server.people.admin.id], client, people, acts.auditing)
        announcer = SlackAnnouncer(
            client, people, server.channels.ops.id, [server.people.staff_group.id], admins=guard.admins
        )
        reader = MessageReader(client, people, audiences)
        history = SlackHistory(client, reader, policy)
        slack_ports = SlackPorts(announcer, history, audiences, reader)
        slack = SlackActs(ports, acts, slack_ports, timedelta(hours=24), per_hour=per_hour, tell_askers=tell_askers)
        answerers = Pool(slack.answering.answer_next, 4, poll=POLL_SECONDS)
        slack.answering.waiting_workers = answerers.waiting
        deliverers = Pool(slack.delivering.deliver_next, 2, poll=POLL_SECONDS)
        slack.delivering.waiting_workers = deliverers.waiting
        acts.correcting.deliverers = slack.delivering
        recheckers = Pool(acts.rechecking.recheck_next, 1, poll=POLL_SECONDS)
        forgetters = Pool(slack.reaching.reach_next, 1, poll=POLL_SECONDS)
        await acts.releasing.ensure(prompt, serving)

        app = bolt_app(client, identity)
        wake = Wake(answerers.wake, deliverers.wake, deliverers.wake, lambda: None)
        readership = Readership(ChannelMembers(client))
        context = Context(
            *(acts, slack, client, people, guard, policy, audiences, reader, readership, Private(client), wake),
            emoji=EMOJI,
        )
        register(app, context)
        deliveries = Deliveries(lambda _: None)
        deliveries.follow(app)
        catch_up = CatchUp(slack.catching_up, [server.channels.help_desk.id], clock, answerers.wake, lambda: None)

        async def connect() -> Any:
            handler: Any = Socket(app, server.app_token, deliveries, lambda: None)
            await handler.connect_async()
            stack.push_async_callback(handler.close_async)
            return handler

        desk = SlackDesk(
            *(server, store, clock, rules, people, client, announcer, slack.answering, answerers, deliverers, stack),
            catch_up=catch_up,
            surveying=slack.surveying,
            digesting=slack.digesting,
            connect=connect,
            deliveries=deliveries,
            app=app,
            context=context,
            front=front,
            neighbours=neighbours,
            acts=acts,
        )
        await desk.back()
        answerers.start()
        deliverers.start()
        recheckers.start()
        forgetters.start()
        stack.push_async_callback(answerers.stop, 5)
        stack.push_async_callback(recheckers.stop, 5)
        stack.push_async_callback(forgetters.stop, 5)
        stack.push_async_callback(deliverers.stop, 5)
        stack.push_async_callback(acts.focusing.stop)
        # First of all, as the bot does: a listener that went on would open the closed database again.
        stack.push_async_callback(deliveries.close, 5)
        yield desk


async def asked(desk: SlackDesk, text: str = "my laptop is broken") -> str:
    """Ask a question, wait for its card, and return the question's ts."""
    emily = await desk.emily()
    ts = await emily.say(WATCHED, text)
    await emily.answer(ts)
    await desk.settled()
    return ts


async def card(person: Person, ts: str) -> Json:
    """Return the card as this person sees it now."""
    return next(m for m in await person.replies(WATCHED, ts) if "bot_id" in m and not m.get("ephemeral"))


async def kept(desk: SlackDesk, ts: str) -> Question:
    question = await desk.question(WATCHED, ts)
    assert question is not None
    return question


def whispered(*words: str) -> Any:
    return lambda m: m.get("ephemeral") and all(word in texts(m) for word in words)


def private(*words: str) -> Callable[[Json], bool]:
    return lambda m: bool(m.get("ephemeral")) and all(word in texts(m) for word in words)


async def details(person: Person, message: Json) -> str:
    """Press *Details* on a message and return all text of the modal, once it is filled."""
    await person.press(message, DETAILS)
    await person.view()
    return texts(await person.view())


async def queue(person: Person, argument: str = "") -> Json:
    """Open the review queue as this person and return the message."""
    await person.command(f"/finetune review {argument}".strip())
    if argument:
        return await person.message(lambda m: not m.get("ephemeral") and f"{REVIEW_SETTLE}.0" in controls(m))
    return await person.message(private())


def entered(view: Json, category: str, reason: str | None = None) -> dict[str, Any]:
    """Return what the form submits with this category and reason; the default reason is what *Use it* put there."""
    chosen = next(o for o in view["blocks"][0]["element"]["options"] if o["value"] == category)
    values: dict[str, Any] = {"category": {"category": {"type": "static_select", "selected_option": chosen}}}
    block = reason_block(view)
    if block:
        value = reason or drafted(view)
        values[block["block_id"]] = {"reason": {"type": "plain_text_input", "value": value}}
    return values


def reason_block(view: Json) -> Json | None:
    return next((b for b in view["blocks"] if b["type"] == "input" and b["block_id"].startswith("reason.")), None)


def drafted(view: Json) -> str | None:
    """Return the initial text of the form's reason input; None if it is empty or missing."""
    block = reason_block(view)
    found: str | None = block["element"].get("initial_value") if block else None
    return found


def suggested(view: Json) -> str | None:
    """Return the suggestion that stands beside the form's reason; None if there is none."""
    for block in view["blocks"]:
        if block.get("accessory", {}).get("action_id") == "correct.use_draft":
            return str(block["text"]["text"]).split("\n", 1)[1]
    return None
