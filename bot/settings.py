"""Settings: the only reader of the environment."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as NotJson

from bot.domain.fallback import Fallback
from bot.domain.faults import Fault, Problem, SettingsError, problem_of, problems_of, wrong
from bot.domain.release import ModelName

NONE = "none"
ROOT = Path(__file__).resolve().parent.parent


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _model(value: object) -> object:
    try:
        return ModelName.parse(value) if isinstance(value, str) else value
    except ValueError:
        raise wrong(Fault.NOT_A_MODEL) from None


def _fallback(value: object) -> object:
    return value if value == NONE else _model(value)


def _url(value: object) -> object:
    if isinstance(value, str) and not re.match(r"https?://[^/\s]+", value):
        raise wrong(Fault.NOT_AN_ADDRESS)
    return value


def _database(value: object) -> object:
    if isinstance(value, str) and not re.match(r"(sqlite|postgres)[a-z+]*://", value):
        raise wrong(Fault.NOT_A_DATABASE)
    return value


def _channel(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[CGD]\w+", value):
        raise wrong(Fault.NOT_A_CHANNEL)
    return value


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        raise wrong(Fault.NOT_A_KEY)
    return value


def _ids(pattern: str, otherwise: Fault) -> BeforeValidator:
    def check(value: object) -> object:
        parts = _split(value)
        for number, entry in enumerate(parts if isinstance(parts, list) else (), start=1):
            if not re.fullmatch(pattern, str(entry)):
                raise wrong(otherwise, entry=number)
        return parts

    return BeforeValidator(check)


MemberIds = Annotated[list[str], NoDecode, _ids(r"[UWS]\w+", Fault.NOT_PEOPLE)]
ChannelIds = Annotated[list[str], NoDecode, _ids(r"[CG]\w+", Fault.NOT_CHANNELS)]
ChannelId = Annotated[str, BeforeValidator(_channel)]
ModelSetting = Annotated[ModelName, NoDecode, BeforeValidator(_model)]
Url = Annotated[str, BeforeValidator(_url)]
Key = Annotated[SecretStr, AfterValidator(_key)]


class Endpoint(BaseModel):
    """One OpenAI-compatible endpoint: BOT_PROVIDERS__<NAME>__BASE_URL, __API_KEY, __KIND."""

    model_config = ConfigDict(extra="forbid")

    base_url: Url
    api_key: Key = SecretStr("none")
    kind: Literal["openai", "azure", "compatible"] = "compatible"


class Settings(BaseSettings):
    """All settings, from the environment or a file `.env`. The environment wins; an empty value counts as not set."""

    model_config = SettingsConfigDict(
        env_file=".env", env_nested_delimiter="__", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    slack_bot_token: Key | None = None
    """The bot token (xoxb-…): real Slack; without it the practice workspace."""
    slack_app_token: Key | None = None
    """The app-level token (xapp-…) with connections:write: Slack is reached by its socket (Socket Mode)."""
    slack_signing_secret: Key | None = None
    """The signing secret, instead of the app-level token: Slack sends requests to `/slack/events` (HTTP mode)."""
    slack_api_url: Url = "https://slack.com/api/"
    """Where Slack's Web API is."""
    openai_api_key: Key | None = None
    """The key of the provider `openai`."""
    openai_base_url: Url | None = None
    """Where the provider `openai` is; default OpenAI's own address. Any OpenAI-compatible endpoint works."""
    langsmith_api_key: Key | None = None
    """The key of LangSmith: traces, feedback, rows and evaluations are shown there, and what people change comes back.
    Without it there is no LangSmith."""
    langsmith_endpoint: Url | None = None
    """Where LangSmith's API is; default LangSmith's own address."""
    langsmith_project: str = "madoguchi"
    """The name of the project for traces, and of the dataset for rows."""
    langsmith_workspace_id: str | None = None
    """The id of the workspace, for a key that is not of one workspace alone."""
    langsmith_staff: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(default_factory=list)
    """Who may correct in LangSmith: people's ids there, comma-separated; `*`: all. Empty: nobody."""
    database_url: Annotated[str, BeforeValidator(_database)] = "sqlite:///data/madoguchi.db"
    """`sqlite:///file` for one machine, `postgresql://…` for several replicas."""
    bot_staff: MemberIds = Field(default_factory=list)
    """Who may correct: user ids and user-group ids, comma-separated. Empty: nobody."""
    bot_admins: MemberIds = Field(default_factory=list)
    """Who may use /finetune: user ids and user-group ids, comma-separated. Empty: nobody."""
    bot_channels: ChannelIds = Field(default_factory=list)
    """Channels in which every top-level message is a question, comma-separated. Elsewhere the bot is mentioned."""
    bot_ops_channel: ChannelId | None = None
    """The channel in which results of long work are posted; default a DM to who asked."""
    bot_prompt: Path | None = None
    """A folder with system.md and categories.toml; default prompts/ja or prompts/en, by language."""
    bot_serving: ModelSetting | None = None
    """The first serving model, provider/model; default `openai/gpt-6-luna` with a key, else `local/base`."""
    bot_fallback: Annotated[ModelName | Literal["none"] | None, NoDecode, BeforeValidator(_fallback)] = None
    """What answers, provisionally, where the serving model gives no answer: provider/model, or `none`; default the
    newest fine-tune of the provider `local` on the serving prompt, else `local/base`."""
    bot_student: ModelSetting = ModelName(provider="local", model="base")
    """The model that is fine-tuned, provider/model."""
    bot_budget_usd: float | None = Field(default=None, ge=0)
    """US dollars a month that fine-tunes and answers may cost; a fine-tune that would exceed it is refused."""
    bot_providers: dict[str, Endpoint] = Field(default_factory=dict)
    """Further endpoints: BOT_PROVIDERS__<NAME>__BASE_URL and the same with __API_KEY and __KIND."""
    bot_shadow_per_day: int = Field(default=200, ge=0)
    """Questions that a shadow release may be asked in 24 hours; each costs what an answer costs."""
    bot_catch_up_hours: float = Field(default=24, ge=0)
    """How old a question may be that was asked while the bot was away; older ones are listed for staff."""
    bot_language: Literal["ja", "en"] | None = None
    """The language of all texts; default each person's own, as Slack knows it."""
    bot_http_port: int = Field(default=7788, ge=0, le=65_535)
    """The port of /healthz, /readyz and /metrics, of Slack's requests in HTTP mode, and of the practice page."""
    bot_http_host: str = "127.0.0.1"
    """Where the port is open: for this machine alone by default, `0.0.0.0` in a container. The page is never open."""
    bot_drain_seconds: float = Field(default=5.0, ge=0)
    """How long the end waits for what is under way; a second or two later the process is gone."""
    otel_exporter_otlp_endpoint: Url | None = None
    """The base address of an OTLP/HTTP collector for traces."""
    lang: str = ""
    """The machine's language (LANG): chooses the sample prompt where nothing else does."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._reach_slack()
        standing_by = self.fallback.model or self.serving
        models = {"BOT_SERVING": self.serving, "BOT_FALLBACK": standing_by, "BOT_STUDENT": self.bot_student}
        for name, model in models.items():
            if model.provider not in self.provider_names:
                setting = f"BOT_PROVIDERS__{model.provider.upper()}__BASE_URL"
                names = ", ".join(self.provider_names)
                raise wrong(Fault.UNKNOWN_PROVIDER, name, provider=model.provider, setting=setting, names=names)
            if model.provider == "openai" and self.openai_api_key is None:
                raise wrong(Fault.NO_KEY, name, model=model, setting="OPENAI_API_KEY")
        if not (self.prompt_folder / "categories.toml").is_file():
            raise wrong(Fault.NO_PROMPT, "BOT_PROMPT", folder=self.prompt_folder)
        return self

    def _reach_slack(self) -> None:
        """Slack is reached in one way, or in none: never in both, for its app is made for one of them."""
        ways = self.slack_app_token, self.slack_signing_secret
        if self.slack_bot_token is None and any(ways):
            raise wrong(Fault.HALF_SET, "SLACK_BOT_TOKEN")
        if self.slack_bot_token and not any(ways):
            raise wrong(Fault.HALF_SET, "SLACK_APP_TOKEN")
        if all(ways):
            raise wrong(Fault.TWO_WAYS, "SLACK_SIGNING_SECRET")
        for name, token, others in (
            ("SLACK_BOT_TOKEN", self.slack_bot_token, ("xapp-",)),
            ("SLACK_APP_TOKEN", self.slack_app_token, ("xoxb-",)),
            ("SLACK_SIGNING_SECRET", self.slack_signing_secret, ("xapp-", "xoxb-")),
        ):
            for start in others:
                if token and token.get_secret_value().startswith(start):
                    raise wrong(Fault.SWAPPED, name, start=start)

    @property
    def practice(self) -> bool:
        """Whether the practice workspace takes Slack's place."""
        return self.slack_bot_token is None

    @property
    def secrets(self) -> list[str]:
        """Every value that must stand in no log."""
        own = [value for _, value in self if isinstance(value, SecretStr)]
        keys = [endpoint.api_key for endpoint in self.bot_providers.values()]
        password = urlsplit(self.database_url).password or ""
        return [password, *(secret.get_secret_value() for secret in (*own, *keys))]

    @property
    def serving(self) -> ModelName:
        return self.bot_serving or ModelName.parse("openai/gpt-6-luna" if self.openai_api_key else "local/base")

    @property
    def fallback(self) -> Fallback:
        if self.bot_fallback is None:
            return Fallback(model=ModelName.parse("local/base"), finetuned=True)
        return Fallback(model=self.bot_fallback if isinstance(self.bot_fallback, ModelName) else None)

    @property
    def provider_names(self) -> list[str]:
        return ["local", "openai", *(name.lower() for name in self.bot_providers)]

    @property
    def prompt_folder(self) -> Path:
        language = self.bot_language or ("ja" if self.lang.lower().startswith("ja") else "en")
        return self.bot_prompt or ROOT / "prompts" / language


class _Language(BaseSettings):
    """The language alone, which can be told while the other settings cannot be used."""

    model_config = Settings.model_config

    bot_language: str = ""
    lang: str = ""


def load(**overrides: object) -> Settings:
    """The settings. Raises SettingsError."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        problems = problems_of(error, join="__")
        raise SettingsError(*(p.model_copy(update={"where": p.where.upper()}) for p in problems)) from None
    except NotJson:
        raise SettingsError(Problem(what=Fault.NOT_SET_APART, where="BOT_PROVIDERS")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(problem_of(error, ".env")) from None


def language() -> str:
    """The language of the command line, whatever is wrong with the settings: BOT_LANGUAGE, else the machine's."""
    try:
        told = _Language()
    except (OSError, UnicodeDecodeError):
        told = _Language(_env_file=None)
    return told.bot_language if told.bot_language in {"ja", "en"} else told.lang


def forget_proxies() -> None:
    """Drop the machine's proxy variables: Slack's client sends even loopback traffic there, whatever NO_PROXY says."""
    for name in [n for n in os.environ if n.lower() in {"http_proxy", "https_proxy", "all_proxy"}]:
        del os.environ[name]


def forget_sdks() -> None:
    """Drop Slack's and LangSmith's variables once they are loaded, for their SDKs read them by themselves.

    Bolt starts OAuth where it finds some; LangSmith's drops traces, writes them to the disk or sends them elsewhere.
    """
    for name in [n for n in os.environ if n.startswith(("SLACK_", "LANGSMITH_", "LANGCHAIN_"))]:
        del os.environ[name]
