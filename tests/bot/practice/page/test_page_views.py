"""Modals and the App Home: the stack, errors, entered values and the keyboard."""

import pytest
from playwright.async_api import Page, expect

from tests.bot.practice.page.page_stub import Json, Stub, message, option, plain
from tests.kits.browser import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def field(block_id: str, element: Json, *, optional: bool = False, dispatch: bool = False) -> Json:
    inner = {"action_id": "value", **element}
    label = plain(f"Label {block_id}")
    return {
        "type": "input",
        "block_id": block_id,
        "label": label,
        "element": inner,
        "optional": optional,
        "dispatch_action": dispatch,
    }


def modal(view_id: str, *blocks: Json, previous: str | None = None) -> Json:
    texts = {"title": plain(f"Title {view_id}"), "submit": plain("Save"), "close": plain("Leave")}
    return {
        "id": view_id,
        "type": "modal",
        "callback_id": "cb",
        "root_view_id": "V1",
        "previous_view_id": previous,
        "blocks": list(blocks),
        **texts,
    }


CATEGORY = field("category", {"type": "static_select", "options": [option("Labor", "l"), option("HR", "h")]})
REASON = field("reason", {"type": "plain_text_input", "multiline": True, "min_length": 3})
COUNT = field(
    "count", {"type": "number_input", "is_decimal_allowed": False, "min_value": "2", "max_value": "9"}, optional=True
)


async def errors(page: Page) -> list[str]:
    return await page.get_by_test_id("field-error").all_text_contents()


async def test_form_is_validated_by_page_and_bot(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    await stub.push(type="view", view=modal("V1", CATEGORY, REASON, COUNT))
    dialog = page.get_by_role("dialog", name="Title V1")
    await expect(dialog.get_by_label("Label category")).to_be_focused()
    submit = page.get_by_test_id("submit")
    await submit.click()
    assert await errors(page) == ["Please fill in this field."] * 2
    await dialog.get_by_label("Label category").select_option(label="HR")
    await dialog.get_by_label("Label reason").fill("no")
    await dialog.get_by_label("Label count").fill("12")
    await submit.click()
    assert await errors(page) == ["Please write at least 3 characters.", "The number must be at most 9."]
    assert stub.requests == []
    await dialog.get_by_label("Label reason").fill("because")
    await dialog.get_by_label("Label count").fill("")
    stub.answers["views/submit"] = {"ok": False, "errors": {"reason": "Say more, please."}}
    stub.answers_released.clear()
    await submit.click()
    await stub.wait_for_request("views/submit")
    assert await errors(page) == [], "old errors disappear while the bot is asked"
    stub.answers_released.set()
    await expect(page.get_by_test_id("field-error")).to_have_text("Say more, please.")
    await expect(dialog.get_by_label("Label reason")).to_be_focused()
    await stub.push(type="view", view=modal("V1", REASON, CATEGORY))
    await expect(dialog.get_by_label("Label reason")).to_have_value("because")
    stub.answers["views/submit"] = {"ok": True}
    await submit.click()
    body = await stub.wait_for_request("views/submit", lambda body: "count" not in body["state"]["values"])
    assert body["view_id"] == "V1"
    assert body["state"]["values"]["reason"]["value"] == {"type": "plain_text_input", "value": "because"}
    assert body["state"]["values"]["category"]["value"]["selected_option"] == option("HR", "h")


async def test_views_close_one_by_one_and_restore_focus(stub: Stub, visit: Visit) -> None:
    button = {"type": "button", "action_id": "open", "text": plain("Open")}
    said = message(1, "UB", "x", bot_id="B1", blocks=[{"type": "actions", "block_id": "b", "elements": [button]}])
    stub.history["C1"] = [said]
    page = await visit(stub.url)
    await page.get_by_role("button", name="Open", exact=True).press("Enter")
    await stub.wait_for_request("actions")
    await stub.push(type="view", view=modal("V1", CATEGORY))
    await page.get_by_label("Label category").select_option(label="HR")
    await stub.push(type="view", view=modal("V2", REASON, previous="V1"))
    await expect(page.get_by_role("dialog", name="Title V2")).to_be_visible()
    # The message is redrawn while the dialog is open; the focus must still return to its button.
    await stub.push(
        type="message", channel="C1", message=said | {"reactions": [{"name": "eyes", "users": ["U2"], "count": 1}]}
    )
    await page.keyboard.press("Escape")
    assert (await stub.wait_for_request("views/close"))["view_id"] == "V2"
    await stub.push(type="view_closed", view_id="V2", cleared=False)
    await expect(page.get_by_role("dialog", name="Title V1").get_by_label("Label category")).to_have_value("1")
    stub.answers["views/close"] = {"ok": False, "error": "not_found", "text": "It is gone already."}
    await page.keyboard.press("Escape")
    await stub.wait_for_request("views/close", lambda body: body["view_id"] == "V1")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Open", exact=True)).to_be_focused()


async def test_tab_stays_inside_a_modal(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    await stub.push(type="view", view=modal("V1", CATEGORY, REASON))
    await expect(page.get_by_label("Label category")).to_be_focused()
    inside = "document.activeElement.closest('dialog') !== null"
    names = []
    for _ in range(6):
        await page.keyboard.press("Tab")
        assert await page.evaluate(inside)
        names.append(await page.evaluate("document.activeElement.dataset.spot"))
    assert names == ["reason/value/", "close", "submit", "x", "category/value/", "reason/value/"]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate("document.activeElement.dataset.spot") == "submit"


async def test_form_element_dispatches_only_when_configured(stub: Stub, visit: Visit) -> None:
    live = field(
        "live",
        {"type": "plain_text_input", "dispatch_action_config": {"trigger_actions_on": ["on_character_entered"]}},
        dispatch=True,
    )
    page = await visit(stub.url)
    await stub.push(type="view", view=modal("V1", CATEGORY, live))
    await page.get_by_label("Label category").select_option(label="HR")
    await page.get_by_label("Label live").fill("ab")
    body = await stub.wait_for_request("actions")
    assert body["container"] == {"type": "view", "view_id": "V1"}
    assert body["action"] == {"type": "plain_text_input", "block_id": "live", "action_id": "value", "value": "ab"}
    assert len(stub.requests) == 1
    stub.answers["views/submit"] = {"ok": False, "error": "dispatch_failed", "text": "nobody"}
    await page.get_by_test_id("submit").click()
    await expect(page.get_by_role("dialog").get_by_test_id("toast")).to_contain_text("No bot is connected")


async def test_app_home_is_requested_and_drawn_when_published(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    await page.get_by_test_id("app-home").click()
    assert await stub.wait_for_request("home") == {"user": "U1"}
    await expect(page.locator("#main")).to_contain_text("not shown anything here yet")
    button = {"type": "button", "action_id": "go", "text": plain("Go")}
    home = {
        "id": "V9",
        "type": "home",
        "blocks": [
            {"type": "header", "text": plain("Welcome")},
            {"type": "actions", "block_id": "b", "elements": [button]},
        ],
    }
    await stub.push(type="home", view=home)
    await expect(page.get_by_test_id("home").locator("h2")).to_have_text("Welcome")
    await page.get_by_role("button", name="Go").click()
    assert (await stub.wait_for_request("actions"))["container"] == {"type": "view", "view_id": "V9"}
    await page.get_by_test_id("tab-messages").click()
    await expect(page.get_by_test_id("composer")).to_have_attribute("placeholder", "Message Madoguchi")


async def test_modal_of_text_alone_is_scrolled_by_keys(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    text = {"type": "section", "text": {"type": "mrkdwn", "text": "line\n" * 200}}
    await stub.push(type="view", view={"id": "V1", "title": plain("Details"), "blocks": [text]})
    await expect(page.locator(".dialog-body")).to_have_attribute("tabindex", "0")
