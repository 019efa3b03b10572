"""A whole bot, on Slack or in a practice workspace."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import SecretStr

from bot.domain.prompt import Prompt
from bot.duty import on_duty
from bot.local.workspace import Server, Workspace, serve
from bot.settings import ROOT, Settings
from bot.wiring import House, open_house, read_prompt

log = logging.getLogger(__name__)


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
