"""Puts the rooms together: the only file that knows every one of them."""

import logging
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

import httpx2
import yaml
from pydantic import SecretStr, ValidationError
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.answering import Answering
from bot.batching import Batching
from bot.correcting import Correcting
from bot.delivering import Delivering
from bot.domain.prompt import Prompt
from bot.doubting import Doubting
from bot.drafting import Drafting
from bot.evaluating import Evaluating
from bot.explaining import Explaining
from bot.importing import Importing
from bot.local.model import LocalModel
from bot.local.workspace import Server, Workspace, serve
from bot.models.batching import OpenAIBatcher
from bot.models.providers import Provider, Providers
from bot.models.serving import OpenAIModel
from bot.models.tokens import OfflineEstimator
from bot.models.training import OpenAITrainer
from bot.models.training_file import check
from bot.neighbours import RowNeighbours
from bot.ports import Clock, Model, Shelf, Store
from bot.prompting import Prompting
from bot.releasing import Releasing
from bot.reporting import Reporting
from bot.reviewing import Reviewing
from bot.settings import ROOT, Settings, SettingsError, explain
from bot.shadowing import Shadowing
from bot.spending import Spending
from bot.switching import Switching
from bot.tuning import Tuning
from handlers import (
    command,
    corrections,
    errors,
    evaluation,
    finetune,
    forms,
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
from handlers.announcer import SlackAnnouncer
from handlers.clock import Ticks
from handlers.corrections import Corrections
from handlers.forms import Forms
from handlers.guard import Guard
from handlers.people import Home, People
from handlers.pool import Pool
from handlers.private import Private
from handlers.why import Why
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore

log = logging.getLogger(__name__)

STORIES = (
    finetune.STORY,
    evaluation.STORY,
    switching.STORY,
    recall.STORY,
    shadow.STORY,
    unsure.STORY,
    review.STORY,
    prompt.STORY,
)
ANSWERERS = 8
DELIVERERS = 4
LOCAL_PER_SECOND = 1_000.0
"""Of an evaluation with the embedded model: it costs nothing, and only live questions need room beside it."""
SHADOWERS = 1
"""Nobody waits for a shadow, so it must not take much from those who answer."""
DRAIN_SECONDS = 20.0
SLACK_SECONDS = 20
"""For one call, and once more after a 429: within the leases of what is being posted."""
FOLLOW_SECONDS = 2.0
"""How often a provider is asked for the progress of a fine-tune."""
BATCH_SECONDS = 30.0
"""How often for that of a batch, which takes minutes to hours."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock


@dataclass(frozen=True)
class House:
    """All that works without Slack."""

    settings: Settings
    prompt: Prompt
    store: Store
    shelf: Shelf
    clock: Clock
    model: Model
    neighbours: RowNeighbours
    tuning: Tuning
    evaluating: Evaluating
    batching: Batching
    releasing: Releasing
    reporting: Reporting
    correcting: Correcting
    reviewing: Reviewing
    prompting: Prompting
    importing: Importing
    shadowing: Shadowing
    doubting: Doubting


def read_prompt(folder: Path) -> Prompt:
    """The prompt of a folder with system.md and categories.toml.

    Raises:
        SettingsError: it cannot be used; the text names the file and what is wrong.
    """
    try:
        texts = [(folder / name).read_text(encoding="utf-8") for name in ("system.md", "categories.toml")]
        return Prompt.parse(*texts)
    except OSError as error:
        raise SettingsError(f"BOT_PROMPT: {error.filename} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"BOT_PROMPT: {folder / 'categories.toml'}: {error}") from None
    except ValidationError as error:
        problems = "; ".join(explain(error))
        raise SettingsError(f"BOT_PROMPT: {folder / 'categories.toml'}: {problems}") from None


@asynccontextmanager
async def open_house(settings: Settings, prompt: Prompt | None = None) -> AsyncIterator[House]:
    """Open the database (migrating it), the embedded model and the providers; close them at the end of the block.

    Args:
        settings: as loaded.
        prompt: instead of the one that the settings name.

    Raises:
        SettingsError: the prompt cannot be used.
        DatabaseUnreachable, ValueError: from the database.
    """
    prompt = prompt or read_prompt(settings.prompt_folder)
    async with AsyncExitStack() as stack:
        database = database_of(settings)
        stack.push_async_callback(database.close)
        await database.migrate()
        store, shelf, clock = SqlStore(database), DatabaseShelf(database), SystemClock()
        local = await stack.enter_async_context(LocalModel(shelf))
        providers = Providers(providers_of(settings, local))
        stack.push_async_callback(providers.aclose)
        model, neighbours = OpenAIModel(providers), RowNeighbours(store)
        estimator = OfflineEstimator()
        spending = Spending(estimator, clock, settings.bot_budget_usd)
        correcting = Correcting(store, neighbours, clock)
        judges = Evaluating(
            store, model, clock, neighbours=neighbours, estimator=estimator, per_second={"local": LOCAL_PER_SECOND}
        )
        house = House(
            settings=settings,
            prompt=prompt,
            store=store,
            shelf=shelf,
            clock=clock,
            model=model,
            neighbours=neighbours,
            tuning=Tuning(
                store,
                shelf,
                OpenAITrainer(providers),
                estimator,
                check,
                clock,
                student=settings.bot_student,
                spending=spending,
                neighbours=neighbours,
            ),
            evaluating=judges,
            batching=Batching(store, judges, OpenAIBatcher(providers, model), clock),
            releasing=Releasing(store, clock),
            reporting=Reporting(store, clock, spending),
            prompting=Prompting(store, estimator, clock),
            correcting=correcting,
            reviewing=Reviewing(store, correcting, neighbours, clock),
            importing=Importing(store, neighbours, clock),
            shadowing=Shadowing(store, model, neighbours, clock, per_day=settings.bot_shadow_per_day),
            doubting=Doubting(store, judges),
        )
        await house.releasing.ensure(prompt, settings.serving)
        yield house


def database_of(settings: Settings) -> Database:
    """Raises SettingsError where DATABASE_URL is no address of a database."""
    try:
        return Database(settings.database_url)
    except ValueError as error:
        raise SettingsError(f"DATABASE_URL: {error}") from None


def providers_of(settings: Settings, local: LocalModel) -> list[Provider]:
    """The configured providers, the embedded model among them: in this process, without a port."""
    inside = httpx2.ASGITransport(app=cast("Any", local.app), raise_app_exceptions=False)
    providers = {"local": Provider("local", "http://local/v1", "local", "compatible", transport=inside)}
    if settings.openai_api_key:
        providers["openai"] = Provider("openai", settings.openai_base_url, settings.openai_api_key)
    for name, endpoint in settings.bot_providers.items():
        providers[name.lower()] = Provider(name.lower(), endpoint.base_url, endpoint.api_key, endpoint.kind)
    return list(providers.values())


class SlackRefused(Exception):  # noqa: N818 - reads as what happened
    """Slack does not take us; the message says why, without any token."""


@asynccontextmanager
async def on_duty(house: House, settings: Settings) -> AsyncIterator[None]:
    """Connect to Slack and answer until the block ends; then take nothing new and finish what is under way.

    Raises:
        SlackRefused: a token is wrong, or Slack is not there.
    """
    client = slack_client(settings)
    identity = await who_we_are(client)
    office = Office.of(house, settings, client, identity)
    announcer = SlackAnnouncer(client, office.people, settings.bot_ops_channel, settings.bot_staff)
    answering = Answering(house.store, house.model, house.neighbours, announcer, house.clock)
    answerers = Pool(answering.answer_next, ANSWERERS)
    deliverers = Pool(Delivering(house.store, announcer, house.clock).deliver_next, DELIVERERS)
    drains = {answerers: DRAIN_SECONDS, deliverers: DRAIN_SECONDS, Pool(house.shadowing.shadow_next, SHADOWERS): 0.0}
    ticks = Ticks()

    async def follow() -> None:
        await house.tuning.follow()
        deliverers.wake()

    app = bolt_app(client, identity)
    register(app, office, answering, Wake(answerers.wake, deliverers.wake, lambda: ticks.now("follow")))
    try:
        for pool in drains:
            pool.start()
        batches = evaluation.Batches(house.batching, house.evaluating, house.releasing, client)
        ticks.start({"follow": (follow, FOLLOW_SECONDS), "batches": (batches.follow, BATCH_SECONDS)})
        async with socket_mode(app, settings):
            yield
    finally:
        ticks.stop()
        for pool, seconds in drains.items():
            await pool.stop(seconds)


@dataclass(frozen=True)
class Office:
    """What the stories of Slack share."""

    house: House
    settings: Settings
    client: AsyncWebClient
    people: People
    guard: Guard

    @classmethod
    def of(cls, house: House, settings: Settings, client: AsyncWebClient, identity: AuthorizeResult) -> Self:
        here = Home(identity.team_id or "", identity.bot_user_id or "", identity.enterprise_id)
        people = People(client, here, settings.bot_language)
        guard = Guard(settings.bot_staff, settings.bot_admins, client)
        return cls(house, settings, client, people, guard)


@dataclass(frozen=True)
class Wake:
    """Who is woken when something was written down."""

    answerers: Callable[[], None]
    deliverers: Callable[[], None]
    follow: Callable[[], None]


def register(app: AsyncApp, office: Office, answering: Answering, wake: Wake) -> None:
    """Register every story."""
    house, client, people, guard = office.house, office.client, office.people, office.guard
    private = Private(client)
    errors.register(app, people, private)
    questions.register(app, answering, people, private, office.settings.bot_channels, wake.answerers)
    why.register(app, Why(Explaining(house.store, house.neighbours), guard, people, private))
    form = Forms(house.correcting, Drafting(house.store, house.model), guard, people, client)
    forms.register(app, form)
    corrections.register(app, Corrections(house.correcting, form, guard, people, private, wake.deliverers))
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
            ops_channel=office.settings.bot_ops_channel,
            wake=wake.follow,
        ),
        STORIES,
    )


def slack_client(settings: Settings) -> AsyncWebClient:
    """Slack's Web API. Only what Slack surely did not do is sent again by it; all else is looked for first, by us."""
    return AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else None,
        base_url=settings.slack_api_url.rstrip("/") + "/",
        timeout=SLACK_SECONDS,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )


def bolt_app(client: AsyncWebClient, identity: AuthorizeResult) -> AsyncApp:
    """An app that knows who it is. There are no signatures to verify: Socket Mode rides on the app token."""
    # Bolt reads SLACK_BOT_TOKEN by itself, and warns that it and the client's token decide nothing; so it is meant.
    logging.getLogger("slack_bolt.AsyncApp").addFilter(lambda record: not record.getMessage().startswith("As "))
    return AsyncApp(client=client, authorize=lambda: _already(identity), request_verification_enabled=False)


async def _already(identity: AuthorizeResult) -> AuthorizeResult:
    """Bolt's way to ask who we are: known since the start. Asked anew at each event, a failing answer would lose it."""
    return identity


@asynccontextmanager
async def socket_mode(app: AsyncApp, settings: Settings) -> AsyncIterator[None]:
    """Raises SlackRefused where Slack does not open a socket for the app token."""
    token = settings.slack_app_token.get_secret_value() if settings.slack_app_token else None
    handler: Any = AsyncSocketModeHandler(app, token)  # its methods carry no types
    try:
        await handler.connect_async()
        yield
    except SlackApiError as error:
        raise SlackRefused(f"Socket Mode: Slack answers '{error.response['error']}'; look at SLACK_APP_TOKEN") from None
    finally:
        await handler.close_async()


async def who_we_are(client: AsyncWebClient) -> AuthorizeResult:
    """Ask Slack once, at start: a token that fails later would have Bolt swallow events.

    Raises:
        SlackRefused: a token is wrong, or Slack is not there.
    """
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        raise SlackRefused(f"Slack answers '{error.response['error']}'; look at SLACK_BOT_TOKEN") from None
    except (OSError, TimeoutError) as error:
        raise SlackRefused(
            f"Could not reach Slack at {client.base_url}: {type(error).__name__}. Is it there?"
        ) from None
    return AuthorizeResult.from_auth_test_response(bot_token=client.token, auth_test_response=answer)


@dataclass(frozen=True)
class Running:
    """A bot on duty. `practice` is the workspace it works in, None on real Slack."""

    house: House
    practice: Server | None


@asynccontextmanager
async def open_bot(
    settings: Settings, prompt: Prompt | None = None, *, state: Path | None = None, page_port: int = 0
) -> AsyncIterator[Running]:
    """Run the whole bot until the block ends: on Slack where the tokens are set, else in a practice workspace.

    Args:
        settings: as loaded.
        prompt: instead of the one that the settings name.
        state: the file that the practice workspace is kept in from one start to the next.
        page_port: the practice page's port; where it is taken, any free one.

    Raises:
        SettingsError, SlackRefused, DatabaseUnreachable: each with a text for people.
    """
    prompt = prompt or read_prompt(settings.prompt_folder)
    async with AsyncExitStack() as stack:
        server = None
        if settings.practice:
            server = await stack.enter_async_context(open_workspace(state, page_port))
            settings = practised(settings, server)
            # Sample categories have no owners of their own; here the sample staff are told.
            prompt = prompt.owned_by(server.people.staff_group.id)
        house = await stack.enter_async_context(open_house(settings, prompt))
        await house.neighbours.refresh()  # some seconds for many rows, which the first press should not wait for
        await stack.enter_async_context(on_duty(house, settings))
        yield Running(house, server)


@asynccontextmanager
async def open_workspace(state: Path | None, port: int) -> AsyncIterator[Server]:
    """The practice workspace, with the app of manifest.yml installed."""
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    workspace = Workspace(manifest, state=state)
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(serve(workspace, port))
        except OSError:
            log.info("port %s is taken, so another one is used", port)
            server = await stack.enter_async_context(serve(workspace, 0))
        yield server


def practised(settings: Settings, server: Server) -> Settings:
    """The settings that make the bot work in a practice workspace: its sample people fill whatever is left empty."""
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(server.bot_token),
            "slack_app_token": SecretStr(server.app_token),
            "slack_api_url": server.api_url,
            "bot_staff": settings.bot_staff or [server.people.staff_group.id],
            "bot_admins": settings.bot_admins or [server.people.admin_group.id],
            "bot_channels": settings.bot_channels or [server.channels.help_desk.id],
            "bot_ops_channel": settings.bot_ops_channel or server.channels.ops.id,
        }
    )
