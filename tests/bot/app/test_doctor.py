"""`python -m bot doctor`: one line per part, against the stand-ins' servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app.doctor import Finding, check_encryption, examine
from bot.cli import main
from bot.domain.mirrored import MIRROR_DATASET, MIRROR_TOPIC, MIRROR_TRACES_DOWN, MIRROR_TROUBLE
from bot.embedded import LocalModel
from bot.practice import Server, Workspace, serve
from bot.practice.people import Channel
from bot.settings import Endpoint, Settings
from handlers.texts.words import LANGUAGES, Words, texts
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.embedded.kit import client_of, jsonl, trained
from tests.kits.fakes import StepClock
from tests.kits.langsmith_server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.server import KEY
from tests.kits.openai_server import OpenAIServer, Reply, refusal
from tests.kits.tiny_encoder import TINY_ENCODER
from tests.loop.program import MANIFEST

SECRETS = (KEY, "xoxb-wrong-s3cr3t", "sk-s3cr3t", "s3cr3t-password")


class Surroundings:
    """Everything around a bot: Slack, a model, LangSmith, and the settings that name them."""

    def __init__(self, slack: Server, model: OpenAIServer, langsmith: LangSmithServer, folder: Path) -> None:
        self.slack, self.model, self.langsmith = slack, model, langsmith
        model.on("GET /v1/models/some-model", Reply({"id": "some-model", "object": "model"}))
        model.on("GET /v1/models", Reply({"object": "list", "data": []}))
        self.settings: dict[str, Any] = {
            "slack_api_url": slack.api_url,
            "slack_bot_token": slack.bot_token,
            "slack_app_token": slack.app_token,
            "openai_api_key": "sk-s3cr3t",
            "openai_base_url": model.url,
            "bot_serving": "openai/some-model",
            "langsmith_api_key": KEY,
            "langsmith_endpoint": langsmith.url,
            "langsmith_staff": "*",
            "database_url": f"sqlite:///{folder}/desk.db",
            "bot_staff": slack.people.staff[1].id,
            "bot_admins": slack.people.admin.id,
            "bot_language": "en",
        }

    async def findings(self, **changed: Any) -> dict[str, Finding]:
        findings = await examine(Settings(_env_file=None, **(self.settings | changed)))
        for language in LANGUAGES:
            lines = [finding.line(Words(language)) for finding in findings]
            assert not [line for line in lines for secret in SECRETS if secret in line or "\n" in line]
        return {finding.part: finding for finding in findings}

    async def problems(self, **changed: Any) -> dict[str, str]:
        """Return the parts that are not well, each with its text key."""
        return {part: one.key for part, one in (await self.findings(**changed)).items() if not one.well}


@pytest.fixture
async def outside(tmp_path: Path, without_settings: None) -> AsyncIterator[Surroundings]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        model = await stack.enter_async_context(OpenAIServer().running())
        langsmith = await stack.enter_async_context(LangSmithServer().running())
        yield Surroundings(slack, model, langsmith, tmp_path)


async def test_doctor_reports_all_well_and_changes_nothing(outside: Surroundings) -> None:
    found = await outside.findings()
    assert list(found) == [
        *("BOT_PROMPT", "[care]", "DATABASE_URL", "SLACK_BOT_TOKEN", "openai/some-model", "local/base"),
        *("LANGSMITH_API_KEY", "LANGSMITH_STAFF", "BOT_STAFF", "BOT_ADMINS"),
    ]
    assert not await outside.problems()
    assert found["DATABASE_URL"].key == "cli.doctor.new_database"
    assert found["[care]"].line(Words("en")).startswith("?"), "nobody is named, and ok would say that all is well"
    assert not [got for got in outside.langsmith.requests if not got.route.startswith("GET ")]
    assert not [got for got in outside.model.requests if not got.route.startswith("GET ")]
    database = Database(str(outside.settings["database_url"]))
    assert not await database.check()
    await database.migrate()
    assert await database.check()
    await database.close()
    assert (await outside.findings())["DATABASE_URL"].key == "cli.doctor.database"


def test_unencrypted_ways_are_pointed_out() -> None:
    settings = Settings(
        _env_file=None,
        slack_bot_token=SecretStr("xoxb-1"),
        slack_app_token=SecretStr("xapp-1"),
        slack_api_url="http://127.0.0.1:1/api/",
        database_url="postgresql://bot:pw@db.example.org/desk",
        openai_api_key=SecretStr("sk-1"),
        openai_base_url="https://api.example.org/v1",
        bot_providers={"near": Endpoint(base_url="http://10.0.0.7:11434/v1")},
        langsmith_api_key=SecretStr("ls-1"),
        langsmith_endpoint="http://langsmith.example.org",
    )
    found = check_encryption(settings)
    assert {one.part: one.key for one in found} == {
        "BOT_PROVIDERS__near__BASE_URL": "cli.doctor.http",
        "LANGSMITH_ENDPOINT": "cli.doctor.http",
        "DATABASE_URL": "cli.doctor.sslmode",
    }
    assert all(one.well for one in found), "it works all the same"
    for address in ("postgresql:///desk", "postgresql://localhost/desk", "postgresql://db/desk?sslmode=require"):
        assert not check_encryption(Settings(_env_file=None, database_url=address))


async def test_practice_workspace_needs_no_settings(outside: Surroundings) -> None:
    outside.settings = {"database_url": outside.settings["database_url"]}
    assert not await outside.problems()


async def test_each_broken_part_is_named(outside: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "prompt").mkdir()
    (tmp_path / "prompt" / "categories.toml").write_text('language = "en"\n[[category]]\nid = "a"\nname = "A"\n')
    (tmp_path / "prompt" / "system.md").write_text("Choose.")
    outside.model.on("GET /v1/models/other", refusal(401, "no"))
    wrong = await outside.problems(
        bot_prompt=tmp_path / "prompt",
        database_url="postgresql://bot:s3cr3t-password@127.0.0.1:1/desk",
        slack_bot_token="xoxb-wrong-s3cr3t",
        bot_student="openai/other",
        bot_providers={"nowhere": {"base_url": "http://127.0.0.1:9/v1"}},
        langsmith_api_key="another-key",
        bot_staff="",
        bot_admins="",
    )
    assert wrong == {
        f"BOT_PROMPT: {tmp_path}/prompt/categories.toml": "cli.fault.few_categories",
        "DATABASE_URL": "cli.fault.database_unreachable",
        "SLACK_BOT_TOKEN": "cli.fault.slack_refused",
        "openai/other": "trouble.key",
        "nowhere": "trouble.unreachable",
        "LANGSMITH_API_KEY": "tracker.wrong_key",
        "BOT_STAFF": "cli.doctor.no_staff",
        "BOT_ADMINS": "cli.doctor.no_admins",
    }


async def test_address_without_version_is_named_with_another(outside: Surroundings) -> None:
    outside.model.on("GET /v1/models/silent", Reply({"detail": "Not Found"}, 404))
    outside.model.on("POST /v1/chat/completions", refusal(400, "you must provide a model"))
    assert not await outside.problems(bot_serving="openai/silent")
    host = outside.model.url.removesuffix("/v1")
    found = await outside.findings(
        bot_serving="other/some-model",
        bot_providers={"other": {"base_url": host}, "more": {"base_url": f"{outside.model.url}/chat/completions"}},
    )
    for part in ("other/some-model", "more"):
        assert (found[part].key, found[part].facts["other"]) == ("cli.doctor.address", outside.model.url)
    wrong = await outside.problems(bot_providers={"deep": {"base_url": f"{host}/api/v3"}})
    assert wrong == {"deep": "trouble.unknown_address"}


async def test_undeployed_model_at_azure_is_named(outside: Surroundings) -> None:
    azure = {"azure": {"base_url": outside.model.url, "kind": "azure"}}
    outside.model.on("GET /v1/models/gpt.ft-1", Reply({"id": "gpt.ft-1"}))
    outside.model.on("POST /v1/chat/completions", refusal(404, "no", code="DeploymentNotFound"))
    found = (await outside.findings(bot_serving="azure/gpt.ft-1", bot_providers=azure))["azure/gpt.ft-1"]
    assert (found.well, found.key) == (False, "trouble.not_deployed")
    assert "`gpt.ft-1` as the deployment's name" in found.line(Words("en"))
    outside.model.on("POST /v1/chat/completions", refusal(400, "[] is too short - 'messages'"))
    assert not await outside.problems(bot_serving="azure/gpt.ft-1", bot_providers=azure)


async def test_app_token_that_opens_no_socket(outside: Surroundings) -> None:
    assert await outside.problems(slack_app_token="xapp-wrong") == {"SLACK_APP_TOKEN": "cli.fault.slack_refused"}


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (ServerFault(401), "wrong_key"),
        (ServerFault(403), "wrong_workspace"),
        (ServerFault(404), "wrong_address"),
        (ServerFault(200, "<!doctype html><title>LangSmith</title>"), "web_address"),
        (ServerFault(200, {"detail": "hello"}), "wrong_address"),
        (ServerFault(429, headers={"retry-after": "60"}), "down"),
        (ServerFault(500), "down"),
        (ServerFault(lost=True), "down"),
        (ServerFault(half=True), "down"),
        (ServerFault(silent=True), "down"),
    ],
    ids=["401", "403", "404", "page", "other", "429", "500", "lost", "half", "black hole"],
)
async def test_each_langsmith_trouble_has_its_text(
    outside: Surroundings, monkeypatch: pytest.MonkeyPatch, fault: ServerFault, trouble: str
) -> None:
    monkeypatch.setattr("bot.app.wiring.TRACKER_SECONDS", 0.3)
    outside.langsmith.fail(fault)
    assert await outside.problems() == {"LANGSMITH_API_KEY": f"tracker.{trouble}"}


async def test_unreachable_langsmith_is_reported(outside: Surroundings) -> None:
    assert await outside.problems(langsmith_endpoint="http://127.0.0.1:9") == {"LANGSMITH_API_KEY": "tracker.down"}


async def test_trouble_of_the_running_mirror_is_reported(outside: Surroundings) -> None:
    database, now = Database(str(outside.settings["database_url"])), StepClock().now()
    await database.migrate()
    store = SqlStore(database, mirrored=True)
    async with store.transaction() as tx:
        await tx.cursors.move(MIRROR_DATASET, "0e6f4b0a-7b0c-4a8f-9d57-0a8a2a6a1b11", now)
    assert await outside.problems() == {"LANGSMITH_API_KEY": "tracker.dataset_gone"}
    async with store.transaction() as tx:
        await tx.cursors.move(MIRROR_DATASET, "", now)
        await tx.cursors.move(MIRROR_TROUBLE, "not_taken", now)
        await tx.outbox.add(MIRROR_TOPIC, "q1", {"change": "row"}, now)
    assert await outside.problems() == {"LANGSMITH_API_KEY": "tracker.not_taken"}
    async with store.transaction() as tx:
        await tx.cursors.move(MIRROR_TROUBLE, MIRROR_TRACES_DOWN, now)
    assert await outside.problems() == {"LANGSMITH_API_KEY": "tracker.trace_quota"}
    async with store.transaction() as tx:
        await tx.cursors.move(MIRROR_TROUBLE, "", now)
    assert (await outside.findings())["LANGSMITH_API_KEY"].facts["open"] == "1"
    await database.close()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_doctor_prints_line_per_part_and_exit_code(
    outside: Surroundings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    language: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong_ones = {"langsmith_api_key": "wrong-key", "bot_staff": ""}
    for code, more in ((0, {"bot_language": language}), (1, wrong_ones)):
        outside.settings |= more
        for name, value in outside.settings.items():
            monkeypatch.setenv(name.upper(), str(value))
        assert await asyncio.to_thread(main, ["doctor"]) == code
        output = capsys.readouterr()
        assert (output.err, len(output.out.splitlines())) == ("", 11)
        assert not [secret for secret in (*SECRETS, outside.slack.bot_token, "wrong-key") if secret in output.out]
        for key in ("tracker.wrong_key", "cli.doctor.no_staff"):
            assert (texts(Words(language).language)[key] in output.out) == (code == 1)


@pytest.mark.parametrize(("lost", "well"), [("groups:history", True), ("files:write", False)])
async def test_missing_scopes_are_named(outside: Surroundings, lost: str, *, well: bool) -> None:
    workspace = outside.slack.workspace
    workspace.app = replace(workspace.app, scopes=workspace.app.scopes - {lost})
    found = (await outside.findings())["manifest.yml"]
    assert (found.well, found.facts) == (well, {"scopes": lost})


async def test_encoders_service_is_checked(outside: Surroundings) -> None:
    """Servers of vectors alone have no chat and list no models."""
    outside.model.on("POST /v1/embeddings", refusal(400, "input is missing"))
    acme = {"acme": {"base_url": outside.model.url, "api_key": "sk-s3cr3t"}}
    changed = {"bot_encoder": "acme/embed", "bot_providers": acme}
    assert (await outside.findings(**changed))["BOT_ENCODER"].key == "cli.doctor.model"
    assert not await outside.problems(**changed)
    outside.model.on("POST /v1/embeddings", refusal(404, "Not Found"))
    assert await outside.problems(**changed) == {"BOT_ENCODER": "trouble.unknown_address"}
    outside.model.on("POST /v1/embeddings", refusal(401, "bad key sk-s3cr3t"))
    found = (await outside.findings(**changed))["BOT_ENCODER"]
    assert found.key == "trouble.key"
    assert "Set BOT_PROVIDERS__ACME__API_KEY" in found.line(Words("en"))
    outside.model.on("GET /v1/models/embed", refusal(404, "no model 'embed'", code="model_not_found"))
    assert await outside.problems(**changed) == {"BOT_ENCODER": "trouble.unknown_model"}


@pytest.mark.usefixtures("fast_training")
async def test_version_of_another_encoder_is_reported(outside: Surroundings) -> None:
    database = Database(str(outside.settings["database_url"]))
    await database.migrate()
    async with LocalModel(DatabaseShelf(database), encoder=TINY_ENCODER) as local, client_of(local) as client:
        name = (await trained(client, jsonl())).fine_tuned_model
    await database.close()
    found = (await outside.findings(bot_serving=f"local/{name}", bot_encoder="none"))[f"local/{name}"]
    assert (found.well, found.key) == (False, "trouble.other_encoder")
    for language in LANGUAGES:
        assert f"BOT_ENCODER={TINY_ENCODER}" in found.line(Words(language))


async def test_channels_for_sent_messages_are_checked(
    outside: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    categories = (
        '[[category]]\nid = "it"\nname = "IT"\nchannel = "{}"\n[[category]]\nid = "o"\nname = "Other"\nother = true'
    )
    (tmp_path / "system.md").write_text("Choose.")
    seen = {}
    for channel in ("C0GENERAL01", "C0NOWHERE"):
        (tmp_path / "categories.toml").write_text(f'language = "en"\n{categories.format(channel)}')
        seen[channel] = (await outside.findings(bot_prompt=tmp_path))["categories.toml"].key
    conversation = Channel.conversation
    monkeypatch.setattr(Channel, "conversation", lambda *one: conversation(*one) | {"is_ext_shared": True})
    (tmp_path / "categories.toml").write_text(f'language = "en"\n{categories.format("C0GENERAL01")}')
    found = await outside.findings(bot_prompt=tmp_path, bot_ops_channel="C0OPS000001")
    assert seen == {"C0GENERAL01": "cli.doctor.channels", "C0NOWHERE": "unreadable.channel_not_found"}
    assert {found[part].key for part in ("categories.toml", "BOT_OPS_CHANNEL")} == {"unreadable.shared"}
