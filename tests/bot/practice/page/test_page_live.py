"""The page, the workspace and an unmodified slack-bolt app together, in one or two windows."""

from base64 import b64decode
from typing import Any

import pytest
from playwright.async_api import Page, expect
from slack_bolt.async_app import AsyncAck, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from bot.practice import Server
from bot.practice.people import Member
from tests.bot.practice.desk import PracticeDesk, button
from tests.bot.practice.page.page_stub import Json, plain
from tests.kits.browser import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PIXEL_PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
"""A PNG image of one pixel."""


def window(server: Server, member: Member, channel: str) -> str:
    return f"{server.url}?user={member.id}#{channel}"


def register_handlers(desk: PracticeDesk) -> None:
    """Register handlers: a mention is answered with a button that opens a form, which accepts only "Labor"."""

    @desk.app.event("app_mention")
    async def mention(event: Json, say: AsyncSay) -> None:
        await say(text="Which?", thread_ts=event["ts"], blocks=[button("correct", "Correct", event["ts"])])

    @desk.app.action("correct")
    async def correct(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        element = {"type": "plain_text_input", "action_id": "value"}
        block = {"type": "input", "block_id": "category", "label": plain("Category"), "element": element}
        meta = f"{body['channel']['id']} {body['message']['ts']}"
        titles = {"title": plain("Correct it"), "submit": plain("Save"), "close": plain("Leave")}
        view = {"type": "modal", "callback_id": "form", "private_metadata": meta, "blocks": [block], **titles}
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    @desk.app.view("form")
    async def form(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        value = body["view"]["state"]["values"]["category"]["value"]["value"]
        if value != "Labor":
            await ack(response_action="errors", errors={"category": "Not a category."})
            return
        await ack()
        channel, ts = body["view"]["private_metadata"].split()
        await client.chat_update(
            channel=channel, ts=ts, text=f"Corrected to *{value}* by <@{body['user']['id']}>", blocks=[]
        )
        await client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text="Thank you.")

    @desk.app.command("/desk")
    async def command(ack: AsyncAck, body: Json) -> None:
        await ack(text=f"You said {body['text']}")

    @desk.app.event("app_home_opened")
    async def home(event: Json, client: AsyncWebClient) -> None:
        blocks: list[dict[str, Any]] = [{"type": "header", "text": plain("Welcome")}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    @desk.app.event("message")
    async def message() -> None:
        """Accept messages that are not mentions."""


async def write(page: Page, text: str) -> None:
    field = page.get_by_test_id("composer")
    await field.fill(text)
    await field.press("Enter")


async def test_question_in_one_window_is_corrected_in_another(server: Server, desk: PracticeDesk, visit: Visit) -> None:
    register_handlers(desk)
    channel, kenji = server.channels.help_desk.id, server.people.staff[0]
    asker = await visit(window(server, server.people.employees[1], channel))
    staff = await visit(window(server, kenji, channel))
    await expect(asker.get_by_test_id("connection")).to_have_text("No bot connected")
    await desk.connect()
    await expect(asker.get_by_test_id("connection")).to_have_text("Bot connected")
    await write(asker, "@Desk <b>how many</b> days of leave?")
    await expect(staff.get_by_test_id("content")).to_have_text("@Desk <b>how many</b> days of leave?")
    await staff.get_by_test_id("thread-bar").click()
    await expect(staff.locator("#thread")).to_have_attribute("aria-label", "スレッド")
    await staff.get_by_role("button", name="Correct").click()
    dialog = staff.get_by_role("dialog", name="Correct it")
    await dialog.get_by_label("Category").fill("Weather")
    await dialog.get_by_label("Category").press("Enter")
    await expect(staff.get_by_test_id("field-error")).to_have_text("Not a category.")
    await dialog.get_by_label("Category").fill("Labor")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    await asker.get_by_test_id("thread-bar").click()
    card = asker.get_by_test_id("thread-messages").get_by_test_id("content").last
    await expect(card).to_contain_text(f"Corrected to Labor by @{kenji.names['en']}")
    await expect(staff.get_by_text("Thank you.")).to_be_visible()
    await expect(asker.get_by_text("Thank you.")).to_have_count(0)


async def test_commands_home_direct_messages_files_and_language_work(
    server: Server, desk: PracticeDesk, client: AsyncWebClient, visit: Visit
) -> None:
    register_handlers(desk)
    await desk.connect()
    general, emily = server.channels.general.id, server.people.employees[1]
    page = await visit(window(server, emily, general))
    await write(page, "/desk help")
    ephemeral = page.get_by_test_id("message")
    await expect(ephemeral).to_contain_text("Only visible to you")
    await expect(ephemeral).to_contain_text("You said help")
    await client.files_upload_v2(channel=general, filename="rows.jsonl", content='{"a":1}\n', initial_comment="Here")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="rows.jsonl").click()
    saved = await (await download.value).path()
    assert saved.read_text() == '{"a":1}\n'
    await client.files_upload_v2(channel=general, filename="dot.png", file=PIXEL_PNG)
    shown = page.get_by_role("link", name="dot.png").get_by_role("img")
    await expect(shown).to_be_visible()
    assert await shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    await page.get_by_test_id("app-home").click()
    await expect(page.get_by_test_id("home").locator("h2")).to_have_text("Welcome")
    await page.get_by_test_id("tab-messages").click()
    await write(page, "just to you")
    await expect(page.get_by_test_id("content")).to_have_text("just to you")
    await page.get_by_test_id("locale").click()
    await expect(page.get_by_role("heading", name="チャンネル")).to_be_visible()
    assert emily.locale == "ja-JP"
    ts = (await client.chat_postMessage(channel=general, text="remember"))["ts"]
    link = (await client.chat_getPermalink(channel=general, message_ts=ts))["permalink"]
    await page.goto(link)
    await expect(page.get_by_test_id("thread-messages")).to_contain_text("remember")
    assert page.url == f"{server.url}?user={emily.id}#{general}/{ts}"


async def test_person_can_be_switched_and_opened_in_window(server: Server, visit: Visit) -> None:
    misaki, priya = server.people.employees[0], server.people.staff[1]
    page = await visit(window(server, misaki, server.channels.random.id))
    await page.get_by_test_id("new-window").click()
    async with page.context.expect_page() as opened:
        await page.get_by_test_id(f"window-{priya.id}").click()
    other = await opened.value
    await expect(other.get_by_test_id("person-switcher")).to_contain_text("Priya Nair")
    await write(other, "see you")
    await expect(page.get_by_test_id("content")).to_have_text("see you")
    await page.get_by_test_id("person-switcher").press("Enter")
    await expect(page.get_by_test_id(f"person-{misaki.id}")).to_be_focused()
    await page.get_by_test_id(f"person-{server.people.admin.id}").click()
    await expect(page.get_by_test_id("person-switcher")).to_contain_text("伊藤 裕子")
    await expect(page.get_by_test_id("channel-madoguchi-ops")).to_be_visible()
