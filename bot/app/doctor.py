"""The checks of `python -m bot doctor`: whether each part that the settings name works, and what to do if not.

No message is sent, nothing is trained or paid for, and no table is changed.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient

from bot.app.encoding import encoder_of
from bot.app.trust import trust_of
from bot.app.wiring import SystemClock, database_of, providers_of, read_prompt, services_of, tracker_of
from bot.domain.errors import ModelError, TrackerError, TrackerRefused, Trouble
from bot.domain.faults import Unable
from bot.domain.mirrored import MIRROR_DATASET, MIRROR_DOWN
from bot.domain.release import ModelName
from bot.domain.thing import Thing
from bot.embedded import LocalModel
from bot.mirror.status import mirror_state
from bot.providers.probing import EMBEDDINGS, ProviderProbe
from bot.providers.providers import Providers, address_to_try
from bot.questions.catching_up import MOVED_PREFIX
from bot.settings import NONE, Settings
from handlers.slack.channels import is_shared
from handlers.slack.connection import fetch_identity, open_client, slack_problem
from handlers.slack.failures import SLACK_FAILURES, TRANSIENT_ERRORS, error_name
from handlers.slack.moved import FollowingClient
from handlers.slack.scopes import may_be_left_out, missing_scopes
from handlers.texts.words import Words
from handlers.views.trouble import base_url_name, key_name
from handlers.views.unreadable import unreadable_key
from storage.database import Database, is_loopback
from storage.files import DatabaseShelf
from storage.store import SqlStore


class Finding(Thing):
    """The result of one check.

    Attributes:
        part: The name of a setting or of a model.
        well: Whether the part works.
        careful: Whether it works, but an operator should look at it.
        key: The key of the text about it.
        facts: Values for the text's placeholders.
    """

    part: str
    well: bool
    careful: bool = False
    key: str
    facts: Mapping[str, str] = {}

    def line(self, words: Words) -> str:
        mark = "careful" if self.careful else "well" if self.well else "wrong"
        return words(f"cli.doctor.{mark}", part=self.part, said=words(self.key, **self.facts))


def well(part: str, key: str, /, **facts: object) -> Finding:
    return Finding(part=part, well=True, key=key, facts={name: str(fact) for name, fact in facts.items()})


def wrong(part: str, key: str, /, **facts: object) -> Finding:
    return well(part, key, **facts).model_copy(update={"well": False})


def findings_of(part: str, error: Unable) -> list[Finding]:
    return [wrong(one.where or part, f"cli.fault.{one.what.value}", **one.facts) for one in error.problems]


async def examine(settings: Settings) -> list[Finding]:
    """Check every part, in the order in which an operator sets them up."""
    async with AsyncExitStack() as stack:
        database = database_of(settings)
        stack.push_async_callback(database.close)
        findings = check_prompt(settings)
        if settings.ssl_cert_file:  # its content was checked with the settings
            findings.append(well("SSL_CERT_FILE", "cli.doctor.certificates"))
        tables, database_findings = await check_tables(database)
        client = await stack.enter_async_context(
            open_client(settings.slack_bot_token, settings.slack_api_url, trust_of(settings))
        )
        slack_findings = await check_slack(settings, client)
        findings += database_findings + slack_findings
        if slack_findings[0].well and not settings.practice:
            findings += await check_channels(settings, client, database, tables=tables)
        findings += await check_models(settings, database, tables=tables)
        findings += await check_langsmith(settings, database, tables=tables)
    return findings + check_encryption(settings) + check_people(settings)


def check_encryption(settings: Settings) -> list[Finding]:
    """Return a finding for each address outside of this machine that is reached without encryption by force."""
    addresses = {
        "SLACK_API_URL": None if settings.practice else settings.slack_api_url,
        "OPENAI_BASE_URL": settings.openai_base_url if settings.openai_api_key else None,
        **{f"BOT_PROVIDERS__{name}__BASE_URL": one.base_url for name, one in settings.bot_providers.items()},
        "LANGSMITH_ENDPOINT": settings.langsmith_endpoint if settings.langsmith_api_key else None,
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.otel_exporter_otlp_endpoint,
    }
    plain = [name for name, url in addresses.items() if url and _is_plain(url)]
    found = [well(name, "cli.doctor.http").model_copy(update={"careful": True}) for name in plain]
    if database_of(settings).is_plain:
        found.append(well("DATABASE_URL", "cli.doctor.sslmode").model_copy(update={"careful": True}))
    return found


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def check_prompt(settings: Settings) -> list[Finding]:
    try:
        prompt = read_prompt(settings.prompt_folder)
    except Unable as error:
        return findings_of("BOT_PROMPT", error)
    names = ", ".join(category.name for category in prompt.categories)
    found = [well("BOT_PROMPT", "cli.doctor.prompt", folder=settings.prompt_folder.name, names=names)]
    contacts = len(prompt.care.contacts)
    care = well("[care]", "cli.doctor.care" if contacts else "cli.doctor.no_care", n=contacts)
    found.append(care.model_copy(update={"careful": not contacts}))
    return found


async def check_tables(database: Database) -> tuple[bool, list[Finding]]:
    """Return whether the tables exist, and the findings."""
    try:
        tables = await database.check()
    except Unable as error:
        return False, findings_of("DATABASE_URL", error)
    return tables, [well("DATABASE_URL", "cli.doctor.database" if tables else "cli.doctor.new_database")]


async def check_slack(settings: Settings, client: AsyncWebClient) -> list[Finding]:
    if settings.practice:
        return [well("SLACK_BOT_TOKEN", "cli.doctor.practice")]
    try:
        identity = await fetch_identity(client)
        if settings.slack_app_token:
            await client.apps_connections_open(app_token=settings.slack_app_token.get_secret_value())
    except Unable as error:
        return findings_of("SLACK_BOT_TOKEN", error)
    except (*SLACK_FAILURES, OSError) as error:
        return findings_of("SLACK_APP_TOKEN", Unable(slack_problem(error, "SLACK_APP_TOKEN", client)))
    found = [well("SLACK_BOT_TOKEN", "cli.doctor.slack", team=identity.team_id)]
    missing = missing_scopes(identity)
    if missing:
        finding = well if may_be_left_out(missing, [*settings.bot_staff, *settings.bot_admins]) else wrong
        found.append(finding("manifest.yml", "cli.doctor.scopes", scopes=", ".join(missing)))
    return found


async def check_channels(
    settings: Settings, client: FollowingClient, database: Database, *, tables: bool
) -> list[Finding]:
    """Check that the bot can use the channels of the settings and of categories.toml, under their present ids."""
    if tables:
        async with SqlStore(database).transaction() as tx:
            moves = await tx.cursors.starting(MOVED_PREFIX)
        client.moved.learn({name.removeprefix(MOVED_PREFIX): new for name, new in moves.items()})
    ops = [settings.bot_ops_channel] if settings.bot_ops_channel else []
    teams = [category.channel for category in read_prompt(settings.prompt_folder).categories if category.channel]
    found = []
    parts = {"BOT_CHANNELS": settings.bot_channels, "BOT_OPS_CHANNEL": ops, "categories.toml": teams}
    for part, channels in parts.items():
        watched = part == "BOT_CHANNELS"
        errors = {channel: await channel_error(client, channel, watched=watched) for channel in channels}
        for channel, error in errors.items():
            new = client.moved.now(channel)
            if new != channel:
                found.append(well(part, "cli.doctor.moved", old=channel, new=new))
            if error:
                found.append(wrong(part, unreadable_key(error), channel=new, error=error))
        if channels and not any(errors.values()):
            found.append(well(part, "cli.doctor.channels"))
    return found


async def channel_error(client: AsyncWebClient, channel: str, *, watched: bool) -> str | None:
    """Return Slack's error for a channel that the bot cannot read, or, unless it is watched, not write to.

    `shared` is none of Slack's: another organisation reads the channel, so nothing is posted there.
    """
    try:
        if watched:
            await client.conversations_history(channel=channel, limit=1)
        info = (await client.conversations_info(channel=channel))["channel"]
    except (*SLACK_FAILURES, OSError) as error:
        name = error_name(error)
        # Slack itself is checked elsewhere, and so are the scopes that may be left out.
        return None if name is None or name in TRANSIENT_ERRORS or (name == "missing_scope" and not watched) else name
    if info.get("is_archived"):
        return "is_archived"
    if is_shared(info):
        return "shared"
    return "not_in_channel" if info.get("is_member") is False else None


async def check_models(settings: Settings, database: Database, *, tables: bool) -> list[Finding]:
    """Check the models that answer or are trained, and all other configured providers."""
    wanted = [settings.serving, settings.fallback.model or settings.serving, settings.bot_student]
    if tables:
        async with SqlStore(database).transaction() as tx:
            serving = await tx.releases.serving()
        wanted += [serving.model] if serving else []
    models = dict.fromkeys(wanted)
    encoder = settings.bot_encoder if isinstance(settings.bot_encoder, ModelName) else None
    others = [name for name in settings.provider_names[2:] if name not in {model.provider for model in models}]
    services = Providers(services_of(settings))
    vectors = encoder_of(settings.bot_encoder, services, SqlStore(database), SystemClock())
    providers = Providers(providers_of(settings, LocalModel(DatabaseShelf(database), encoder=vectors)))
    probe = ProviderProbe(providers, thorough=True)
    findings = await check_encoder(settings, encoder, probe, providers) if encoder else []
    try:
        for model in (*models, *(ModelName(provider=name, model="") for name in others)):
            part = str(model) if model.model else model.provider
            try:
                await (probe.check_model(model) if model.model else probe.check_key(model.provider))
                findings.append(well(part, _answers_key(settings, model.provider)))
            except ModelError as error:
                findings.append(trouble_of(model, error, providers))
    finally:
        await providers.aclose()
        await services.aclose()
    return findings


def _answers_key(settings: Settings, provider: str) -> str:
    """Return the text for a provider that answers: whether it took a key, or needed none."""
    endpoint = next((one for name, one in settings.bot_providers.items() if name.lower() == provider), None)
    keyless = endpoint.api_key.get_secret_value() == NONE if endpoint else provider == "local"
    return "cli.doctor.keyless" if keyless else "cli.doctor.model"


async def check_encoder(
    settings: Settings, model: ModelName, probe: ProviderProbe, providers: Providers
) -> list[Finding]:
    """Check the service that gives the embedded model its vectors."""
    try:
        await probe.check_model(model, EMBEDDINGS)
    except ModelError as error:
        return [trouble_of(model, error, providers).model_copy(update={"part": "BOT_ENCODER"})]
    return [well("BOT_ENCODER", _answers_key(settings, model.provider))]


def trouble_of(model: ModelName, error: ModelError, providers: Providers) -> Finding:
    """Return what is wrong with a model or a provider, with the address to try if its own looks wrong."""
    part = str(model) if model.model else model.provider
    if error.trouble is Trouble.UNKNOWN_ADDRESS:
        other = address_to_try(str(providers[model.provider].base_url))
        if other:
            return wrong(part, "cli.doctor.address", provider=model.provider, other=other)
    facts = {"provider": model.provider, "model": part, "name": model.model, "key": key_name(model)}
    facts["encoder"] = error.encoder or ""
    return wrong(part, f"trouble.{error.trouble.value}", **facts, address=base_url_name(model))


async def check_langsmith(settings: Settings, database: Database, *, tables: bool) -> list[Finding]:
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
            await tracker.edits(dataset, now)  # fails if the dataset was deleted
    except TrackerError as error:
        return [wrong(part, f"tracker.{error.reason.value if isinstance(error, TrackerRefused) else MIRROR_DOWN}")]
    finally:
        await tracker.aclose()
    if state and state.trouble:
        return [wrong(part, f"tracker.{state.trouble}")]
    facts = {"project": settings.langsmith_project, "open": state.open if state else 0}
    return [well(part, "cli.doctor.langsmith", **facts)]


def check_people(settings: Settings) -> list[Finding]:
    """Check that somebody may correct and train. The practice workspace has people of its own."""
    findings = []
    if settings.langsmith_api_key:
        named = settings.langsmith_staff
        findings.append(well("LANGSMITH_STAFF", "cli.doctor.langsmith_staff" if named else "cli.doctor.mirror_only"))
    for part, people in (("BOT_STAFF", settings.bot_staff), ("BOT_ADMINS", settings.bot_admins)):
        if people or settings.practice:
            findings.append(well(part, "cli.doctor.people"))
        else:
            findings.append(wrong(part, "cli.doctor.no_staff" if part == "BOT_STAFF" else "cli.doctor.no_admins"))
    return findings
