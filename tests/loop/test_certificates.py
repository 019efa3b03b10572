"""A company's own certificate authority: every client obeys SSL_CERT_FILE, and says why it fails without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.app.doctor import examine
from bot.app.running import open_bot
from bot.app.telemetry import Telemetry
from bot.app.trust import adapter_of, trust_of
from bot.domain.faults import SettingsError
from bot.practice import Person, Server, Workspace, serve
from bot.settings import Settings, load
from handlers.command import upload
from handlers.slack.connection import open_client
from handlers.texts.words import LANGUAGES, Words
from tests.kits.forked_programs import forked
from tests.kits.langsmith_server import LangSmithServer
from tests.kits.langsmith_server.server import KEY
from tests.kits.migrated import migrated_sqlite
from tests.kits.openai_server import CHAT, OpenAIServer, Reply
from tests.kits.openai_server import said as answers
from tests.kits.slack_desk import eventually, texts
from tests.kits.tls import AUTHORITY, tls_front
from tests.loop.program import MANIFEST, ROOT

pytestmark = pytest.mark.timeout(90)


@dataclass(frozen=True)
class Company:
    """Slack, a provider and LangSmith, which a bot reaches over TLS only, and the settings of that bot."""

    slack: Server
    model: OpenAIServer
    langsmith: LangSmithServer
    env: dict[str, str]

    def settings(self, **changed: Any) -> Settings:
        return Settings(_env_file=None, **({name.lower(): value for name, value in self.env.items()} | changed))


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        model = await stack.enter_async_context(OpenAIServer().running())
        langsmith = await stack.enter_async_context(LangSmithServer().running())
        address, base_url, endpoint = [
            await stack.enter_async_context(tls_front(url)) for url in (slack.url, model.url, langsmith.url)
        ]
        slack.workspace.url = address  # also of its socket and of uploads
        model.on("GET /v1/models/small", Reply({"id": "small", "object": "model"}))
        model.on(CHAT, answers("Facilities", "It is about a desk."))
        env = {
            "SLACK_API_URL": f"{address}api/",
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "OPENAI_API_KEY": "sk-1",
            "OPENAI_BASE_URL": base_url,
            "BOT_SERVING": "openai/small",
            "LANGSMITH_API_KEY": KEY,
            "LANGSMITH_ENDPOINT": endpoint,
            "DATABASE_URL": migrated_sqlite(tmp_path / "bot.db"),
            "BOT_STAFF": slack.people.staff[1].id,
            "BOT_ADMINS": slack.people.admin.id,
            "BOT_CHANNELS": slack.channels.help_desk.id,
            "BOT_OPS_CHANNEL": slack.channels.ops.id,
            "BOT_LANGUAGE": "en",
        }
        yield Company(slack, model, langsmith, env)


async def test_every_client_trusts_company_authority(company: Company) -> None:
    settings = company.settings(ssl_cert_file=AUTHORITY)
    findings = await examine(settings)
    assert [finding.part for finding in findings if not finding.well] == []
    assert "cli.doctor.certificates" in {finding.key for finding in findings}
    server = company.slack

    async def traced() -> bool:
        return bool(company.langsmith.sent("POST /runs/multipart"))

    async with (
        open_bot(settings),
        Person(server.url, server.people.employees[1].id) as asker,
        Person(server.url, server.people.admin.id) as admin,
    ):
        ts = await asker.say(server.channels.help_desk.id, "Who pays for my desk?")
        assert await asker.answer(ts, timeout=30)
        assert company.model.sent(CHAT)
        await eventually(traced, 30)
        await admin.command("/finetune status")
        assert "v1" in texts(await admin.message(lambda m: bool(m.get("ephemeral")), timeout=30))
        async with open_client(settings.slack_bot_token, settings.slack_api_url, trust_of(settings)) as client:
            await upload(client, server.channels.ops.id, "rows", {"rows.jsonl": b"{}"}, None)
        assert await admin.message(lambda m: bool(m.get("files")), timeout=30)


async def test_spans_reach_collector_of_company_authority(company: Company) -> None:
    collector = OpenAIServer()
    collector.on("POST /v1/traces", Reply({}))
    async with collector.running(), tls_front(collector.url.removesuffix("/v1")) as address:
        context = trust_of(company.settings(ssl_cert_file=AUTHORITY))
        assert context
        telemetry = Telemetry("1", address, adapter_of(context))
        with telemetry.span("question"):
            pass
        await telemetry.aclose()
    assert collector.sent("POST /v1/traces")


async def test_refused_certificate_is_called_one(company: Company) -> None:
    findings = {finding.part: finding for finding in await examine(company.settings()) if not finding.well}
    assert {part: finding.key for part, finding in findings.items()} == {
        "SLACK_BOT_TOKEN": "cli.fault.slack_certificate",
        "openai/small": "trouble.certificate",
        "LANGSMITH_API_KEY": "tracker.certificate",
    }
    words = {language: [one.line(Words(language)) for one in findings.values()] for language in LANGUAGES}
    assert all("certificate" in line and "SSL_CERT_FILE" in line for line in words["en"])
    assert all("証明書" in line and "SSL_CERT_FILE" in line for line in words["ja"])


async def test_start_with_refused_certificate_is_one_line(company: Company, tmp_path: Path) -> None:
    bot = await asyncio.create_subprocess_exec(
        *forked("bot", "run"),
        cwd=tmp_path,
        env=company.env | {"PYTHONPATH": str(ROOT), "BOT_HTTP_PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(bot.communicate(), 60)
    assert bot.returncode == 1
    (line,) = told.decode().splitlines()
    assert "certificate of 127.0.0.1 is refused" in line


async def test_later_refused_certificate_is_told_to_ops(company: Company) -> None:
    """Only Slack's certificate is trusted here, because its address is without TLS."""
    server = company.slack
    server.workspace.url = server.url
    settings = company.settings(slack_api_url=server.api_url)
    async with open_bot(settings), Person(server.url, server.people.admin.id) as admin:
        ts = await admin.say(server.channels.help_desk.id, "Who pays for my desk?")
        assert await admin.answer(ts, timeout=30)
        for said in ("The certificate of the provider openai is refused", "The certificate of LangSmith is refused"):
            await eventually(partial(told, admin, said), 30)


async def told(admin: Person, said: str) -> bool:
    return any(said in texts(message) for message in await admin.history("C0OPS000001"))


@pytest.mark.parametrize(
    "content", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_file_without_certificate_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(SettingsError, match="SSL_CERT_FILE: not_certificates"):
        load(_env_file=None, ssl_cert_file=file)
