"""The bot on duty: every story registered, workers and clock started, connected to Slack."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.app.readiness import checks_of, metrics_of
from bot.app.telemetry import Telemetry
from bot.app.wiring import Core
from bot.corrections.drafting import Drafting
from bot.corrections.explaining import Explaining
from bot.domain.replica import BEAT
from bot.questions.answering import Answering
from bot.questions.catching_up import CatchingUp
from bot.questions.delivering import Delivering
from bot.questions.pruning import Pruning
from bot.releases.switching import Switching
from bot.settings import Settings
from handlers import (
    command,
    corrections,
    evaluation,
    finetune,
    home,
    prompt,
    questions,
    recall,
    review,
    shadow,
    switching,
    unsure,
    why,
)
from handlers.catch_up import CatchUp, SlackHistory
from handlers.corrections import CorrectionListeners
from handlers.server.clock import Act, Schedule
from handlers.server.health import Check, Health, HealthPart
from handlers.server.pool import Pool
from handlers.slack import errors, forms
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.connection import bolt_app, slack_client, socket_mode, who_we_are
from handlers.slack.deliveries import Deliveries, Requests
from handlers.slack.forms import CorrectionForms
from handlers.slack.guard import Guard
from handlers.slack.people import Home, People
from handlers.slack.policy import Policy
from handlers.slack.private import Private
from handlers.why import WhyListener

log = logging.getLogger(__name__)

STORIES = (
    finetune.FINETUNE_STORY,
    evaluation.EVALUATION_STORY,
    switching.SWITCHING_STORY,
    recall.RECALL_STORY,
    shadow.SHADOW_STORY,
    unsure.UNSURE_STORY,
    review.REVIEW_STORY,
    prompt.PROMPT_STORY,
)
ANSWERERS = 8
DELIVERERS = 4
RECHECKERS = 2
SHADOWERS = 1
"""Nobody waits for a shadow, so it must not take much from those who answer."""
ACK_SECONDS = 3.0
"""At most, for what Slack had delivered just before the end."""
HAND_BACK_SECONDS = 2.0
FOLLOW_SECONDS = 2.0
"""How often a provider is asked for the progress of a fine-tune."""
CATCH_UP_SECONDS = 15.0
"""How often it is asked whether the channels should be read."""
MIRROR_SECONDS, RECEIVE_SECONDS = 2.0, 60.0
"""How often the tracker is told what is new, and asked for what people said there."""
BATCH_SECONDS = 30.0
"""How often for that of a batch, which takes minutes to hours."""
PRUNE_SECONDS = 3600.0


@dataclass(frozen=True)
class Edge:
    """Who looks at the bot from the outside, and by which way Slack reaches it: `requests` in HTTP mode, else none."""

    health: Health
    telemetry: Telemetry
    requests: Requests | None


@asynccontextmanager
async def serve_slack(house: Core, settings: Settings, outside: Edge) -> AsyncIterator[None]:
    """Connect to Slack and answer until the block ends; then take nothing new and finish what is under way.

    Raises:
        SlackRefused: a token is wrong, or Slack is not there.
    """
    client = slack_client(settings.slack_bot_token, settings.slack_api_url)
    identity = await who_we_are(client)
    office = SlackSide.of(house, settings, client, identity)
    announcer = SlackAnnouncer(client, office.people, settings.bot_ops_channel, settings.bot_staff)
    answering = Answering(house.store, house.classifying, announcer, house.clock, house.meter)
    workers = Workers(
        house,
        answering,
        Delivering(house.store, announcer, house.clock, house.meter),
        DrainDeadline(settings.bot_drain_seconds),
    )
    ticks = Schedule(house.sharing.alone)
    catch_up = catch_up_of(office, workers.answer, lambda: ticks.now("catch_up"))

    app = bolt_app(client, identity)
    register(app, office, answering, Wake(workers.answer, workers.deliver, lambda: ticks.now("follow")))
    try:
        workers.start()
        await house.sharing.beat()
        if house.mirroring:
            await house.mirroring.resume()
        ticks.start(
            each={"beat": (house.sharing.beat, BEAT.total_seconds())},
            one=periodic(house, client, workers.deliver) | {"catch_up": (catch_up.tick, CATCH_UP_SECONDS)},
        )
        async with connected(app, settings, outside, catch_up.connected, workers.drain) as slack:
            outside.health.on_duty(checks_of(house, slack), metrics_of(house, outside.telemetry))
            yield
    finally:
        ticks.stop()
        await workers.stop()
        await house.sharing.leave()


class DrainDeadline:
    """The seconds for what is under way at the end, all of it together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None

    def left(self) -> float:
        """What is left of them; the first call begins the end."""
        now = time.monotonic()
        self._ends = now + self._seconds if self._ends is None else self._ends
        return max(0.0, self._ends - now)


class Workers:
    """Who works on what was written down: answers, what people are told, second looks and shadows."""

    def __init__(self, house: Core, answering: Answering, delivering: Delivering, drain: DrainDeadline) -> None:
        self._answerers = Pool(answering.answer_next, ANSWERERS)
        self._deliverers = Pool(delivering.deliver_next, DELIVERERS)
        self._others = (Pool(house.rechecking.recheck_next, RECHECKERS), Pool(house.shadowing.shadow_next, SHADOWERS))
        self._hands = (answering, delivering, house.rechecking, house.shadowing)
        self.drain = drain
        self.answer, self.deliver = self._answerers.wake, self._deliverers.wake

    def start(self) -> None:
        for pool in (self._answerers, self._deliverers, *self._others):
            pool.start()

    async def stop(self) -> None:
        """Finish within the drain what is under way; what is not, others take up at once."""
        for pool in self._others:
            await pool.stop(0)  # nobody waits for them
        await self._answerers.stop(self.drain.left())  # who answers leaves more to deliver
        await self._deliverers.stop(self.drain.left())
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS):
                for hands in self._hands:
                    await hands.hand_back()
        except Exception as error:  # noqa: BLE001 - the leases run out by themselves
            log.warning("what was begun could not be handed back: %s", type(error).__name__)


@asynccontextmanager
async def connected(
    app: AsyncApp, settings: Settings, outside: Edge, heard: Callable[[], None], drain: DrainDeadline
) -> AsyncIterator[Check]:
    """Let Slack in until the block ends: by its socket, or by requests. What says whether it can come in.

    `heard` is called whenever Slack reaches us again.
    """

    async def at_the_door() -> HealthPart:
        return HealthPart(ready=True)  # `auth.test` has succeeded; what else Slack wants of us it sends

    deliveries = Deliveries(outside.telemetry.acked)
    deliveries.follow(app)
    async with AsyncExitStack() as stack:
        check: Check = at_the_door
        if outside.requests:
            outside.requests.answer_by(app, deliveries)
            heard()
        elif settings.slack_app_token:
            socket = await stack.enter_async_context(socket_mode(app, settings.slack_app_token, deliveries, heard))
            outside.telemetry.watch_socket(socket.age, socket.silence)
            check = socket.part
        try:
            yield check
        finally:
            outside.health.drain()
            await deliveries.close(min(ACK_SECONDS, drain.left()))


def periodic(house: Core, client: AsyncWebClient, wake: Callable[[], None]) -> dict[str, tuple[Act, float]]:
    """What one of the replicas does from time to time. `wake` tells those who deliver."""
    batches = evaluation.BatchFollower(house.batching, house.evaluating, house.releasing, house.mirroring, client)

    async def follow() -> None:
        await house.tuning.follow()
        wake()

    prune = Pruning(house.store, house.clock).prune
    acts: dict[str, tuple[Act, float]] = {
        "follow": (follow, FOLLOW_SECONDS),
        "batches": (batches.follow, BATCH_SECONDS),
        "prune": (prune, PRUNE_SECONDS),
    }
    return acts | mirror(house)


def mirror(house: Core) -> dict[str, tuple[Act, float]]:
    """What is told to the tracker and heard from it, where there is one."""
    mirroring, receiving = house.mirroring, house.receiving
    if mirroring is None or receiving is None:
        return {}

    async def tell() -> None:
        while await mirroring.mirror():
            pass

    async def hear() -> None:
        await receiving.receive()

    return {"mirror": (tell, MIRROR_SECONDS), "receive": (hear, RECEIVE_SECONDS)}


@dataclass(frozen=True)
class SlackSide:
    """What the stories of Slack share."""

    house: Core
    settings: Settings
    client: AsyncWebClient
    people: People
    guard: Guard
    policy: Policy

    @classmethod
    def of(cls, house: Core, settings: Settings, client: AsyncWebClient, identity: AuthorizeResult) -> Self:
        here = Home(identity.team_id or "", identity.bot_user_id or "", identity.enterprise_id)
        people = People(client, here, settings.bot_language)
        guard = Guard(settings.bot_staff, settings.bot_admins, client)
        return cls(house, settings, client, people, guard, Policy(here.bot_user_id, settings.bot_channels))


def catch_up_of(office: SlackSide, wake: Callable[[], None], look: Callable[[], None]) -> CatchUp:
    """`wake` tells those who answer; `look` makes the clock tick for it."""
    house, settings = office.house, office.settings
    history = SlackHistory(office.client, office.people, office.policy)
    patience = timedelta(hours=settings.bot_catch_up_hours)
    catching_up = CatchingUp(house.store, history, house.clock, patience)
    return CatchUp(catching_up, settings.bot_channels, house.clock, wake, look)


@dataclass(frozen=True)
class Wake:
    """Who is woken when something was written down."""

    answerers: Callable[[], None]
    deliverers: Callable[[], None]
    follow: Callable[[], None]


def register(app: AsyncApp, office: SlackSide, answering: Answering, wake: Wake) -> None:
    """Register every story."""
    house, client, people, guard = office.house, office.client, office.people, office.guard
    private = Private(client)
    errors.register(app, people, private)
    questions.register(app, answering, people, private, office.policy, wake.answerers)
    why.register(app, WhyListener(Explaining(house.store, house.neighbours), guard, people, private))
    form = CorrectionForms(house.correcting, Drafting(house.store, house.model), guard, people, client)
    forms.register(app, form)
    corrections.register(app, CorrectionListeners(house.correcting, form, guard, people, private, wake.deliverers))
    home.register(app, house.prompting.current, guard, people)
    command.register(
        app,
        command.Desk(
            client=client,
            guard=guard,
            people=people,
            private=private,
            tuning=house.tuning,
            evaluating=house.evaluating,
            batching=house.batching,
            releasing=house.releasing,
            switching=Switching(house.evaluating, house.releasing),
            reporting=house.reporting,
            shadowing=house.shadowing,
            doubting=house.doubting,
            correcting=house.correcting,
            reviewing=house.reviewing,
            prompting=house.prompting,
            mirroring=house.mirroring,
            ops_channel=office.settings.bot_ops_channel,
            wake=wake.follow,
        ),
        STORIES,
    )
