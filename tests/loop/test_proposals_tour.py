"""Messages that the bot begins itself, in a real browser: a reminder, a question of money, and a better version."""

from datetime import time

import pytest
from playwright.async_api import expect

from bot.app import lifecycle
from bot.domain import hours
from bot.domain.proposal import NEW_ANSWERS
from bot.domain.release import ModelName
from handlers.views import ids
from tests.kits.openai_server import OpenAIServer
from tests.loop.day import LONG_MS, Day, Live, press
from tests.loop.story import candidate, serve, settle_all, settle_anew

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(300)]

PAID = ModelName(provider="openai", model="gpt-4.1-mini")
SECONDS = 0.5
"""Interval between two steps of a training that begins by itself."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the steps of a training at once, and let every moment be working time."""
    monkeypatch.setattr(lifecycle, "PROPOSE_SECONDS", SECONDS)
    monkeypatch.setattr(hours, "OPENS", time.min)
    monkeypatch.setattr(hours, "CLOSES", time.max)
    monkeypatch.setattr(hours, "SATURDAY", 7)


async def test_owner_is_reminded_and_admin_is_asked(live: Live) -> None:
    provider = OpenAIServer()
    async with (
        provider.running(),
        live(
            bot_remind_hours=0.0005,
            bot_auto_train="propose",
            bot_student=PAID,
            bot_serving=ModelName(provider="local", model="base"),
            openai_api_key="sk-practice",
            openai_base_url=provider.url,
        ) as day,
    ):
        await remind_the_owner(day)
        await ask_what_training_costs(day)
    assert not provider.requests


async def remind_the_owner(day: Day) -> None:
    about_leave = next(iter(day.story.usual))
    ts = (await day.desk.ask(about_leave))["thread_ts"]
    staff = await day.window(day.desk.staff)
    await staff.at(day.desk.channel, ts)
    await day.sees(staff.thread, "card.remind")


async def ask_what_training_costs(day: Day) -> None:
    """The bot asks before it spends money, once, and takes a No."""
    await settle_anew(day.desk, day.story.language, NEW_ANSWERS)
    admin = await day.window(day.desk.admin)
    await admin.at(day.server.channels.ops.id)
    messages = admin.page.get_by_test_id("messages")
    await day.sees(messages, "proposal.ask")
    await expect(messages).to_contain_text("$0.")
    await expect(admin.action(ids.PROPOSAL_AGREE)).to_be_visible()
    await press(admin.action(ids.PROPOSAL_DECLINE))
    await day.sees(messages, "proposal.ended.declined")
    await expect(admin.action(ids.PROPOSAL_AGREE)).to_have_count(0)


async def test_better_version_is_proposed_and_taken(live: Live) -> None:
    async with live(bot_auto_train="propose") as day:
        await serve(day.desk, await candidate(day.desk, 0))  # with examples, the untrained model is nearly as good
        await settle_all(day.running, day.story.language, subjects=3)
        await settle_anew(day.desk, day.story.language, NEW_ANSWERS)
        admin = await day.window(day.desk.admin)
        await admin.at(day.server.channels.ops.id)
        messages = admin.page.get_by_test_id("messages")
        await day.sees(messages, "proposal.ready")
        await press(admin.action(ids.DETAILS))
        modal = admin.page.get_by_test_id("modal")
        await expect(modal).to_contain_text("%", timeout=LONG_MS)
        await admin.page.keyboard.press("Escape")
        await press(admin.action(ids.FINETUNE_SWITCH))
        await day.sees(messages, "proposal.ended.taken")
        serving = await day.running.core.acts.releasing.serving()
        await expect(messages).to_contain_text(serving.name)
        assert serving.finetune_id
