"""Looks at each part that the settings name, one after the other: does it work, and if not, what is to be done.

Nothing is sent, trained or paid for, and no table is changed.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from bot.app.wiring import SystemClock, database_of, providers_of, read_prompt, tracker_of
from bot.domain.errors import ModelError, TrackerError, TrackerRefused
from bot.domain.faults import Fault, Problem, Unable
from bot.domain.mirrored import MIRROR_DATASET, MIRROR_DOWN
from bot.domain.release import ModelName
from bot.domain.thing import Thing
from bot.embedded import LocalModel
from bot.mirror.status import mirror_state
from bot.providers.probing import ProviderProbe
from bot.providers.providers import Providers
from bot.settings import Settings
from handlers.slack.announcer import key_name
from handlers.slack.connection import slack_client, who_we_are
from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.texts.words import Words
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore


class Finding(Thing):
    """How one part is: a setting's name, or a model's; and the key and facts of what is said of it."""

    part: str
    well: bool
    key: str
    facts: Mapping[str, str] = {}

    def line(self, words: Words) -> str:
        return words(
            f"cli.doctor.{'well' if self.well else 'wrong'}", part=self.part, said=words(self.key, **self.facts)
        )


def well(part: str, key: str, /, **facts: object) -> Finding:
    return Finding(part=part, well=True, key=key, facts={name: str(fact) for name, fact in facts.items()})


def wrong(part: str, key: str, /, **facts: object) -> Finding:
    return well(part, key, **facts).model_copy(update={"well": False})


def unable(part: str, error: Unable) -> list[Finding]:
    return [wrong(one.where or part, f"cli.fault.{one.what.value}", **one.facts) for one in error.problems]


async def examine(settings: Settings) -> list[Finding]:
    """Every part, in the order in which an operator sets it up."""
    async with AsyncExitStack() as stack:
        database = database_of(settings)
        stack.push_async_callback(database.close)
        found = of_prompt(settings)
        tables, of_database = await of_tables(database)
        found += of_database + await of_slack(settings)
        found += await of_models(settings, database, tables=tables)
        found += await of_langsmith(settings, database, tables=tables)
    return found + of_people(settings)


def of_prompt(settings: Settings) -> list[Finding]:
    try:
        prompt = read_prompt(settings.prompt_folder)
    except Unable as error:
        return unable("BOT_PROMPT", error)
    names = ", ".join(category.name for category in prompt.categories)
    return [well("BOT_PROMPT", "cli.doctor.prompt", folder=settings.prompt_folder.name, names=names)]


async def of_tables(database: Database) -> tuple[bool, list[Finding]]:
    """Whether the tables are there to be read, and what is found."""
    try:
        tables = await database.check()
    except Unable as error:
        return False, unable("DATABASE_URL", error)
    return tables, [well("DATABASE_URL", "cli.doctor.database" if tables else "cli.doctor.new_database")]


async def of_slack(settings: Settings) -> list[Finding]:
    if settings.practice:
        return [well("SLACK_BOT_TOKEN", "cli.doctor.practice")]
    client = slack_client(settings.slack_bot_token, settings.slack_api_url)
    try:
        us = await who_we_are(client)
        if settings.slack_app_token:
            await client.apps_connections_open(app_token=settings.slack_app_token.get_secret_value())
    except Unable as error:
        return unable("SLACK_BOT_TOKEN", error)
    except (*SLACK_FAILURES, OSError) as error:
        name = error_name(error) or type(error).__name__
        return unable("", Unable(Problem(what=Fault.SLACK_REFUSED, where="SLACK_APP_TOKEN", facts={"error": name})))
    return [well("SLACK_BOT_TOKEN", "cli.doctor.slack", team=us.team_id)]


async def of_models(settings: Settings, database: Database, *, tables: bool) -> list[Finding]:
    """The models that answer or are trained, and the providers that are configured beside."""
    wanted = [settings.serving, settings.fallback.model or settings.serving, settings.bot_student]
    if tables:
        async with SqlStore(database).transaction() as tx:
            serving = await tx.releases.serving()
        wanted += [serving.model] if serving else []
    models = dict.fromkeys(wanted)
    others = [name for name in settings.provider_names[2:] if name not in {model.provider for model in models}]
    providers = Providers(providers_of(settings, LocalModel(DatabaseShelf(database))))
    reaching = ProviderProbe(providers)
    found = []
    try:
        for model in (*models, *(ModelName(provider=name, model="") for name in others)):
            part = str(model) if model.model else model.provider
            try:
                await (reaching.reach(model) if model.model else reaching.knock(model.provider))
                found.append(well(part, "cli.doctor.model"))
            except ModelError as error:
                facts = {"provider": model.provider, "model": part, "key": key_name(model)}
                found.append(wrong(part, f"trouble.{error.trouble.value}", **facts))
    finally:
        await providers.aclose()
    return found


async def of_langsmith(settings: Settings, database: Database, *, tables: bool) -> list[Finding]:
    part = "LANGSMITH_API_KEY"
    tracker = tracker_of(settings)
    if tracker is None:
        return [well(part, "cli.doctor.no_langsmith")]
    now, state, dataset = SystemClock().now(), None, None
    if tables:
        async with SqlStore(database).transaction() as tx:
            state, dataset = await mirror_state(tx, now), await tx.cursors.get(MIRROR_DATASET)
    try:
        await tracker.check()
        if dataset:
            await tracker.edits(dataset, now)  # whether it is still there
    except TrackerError as error:
        return [wrong(part, f"tracker.{error.reason.value if isinstance(error, TrackerRefused) else MIRROR_DOWN}")]
    finally:
        await tracker.aclose()
    if state and state.trouble:
        return [wrong(part, f"tracker.{state.trouble}")]
    facts = {"project": settings.langsmith_project, "open": state.open if state else 0}
    return [well(part, "cli.doctor.langsmith", **facts)]


def of_people(settings: Settings) -> list[Finding]:
    """Who may correct and who may train. The practice workspace has people of its own."""
    found = []
    if settings.langsmith_api_key:
        named = settings.langsmith_staff
        found.append(well("LANGSMITH_STAFF", "cli.doctor.langsmith_staff" if named else "cli.doctor.mirror_only"))
    for part, people in (("BOT_STAFF", settings.bot_staff), ("BOT_ADMINS", settings.bot_admins)):
        if people or settings.practice:
            found.append(well(part, "cli.doctor.people"))
        else:
            found.append(wrong(part, "cli.doctor.no_staff" if part == "BOT_STAFF" else "cli.doctor.no_admins"))
    return found
