"""The bot's core, built from the settings, without Slack. bot/app/lifecycle.py connects it to Slack."""

import logging
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx2
from pydantic import ValidationError

from bot.acts import Acts, Choices, Ports
from bot.app.disk import DiskWatch
from bot.app.encoding import EmbeddedModel, encoder_of
from bot.app.replicas import ReplicaLeases
from bot.app.telemetry import MeteredModel, Telemetry
from bot.app.trust import adapter_of, trust_of
from bot.care.meaning import ENCODER
from bot.domain.faults import Fault, Problem, SettingsError, problem_of, problems_of
from bot.domain.privacy import Privacy
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.embedded import LocalModel
from bot.ports import NothingEmbedded, Unmetered
from bot.providers.batching import OpenAIBatcher
from bot.providers.breaker import BreakerModel
from bot.providers.model import OpenAIModel
from bot.providers.probing import ProviderProbe
from bot.providers.providers import Provider, Providers
from bot.providers.tokens import OfflineEstimator
from bot.providers.training import OpenAITrainer
from bot.providers.training_file import check
from bot.settings import VERSION, Settings
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore

if TYPE_CHECKING:
    from bot.langsmith import LangSmithTracker

log = logging.getLogger(__name__)

LOCAL_PER_SECOND = 1_000.0
"""Classifications per second in an evaluation with the embedded model: only live questions need room beside it."""
TRACKER_SECONDS = 10.0
"""Deadline of one request to LangSmith, in seconds."""


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock


@dataclass(frozen=True)
class Core:
    """The bot without Slack: the acts, the ports they were built from, and what the app watches."""

    settings: Settings
    prompt: Prompt
    ports: Ports
    acts: Acts
    probe: ProviderProbe
    breaker: BreakerModel
    replicas: ReplicaLeases
    disk: DiskWatch
    privacy: Privacy
    """The facts of the privacy notice for askers."""
    load_rows: Callable[[], Awaitable[None]]
    """Loads all rows into the similarity index, so that the first press does not wait for it."""
    encode_rows: Callable[[], Awaitable[None]]
    """Encodes the texts of rows, so that no question waits for it."""
    keep_index: Callable[[], Awaitable[None]]
    """Stores that index for the next start, if much of it is new."""
    load_encoder: Callable[[], None]
    """Starts to load the embedded model's encoder, so that the first question does not wait for it."""


def read_prompt(folder: Path) -> Prompt:
    """Read the prompt from a folder with system.md and categories.toml.

    Raises:
        SettingsError: The prompt is unusable; each problem names the file and the mistake.
    """
    system_md, categories_toml = (read_text(folder / name) for name in ("system.md", "categories.toml"))
    where = f"BOT_PROMPT: {folder / 'categories.toml'}"
    try:
        return Prompt.parse(system_md, categories_toml)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(Problem(what=Fault.NOT_TOML, where=where, facts={"error": str(error)})) from None
    except ValidationError as error:
        raise SettingsError(*problems_of(error, within=where)) from None


def configured_prompt(settings: Settings) -> Prompt:
    """Return the prompt that the settings name. Raises SettingsError.

    In the practice workspace the sample teams own the categories that name no owner, whichever command opens the bot.
    """
    prompt = read_prompt(settings.prompt_folder)
    return with_sample_owners(prompt) if settings.practice else prompt


def with_sample_owners(prompt: Prompt) -> Prompt:
    """Return a prompt whose categories without owners belong to the sample teams, and else to all of the staff."""
    from bot.practice import STAFF_GROUP_ID, TEAM_GROUP_IDS  # on real Slack the practice workspace is not loaded

    return prompt.with_default_owner(STAFF_GROUP_ID, TEAM_GROUP_IDS)


def read_text(file: Path) -> str:
    """Read one file of a prompt.

    Raises:
        SettingsError: The file is unreadable.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(problem_of(error, f"BOT_PROMPT: {file}")) from None


@asynccontextmanager
async def open_core(  # noqa: PLR0915 - one line a part
    settings: Settings,
    prompt: Prompt | None = None,
    telemetry: Telemetry | None = None,
    *,
    practice: bool = False,
) -> AsyncIterator[Core]:
    """Open the database (migrating it), the embedded model and the providers until the block ends.

    Args:
        settings: The loaded settings.
        prompt: Replaces the prompt that the settings name.
        telemetry: Measures the model calls; None measures nothing.
        practice: Whether the settings were filled in for the practice workspace.

    Raises:
        SettingsError: The prompt is unusable, or DATABASE_URL is not the address of a database.
        DatabaseUnreachable, TablesUnusable: the database cannot be used.
    """
    prompt = prompt or configured_prompt(settings)
    async with AsyncExitStack() as stack:
        database = database_of(settings)
        stack.push_async_callback(database.close)
        await database.migrate()
        tracker = tracker_of(settings)
        if tracker:
            stack.push_async_callback(tracker.aclose)
        store = SqlStore(database, mirrored=tracker is not None)
        shelf, clock = DatabaseShelf(database), SystemClock()
        disk = DiskWatch(clock)
        database.on_disk_full = disk.saw_full
        services = Providers(services_of(settings))
        stack.push_async_callback(services.aclose)
        encoder = encoder_of(settings.bot_encoder, services, store, clock)
        local = await stack.enter_async_context(LocalModel(shelf, encoder=encoder))
        providers = Providers(providers_of(settings, local))
        stack.push_async_callback(providers.aclose)
        openai_model = OpenAIModel(providers)
        here = settings.bot_private_rows or not isinstance(settings.bot_encoder, ModelName)
        neighbours = RowNeighbours(store, encoder=local, encoder_name=str(settings.bot_encoder), private=here)
        model = MeteredModel(openai_model, telemetry) if telemetry else openai_model
        breaker = BreakerModel(model)
        ports = Ports(
            store=store,
            shelf=shelf,
            clock=clock,
            neighbours=neighbours,
            model=model,
            live_model=breaker,
            trainer=OpenAITrainer(providers),
            batcher=OpenAIBatcher(providers, openai_model),
            estimator=OfflineEstimator(),
            check_file=check,
            tracker=tracker,
            meter=telemetry or Unmetered(),
            embedded=EmbeddedModel(local) if "local" not in services else NothingEmbedded(),
            encoder=local if settings.bot_encoder == ENCODER else None,
        )
        acts = Acts(ports, choices_of(settings, practice=practice or settings.practice))
        await acts.releasing.ensure(prompt, settings.serving)
        yield Core(
            settings=settings,
            prompt=prompt,
            ports=ports,
            acts=acts,
            probe=ProviderProbe(providers),
            breaker=breaker,
            replicas=ReplicaLeases(store, clock, VERSION),
            disk=disk,
            privacy=privacy_of(settings, embedded="local" not in services),
            load_rows=neighbours.refresh,
            encode_rows=neighbours.encode,
            keep_index=neighbours.keep,
            load_encoder=local.load_encoder,
        )


def choices_of(settings: Settings, *, practice: bool = False) -> Choices:
    """Return what the settings choose for the acts. In the practice workspace one pair of hands plays many people."""
    return Choices(
        student=settings.bot_student,
        fallback=settings.fallback,
        budget_usd=settings.bot_budget_usd,
        shadow_per_day=settings.bot_shadow_per_day,
        judged_per_second={"local": LOCAL_PER_SECOND},
        langsmith_staff=settings.langsmith_staff,
        auto_train=settings.auto_train,
        training_allowed=settings.bot_training_allowed,
        guarded=not practice,
        private_rows=settings.bot_private_rows,
        retention=settings.retention,
    )


def privacy_of(settings: Settings, *, embedded: bool) -> Privacy:
    """Return what the settings say about the use of questions.

    Args:
        settings: The settings.
        embedded: Whether the models of `local` answer in this process.
    """
    return Privacy(
        admins=tuple(settings.bot_admins),
        staff=tuple(settings.bot_staff),
        embedded=embedded,
        fallback=settings.fallback.model,
        encoder=settings.bot_encoder if isinstance(settings.bot_encoder, ModelName) else None,
        tracker=settings.langsmith_api_key is not None,
        question_days=settings.bot_retention_days.questions,
        row_days=settings.bot_retention_days.rows,
        sentence=settings.bot_privacy_notice,
    )


def tracker_of(settings: Settings) -> "LangSmithTracker | None":
    """Return the LangSmith tracker, or None if no key is set."""
    key = settings.langsmith_api_key
    if key is None:
        return None
    from bot.langsmith import LangSmithTracker  # its SDK takes a fraction of a second to import

    return LangSmithTracker(
        key.get_secret_value(),
        settings.langsmith_project,
        endpoint=settings.langsmith_endpoint,
        workspace=settings.langsmith_workspace_id,
        seconds=TRACKER_SECONDS,
        adapter=adapter_of(trust_of(settings)),
    )


def database_of(settings: Settings) -> Database:
    """Return the configured database, not yet connected.

    Raises:
        SettingsError: DATABASE_URL is not the address of a database.
    """
    try:
        return Database(settings.database_url)
    except ValueError:
        raise SettingsError(Problem(what=Fault.NOT_A_DATABASE, where="DATABASE_URL")) from None


def providers_of(settings: Settings, local: LocalModel) -> list[Provider]:
    """Return the configured providers. The embedded model is one of them, reached in this process without a port."""
    in_process = httpx2.ASGITransport(app=cast("Any", local.app), raise_app_exceptions=False)
    embedded = Provider("local", "http://local/v1", "local", "compatible", transport=in_process)
    named = services_of(settings)
    return [*([] if any(one.name == "local" for one in named) else [embedded]), *named]


def services_of(settings: Settings) -> list[Provider]:
    """Return the configured providers without the embedded model."""
    trust = trust_of(settings)
    providers = {}
    if settings.openai_api_key:
        providers["openai"] = Provider("openai", settings.openai_base_url, settings.openai_api_key, trust=trust)
    for name, endpoint in settings.bot_providers.items():
        providers[name.lower()] = Provider(
            name.lower(), endpoint.base_url, endpoint.api_key, endpoint.kind, trust=trust
        )
    return list(providers.values())
