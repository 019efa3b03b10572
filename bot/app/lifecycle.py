"""The bot on Slack from start to stop: workers, periodic tasks, listeners and the connection."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.acts import Acts, SlackActs, SlackPorts
from bot.app.disk import REPORT_SECONDS
from bot.app.readiness import checks_of, metrics_of
from bot.app.telemetry import Telemetry
from bot.app.trust import trust_of
from bot.app.wiring import Core
from bot.corrections.readership import Readership
from bot.domain.privacy import Privacy
from bot.domain.replica import BEAT
from bot.settings import Settings
from handlers import home
from handlers.catch_up import CatchUp, SlackHistory
from handlers.context import Context, Wake
from handlers.evaluation import BatchFollower
from handlers.registration import register
from handlers.server.clock import Schedule, ScheduledAct, with_backoff
from handlers.server.health import Check, Health, HealthPart
from handlers.server.workers import DrainDeadline, Workers
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.channels import ChannelAudiences, ChannelMembers
from handlers.slack.connection import bolt_app, fetch_identity, fetch_installation, open_client, socket_mode
from handlers.slack.deliveries import Deliveries, Requests
from handlers.slack.guard import Guard
from handlers.slack.moved import FollowingClient
from handlers.slack.people import Home, People
from handlers.slack.policy import Policy
from handlers.slack.private import Private
from handlers.slack.reading import MessageReader
from handlers.slack.scopes import warn_of_missing_scopes

log = logging.getLogger(__name__)

ACK_SECONDS = 3.0
"""Longest wait at the stop for the acks of the last deliveries, in seconds."""
FOLLOW_SECONDS = 2.0
"""Interval at which the provider is asked for the progress of a fine-tune, in seconds."""
CATCH_UP_SECONDS = 15.0
"""Interval at which the bot checks whether it is time to read the channels, in seconds."""
SUMMARY_SECONDS = 60.0
"""Interval at which the bot looks whether it is Monday morning, in seconds."""
PROPOSE_SECONDS = 20.0
"""Interval at which the next step of a training that began by itself is taken, in seconds."""
MIRROR_SECONDS = 2.0
"""Interval at which new changes are sent to the tracker, in seconds."""
RECEIVE_SECONDS = 60.0
"""Interval at which people's changes are read from the tracker, in seconds."""
BATCH_SECONDS = 30.0
"""Interval at which the provider is asked for the progress of a batch, in seconds. A batch takes minutes to hours."""
PRUNE_SECONDS = 3600.0
AUDIT_SECONDS = 600.0
"""Interval at which settlements are counted for the audit log, in seconds."""
MOVED_SECONDS = 15.0
"""Interval at which a replica learns of channels that got new ids, in seconds."""
HOMES_SECONDS = 15.0
"""Interval at which the App Homes that people may look at are brought up to date, in seconds."""
FORGOTTEN_SECONDS = 30.0
"""Interval at which a replica that nobody asks anything drops from its memory what was forgotten, in seconds."""
ENCODE_SECONDS = 30.0
"""Interval at which each replica encodes the texts of rows that wait for it, in seconds."""
INDEX_SECONDS = 60.0
"""Interval at which the index of rows is kept for the next start if much of it changed, in seconds."""
RETAIN_SECONDS = 3600.0
"""Interval at which what is too old is forgotten, in seconds."""
SURVEY_SECONDS = 120.0
"""Interval at which Slack is asked for audiences that are unknown, in seconds."""


@dataclass(frozen=True)
class Edge:
    """The parts that face the outside. `requests` takes Slack's requests in HTTP mode; None in Socket Mode."""

    health: Health
    telemetry: Telemetry
    requests: Requests | None


@asynccontextmanager
async def serve_slack(core: Core, settings: Settings, edge: Edge) -> AsyncIterator[None]:
    """Connect to Slack and answer until the block ends; then accept nothing new and finish the work in progress.

    Raises:
        SlackRefused: A token is wrong, or Slack is unreachable.
    """
    async with (
        open_client(settings.slack_bot_token, settings.slack_api_url, trust_of(settings)) as client,
        serve_app(core, settings, edge, client),
    ):
        yield


@asynccontextmanager
async def serve_app(core: Core, settings: Settings, edge: Edge, client: FollowingClient) -> AsyncIterator[None]:
    """Answer as the app that the client's token belongs to. Raises SlackRefused."""
    identity = await fetch_identity(client)
    warn_of_missing_scopes(identity)
    side = await follow_channels(SlackSide.of(core, settings, client, identity), settings)
    workers = Workers(core.ports, core.acts, side.slack, DrainDeadline(settings.bot_drain_seconds))
    schedule = Schedule(core.replicas.exclusive)
    wake = Wake(workers.answer, workers.deliver, workers.update, lambda: workers.train(schedule))
    catch_up = CatchUp(
        side.slack.catching_up,
        settings.bot_channels,
        core.ports.clock,
        workers.answer,
        lambda: schedule.run_now("catch_up"),
        client.moved,
    )

    register(app := bolt_app(client, identity), context := side.context(core.acts, wake))
    schedule.add(each=own_tasks(core, side, context), one=periodic_tasks(core, side, workers, catch_up))
    try:
        workers.start()
        # A replica that is paused within its own first heartbeat locks the leases for a while: that ends no start.
        await with_backoff("beat", core.replicas.beat, BEAT.total_seconds())()
        if core.acts.outbound:
            await core.acts.outbound.resume()
        schedule.start(at_once=["survey"])  # after an upgrade, recall and memory wait for it
        async with connected(app, identity, settings, edge, catch_up.connected, workers.drain) as slack:
            edge.health.start_checks(checks_of(core, slack), metrics_of(core, edge.telemetry))
            yield
    finally:
        schedule.stop()
        await workers.stop()
        await asyncio.gather(core.acts.focusing.stop(), core.replicas.leave())


async def follow_channels(side: "SlackSide", settings: Settings) -> "SlackSide":
    """Learn which channels got new ids, log which settings should be changed, and return the side."""
    await side.learn_moves()
    ops = [settings.bot_ops_channel] if settings.bot_ops_channel else []
    for setting, channels in (("BOT_CHANNELS", settings.bot_channels), ("BOT_OPS_CHANNEL", ops)):
        for old in channels:
            new = side.client.moved.now(old)
            if new != old:
                log.warning("channel %s is %s now, and is followed: change %s", old, new, setting)
    return side


@dataclass(frozen=True)
class SlackSide:
    """The parts that speak to the Slack workspace."""

    client: FollowingClient
    people: People
    guard: Guard
    policy: Policy
    audiences: ChannelAudiences
    reader: MessageReader
    slack: SlackActs
    announcer: SlackAnnouncer
    ops_channel: str | None
    emoji: str | None
    privacy: Privacy

    @classmethod
    def of(cls, core: Core, settings: Settings, client: FollowingClient, identity: AuthorizeResult) -> "SlackSide":
        """Build the parts for the app that the token belongs to."""
        home = Home(identity.team_id or "", identity.bot_user_id or "", identity.enterprise_id)
        people = People(client, home, settings.bot_language)
        guard = Guard(settings.bot_staff, settings.bot_admins, client, people, core.acts.auditing)
        policy = Policy(home.bot_user_id, settings.bot_channels, client.moved)
        contacts = core.prompt.care.contacts
        announcer = SlackAnnouncer(
            *(client, people, settings.bot_ops_channel, settings.bot_staff, contacts),
            admins=guard.admins,
            privacy=core.privacy,
            shared=client.shared,
        )
        audiences = ChannelAudiences(client)
        reader = MessageReader(client, people, audiences)
        history = SlackHistory(client, reader, policy)
        catch_up_within = timedelta(hours=settings.bot_catch_up_hours)
        remind_after = timedelta(hours=settings.bot_remind_hours) if settings.bot_remind_hours else None
        ports = SlackPorts(announcer, history, audiences, reader)
        per_hour = settings.bot_questions_per_hour or None
        slack = SlackActs(core.ports, core.acts, ports, catch_up_within, remind_after, per_hour)
        return cls(
            client,
            people,
            guard,
            policy,
            audiences,
            reader,
            slack,
            announcer,
            settings.bot_ops_channel,
            settings.bot_emoji,
            core.privacy,
        )

    async def learn_moves(self) -> None:
        """Learn the channels that got new ids; another replica may have heard of them."""
        self.client.moved.learn(await self.slack.catching_up.moves())

    def context(self, acts: Acts, wake: Wake) -> Context:
        """Return what the listeners share."""
        return Context(
            acts=acts,
            slack=self.slack,
            client=self.client,
            people=self.people,
            guard=self.guard,
            policy=self.policy,
            audiences=self.audiences,
            reader=self.reader,
            readership=Readership(ChannelMembers(self.client)),
            private=Private(self.client, self.client.shared),
            wake=wake,
            ops_channel=self.ops_channel,
            emoji=self.emoji,
            privacy=self.privacy,
            moved=self.client.moved,
        )


@asynccontextmanager
async def connected(
    app: AsyncApp,
    identity: AuthorizeResult,
    settings: Settings,
    edge: Edge,
    on_connected: Callable[[], None],
    drain: DrainDeadline,
) -> AsyncIterator[Check]:
    """Receive Slack's deliveries until the block ends, in Socket Mode or HTTP mode.

    `on_connected` is called each time the connection is made.

    Yields:
        The readiness check of the connection.
    """

    async def requests_open() -> HealthPart:
        return HealthPart(ready=True)  # `auth.test` has succeeded, and Slack sends requests by itself

    deliveries = Deliveries(edge.telemetry.acked)
    deliveries.follow(app)
    async with AsyncExitStack() as stack:
        check: Check = requests_open
        if edge.requests:
            edge.requests.attach(app, deliveries, await fetch_installation(app.client, identity))
            on_connected()
        elif settings.slack_app_token:
            socket = await stack.enter_async_context(
                socket_mode(app, settings.slack_app_token, deliveries, on_connected)
            )
            edge.telemetry.watch_socket(socket.age, socket.silence)
            check = socket.part
        try:
            yield check
        finally:
            edge.health.drain()
            await deliveries.close(min(ACK_SECONDS, drain.left()))


def own_tasks(core: Core, side: SlackSide, context: Context) -> dict[str, tuple[ScheduledAct, float]]:
    """Return the periodic tasks that every replica runs, by name, with their intervals in seconds."""
    return {
        "beat": (core.replicas.beat, BEAT.total_seconds()),
        "moved": (side.learn_moves, MOVED_SECONDS),
        "homes": (partial(home.refresh, context), HOMES_SECONDS),
        "forgotten": (core.load_rows, FORGOTTEN_SECONDS),
        "encode": (core.encode_rows, ENCODE_SECONDS),
        "disk": (partial(core.disk.report, side.announcer), REPORT_SECONDS),
    }


def periodic_tasks(
    core: Core, side: SlackSide, workers: Workers, catch_up: CatchUp
) -> dict[str, tuple[ScheduledAct, float]]:
    """Return the periodic tasks that one replica at a time runs, by name, with their intervals in seconds."""
    acts, slack = core.acts, side.slack

    async def follow() -> None:
        if workers.trains:
            await acts.following.follow()

    tasks: dict[str, tuple[ScheduledAct, float]] = {
        "follow": (follow, FOLLOW_SECONDS),
        "propose": (acts.proposing.step, PROPOSE_SECONDS),
        "summarise": (slack.digesting.tick, SUMMARY_SECONDS),
        "batches": (BatchFollower(acts, side.client).follow, BATCH_SECONDS),
        "prune": (acts.pruning.prune, PRUNE_SECONDS),
        "retain": (acts.forgetting.retain, RETAIN_SECONDS),
        "audit": (acts.auditing.count, AUDIT_SECONDS),
        "survey": (slack.surveying.survey, SURVEY_SECONDS),
        "catch_up": (catch_up.tick, CATCH_UP_SECONDS),
        "index": (core.keep_index, INDEX_SECONDS),
    }
    return tasks | mirror_tasks(acts)


def mirror_tasks(acts: Acts) -> dict[str, tuple[ScheduledAct, float]]:
    """Return the two tasks of the mirror; none without a tracker."""
    outbound, inbound = acts.outbound, acts.inbound
    if outbound is None or inbound is None:
        return {}

    async def send() -> None:
        while await outbound.mirror():
            pass

    async def receive() -> None:
        await inbound.receive()

    return {"mirror": (send, MIRROR_SECONDS), "receive": (receive, RECEIVE_SECONDS)}
