"""The whole bot, on Slack or in a practice workspace."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import SecretStr
from starlette.routing import BaseRoute

from bot.app.lifecycle import Edge, serve_slack
from bot.app.readiness import warm_up
from bot.app.telemetry import Telemetry
from bot.app.trust import adapter_of, trust_of
from bot.app.wiring import Core, open_core, read_prompt, with_sample_owners
from bot.domain.prompt import Prompt
from bot.providers.sdk import load_sdk
from bot.settings import ROOT, VERSION, Settings
from handlers.server.health import Health
from handlers.server.tour import Tour
from handlers.server.web import serve_http
from handlers.slack.deliveries import Requests

if TYPE_CHECKING:  # on real Slack the practice workspace is not loaded
    from bot.practice import Server

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Running:
    """A running bot.

    Attributes:
        core: Its acts and ports.
        practice: The practice workspace; None on real Slack.
        url: The address of its own port.
    """

    core: Core
    practice: "Server | None"
    url: str


@asynccontextmanager
async def open_bot(
    settings: Settings, prompt: Prompt | None = None, *, state: Path | None = None, port: int = 0
) -> AsyncIterator[Running]:
    """Run the whole bot until the block ends: on Slack if a bot token is set, else in a practice workspace.

    Args:
        settings: The loaded settings.
        prompt: Replaces the prompt that the settings name.
        state: The file that keeps the practice workspace between two starts.
        port: The port for health, metrics, Slack's requests in HTTP mode, and the practice page; 0 takes any free one.

    Raises:
        SettingsError, PortTaken, SlackRefused, DatabaseUnreachable: each has a text for people.
    """
    prompt = prompt or read_prompt(settings.prompt_folder)
    async with AsyncExitStack() as stack:
        server = None
        health, tour = Health(), Tour(settings.prompt_folder)
        if settings.practice:
            routes = [*health.routes, *tour.routes]
            server = await stack.enter_async_context(open_workspace(state, port, routes))
            settings = practice_settings(settings, server)
            prompt = with_sample_owners(prompt)
        secret = settings.slack_signing_secret
        requests = Requests(secret.get_secret_value()) if secret else None
        routes = [*health.routes, *([requests.route] if requests else [])]
        url = (
            server.url if server else await stack.enter_async_context(serve_http(settings.bot_http_host, port, routes))
        )
        telemetry = Telemetry(VERSION, settings.otel_exporter_otlp_endpoint, adapter_of(trust_of(settings)))
        stack.push_async_callback(telemetry.aclose)
        core = await stack.enter_async_context(open_core(settings, prompt, telemetry, practice=server is not None))
        core.load_encoder()
        await asyncio.gather(core.load_rows(), asyncio.to_thread(load_sdk))
        await stack.enter_async_context(serve_slack(core, settings, Edge(health, telemetry, requests)))
        warming = asyncio.create_task(warm_up(core))
        stack.callback(warming.cancel)
        tour.start(core.ports.store, core.acts.importing)
        yield Running(core, server, url)


@asynccontextmanager
async def open_workspace(state: Path | None, port: int, routes: Sequence[BaseRoute] = ()) -> AsyncIterator["Server"]:
    """Open the practice workspace, with the app of manifest.yml installed, and serve these routes beside its own.

    If the port is taken, any free one is used: only a person's browser needs to find it.
    """
    from bot.practice import Workspace, serve

    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    workspace = Workspace(manifest, state=state)
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(serve(workspace, port, routes))
        except OSError:
            log.info("port %s is taken, so another one is used", port)
            server = await stack.enter_async_context(serve(workspace, 0, routes))
        yield server


def practice_settings(settings: Settings, server: "Server") -> Settings:
    """Return settings for the practice workspace; its sample people and channels fill the empty ones."""
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(server.bot_token),
            "slack_app_token": SecretStr(server.app_token),
            "slack_api_url": server.api_url,
            "bot_staff": settings.bot_staff or [server.people.staff_group.id],
            "bot_admins": settings.bot_admins or [server.people.admin_group.id],
            "bot_channels": settings.bot_channels or [server.channels.help_desk.id],
            "bot_questions_per_hour": 0,
            "bot_ops_channel": settings.bot_ops_channel or server.channels.ops.id,
            "bot_training_allowed": True,  # its people and questions are made up
        }
    )
