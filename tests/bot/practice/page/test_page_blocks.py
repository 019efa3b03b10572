"""Blocks and elements: the page draws them as Slack does, without markup or external requests of a bot."""

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.bot.practice.page.page_stub import Json, Stub, message, option, plain
from tests.kits.browser import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def row(*cells: str) -> list[Json]:
    return [{"type": "raw_text", "text": cell} for cell in cells]


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def button(action_id: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), **more}


TEXT = (
    "*bold* _slanted_ ~gone~ `a &lt; b` 2*3*4 snake_case_name\n> quoted\n• one\n• two\n"
    "<@U2> <#C2> <!subteam^S1> <!here> <https://example.com/x|guide> <javascript:alert(1)|bad> :tada: :no_such:\n"
    "<!date^1790000000^{date_num} {time}|then>\n```let x = *1*```"
)
RICH: Json = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": "loud", "style": {"bold": True, "italic": True}},
                {"type": "user", "user_id": "U1"},
                {"type": "emoji", "name": "eyes"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "ordered",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "first"}]}],
        },
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "<pre>"}]},
    ],
}
BLOCKS: list[Json] = [
    {"type": "header", "block_id": "head", "text": plain("Answer :tada:")},
    {"type": "section", "block_id": "text", "text": mrkdwn(TEXT), "accessory": button("side", "Open")},
    {"type": "section", "block_id": "fields", "fields": [mrkdwn("*Category*\nLabor"), plain("Owner")]},
    {"type": "divider", "block_id": "line"},
    {"type": "context", "block_id": "small", "elements": [mrkdwn("by <@U2>")]},
    {"type": "actions", "block_id": "act", "elements": [button("yes", "Agree"), {"type": "timepicker"}]},
    {"type": "table", "block_id": "table", "rows": [row("Category", "Rows"), row("Labor", "12")]},
    {
        "type": "markdown",
        "block_id": "md",
        "text": "## Plan\n**very** [here](https://example.com)\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    },
    {"type": "alert", "block_id": "alert", "level": "warning", "text": mrkdwn("Only *3* rows")},
    {
        "type": "card",
        "block_id": "card",
        "title": mrkdwn("r7"),
        "body": mrkdwn("91 %"),
        "actions": [button("sw", "Switch")],
    },
    {"type": "image", "block_id": "far", "image_url": "https://example.com/a.png", "alt_text": "a far picture"},
    {"type": "image", "block_id": "near", "image_url": "/page/static/icon.svg", "alt_text": "a near picture"},
    {"type": "file", "block_id": "file", "external_id": "report-1", "source": "remote"},
    {"type": "rich_text", "block_id": "rich", **{key: RICH[key] for key in ("elements",)}},
    {"type": "data_visualization", "block_id": "new", "chart": {"type": "pie"}},
    {"type": "section", "block_id": "broken", "fields": "not a list"},
    {"type": "constructor", "block_id": "proto"},
]


def block(page: Page, block_id: str) -> Locator:
    return page.locator(f"[data-block-id={block_id}]").first


async def test_known_blocks_drawn_and_unknown_shown_as_json(stub: Stub, visit: Visit) -> None:
    stub.history["C1"] = [message(1, "UB", "summary", blocks=BLOCKS, bot_id="B1")]
    page = await visit(stub.url)
    outside: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(stub.url) else outside.append(request.url))
    await page.reload()
    await expect(block(page, "head").locator("h2")).to_have_text("Answer 🎉")
    text = block(page, "text")
    for tag, words in {
        "strong": "bold",
        "em": "slanted",
        "s": "gone",
        "code": "a < b",
        "blockquote": "quoted",
    }.items():
        await expect(text.locator(tag).first).to_have_text(words)
    await expect(text.locator("li")).to_have_text(["one", "two"])
    await expect(text.locator(".mention")).to_have_text(["@田中 健二", "#random", "@Help desk", "@here"])
    await expect(text.locator("a[target=_blank]")).to_have_attribute("href", "https://example.com/x")
    await expect(text.locator("pre")).to_have_text("let x = *1*")
    await expect(text.locator("time")).to_have_text("09/21/2026 11:13 PM")
    await expect(text).to_contain_text("2*3*4 snake_case_name")
    await expect(text).to_contain_text("bad 🎉 :no_such:")
    await expect(block(page, "fields").locator(".fields > div")).to_have_count(2)
    await expect(block(page, "small")).to_have_text("by @田中 健二")
    await expect(block(page, "table").locator("th")).to_have_text(["Category", "Rows"])
    await expect(block(page, "md").locator("h3, strong, a, td")).to_have_text(["Plan", "very", "here", "1", "2"])
    await expect(block(page, "alert").locator(".warning")).to_have_text("Only 3 rows")
    await expect(block(page, "card").get_by_role("button", name="Switch")).to_be_visible()
    await expect(block(page, "far").locator("a")).to_have_text("Picture: a far picture")
    await expect(block(page, "near").get_by_alt_text("a near picture")).to_be_visible()
    await expect(block(page, "file")).to_have_text("report-1")
    await expect(block(page, "rich").locator("em strong, strong em")).to_have_text("loud")
    await expect(block(page, "rich").locator("pre")).to_have_text("<pre>")
    for unknown in ("new", "broken", "proto"):
        await expect(block(page, unknown).get_by_test_id("unknown")).to_contain_text("not draw")
    await expect(block(page, "act").get_by_test_id("unknown")).to_contain_text("timepicker")
    assert outside == []


async def test_small_buttons_have_names_and_send_their_value(stub: Stub, visit: Visit) -> None:
    sides = {
        "positive_button": {"text": plain("Solved"), "value": "yes"},
        "negative_button": {"text": plain("Not helpful"), "value": "no", "accessibility_label": "This did not help"},
    }
    elements: list[Json] = [
        {"type": "feedback_buttons", "action_id": "rate", **sides},
        {"type": "icon_button", "action_id": "bin", "icon": "trash", "text": plain("Delete"), "value": "q1"},
        {"type": "icon_button", "action_id": "x", "icon": "trash", "text": plain("X"), "visible_to_user_ids": ["U2"]},
    ]
    small = {"type": "context_actions", "block_id": "small", "elements": elements}
    stub.history["C1"] = [message(1, "UB", "answer", blocks=[small], bot_id="B1")]
    buttons = block(await visit(stub.url), "small").get_by_role("button")
    for number, name in enumerate(("Solved", "This did not help", "Delete")):
        await expect(buttons.nth(number)).to_have_accessible_name(name)
    await expect(buttons).to_have_count(3)
    await buttons.nth(1).press("Enter")
    sent = await stub.wait_for_request("actions")
    assert sent["action"] == {"type": "feedback_buttons", "block_id": "small", "action_id": "rate", "value": "no"}


@pytest.mark.parametrize("inside", ["text", "blocks", "name"])
async def test_markup_in_a_message_is_shown_as_text(inside: str, stub: Stub, visit: Visit) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    wire = evil.replace("<", "&lt;").replace(">", "&gt;")
    said = {
        "text": message(1, "U2", evil),
        "blocks": message(
            1, "U2", "x", blocks=[{"type": "section", "text": mrkdwn(wire)}, {"type": "header", "text": plain(evil)}]
        ),
        "name": message(1, "nobody", "x", username=evil),
    }[inside]
    stub.history["C1"] = [said]
    page = await visit(stub.url)
    await expect(page.get_by_test_id("message")).to_contain_text("onerror=")
    assert await page.locator("[data-testid=message] :is(img, script)").count() == 0
    assert "owned" not in await page.title()


async def test_elements_send_the_choice_and_the_whole_state(stub: Stub, visit: Visit) -> None:
    options = [option("Labor", "l"), option("HR", "h")]
    elements = [
        button("press", "Press", value="v7"),
        {
            "type": "static_select",
            "action_id": "one",
            "placeholder": plain("Pick"),
            "option_groups": [{"label": plain("G"), "options": options}],
        },
        {"type": "users_select", "action_id": "who"},
        {"type": "multi_static_select", "action_id": "many", "options": options},
        {"type": "radio_buttons", "action_id": "radio", "options": options},
        {"type": "checkboxes", "action_id": "tick", "options": options, "initial_options": options[:1]},
        {"type": "datepicker", "action_id": "day", "initial_date": "2026-11-22"},
        {"type": "overflow", "action_id": "rest", "options": options},
    ]
    stub.history["C1"] = [message(1, "UB", "x", blocks=[{"type": "actions", "block_id": "b", "elements": elements}])]
    page = await visit(stub.url)

    def control(action_id: str) -> Locator:
        return page.locator(f"[data-action-id={action_id}]").first

    async def sent(action_id: str) -> Json:
        body = await stub.wait_for_request("actions", lambda body: body["action"]["action_id"] == action_id)
        assert (body["user"], body["container"]["type"], body["action"]["block_id"]) == ("U1", "message", "b")
        return body

    await control("press").click()
    assert (await sent("press"))["action"]["value"] == "v7"
    await control("one").select_option(label="HR")
    assert (await sent("one"))["action"]["selected_option"] == options[1]
    await control("who").select_option(label="田中 健二")
    assert (await sent("who"))["action"]["selected_user"] == "U2"
    await control("many").click()
    many = page.locator("details")
    await many.get_by_label("Labor").check()
    await many.get_by_label("HR").check()
    await page.keyboard.press("Escape")
    assert (await sent("many"))["action"]["selected_options"] == options
    await control("radio").get_by_label("HR").check()
    assert (await sent("radio"))["action"]["selected_option"] == options[1]
    await control("tick").get_by_label("HR").check()
    assert (await sent("tick"))["action"]["selected_options"] == options
    await control("day").fill("2026-12-01")
    assert (await sent("day"))["action"]["selected_date"] == "2026-12-01"
    await control("rest").click()
    await page.get_by_role("menuitem", name="HR").press("Enter")
    last = await sent("rest")
    assert last["action"]["selected_option"] == options[1]
    values = last["state"]["values"]["b"]
    assert set(values) == {"one", "who", "many", "radio", "tick", "day"}
    assert values["day"] == {"type": "datepicker", "selected_date": "2026-12-01"}


async def test_cancelled_confirm_and_refused_action_change_nothing(stub: Stub, visit: Visit) -> None:
    confirm = {"title": plain("Sure?"), "text": mrkdwn("*Really*?"), "confirm": plain("Do it"), "deny": plain("Keep")}
    select = {"type": "static_select", "action_id": "pick", "options": [option("Labor", "l"), option("HR", "h")]}
    elements = [button("undo", "Undo", style="danger", confirm=confirm), select]
    stub.history["C1"] = [message(1, "UB", "x", blocks=[{"type": "actions", "block_id": "b", "elements": elements}])]
    page = await visit(stub.url)
    undo = page.get_by_role("button", name="Undo")
    await undo.click()
    await expect(page.get_by_role("alertdialog", name="Sure?").locator("strong")).to_have_text("Really")
    await page.keyboard.press("Escape")
    await expect(undo).to_be_focused()
    assert stub.requests == []
    await undo.press("Enter")
    await page.get_by_role("button", name="Do it").click()
    await stub.wait_for_request("actions")
    stub.answers["actions"] = {"ok": False, "error": "operation_timeout", "text": "late"}
    await page.locator("[data-action-id=pick]").select_option(label="HR")
    await expect(page.get_by_test_id("toast")).to_contain_text("within 3 seconds")
    await expect(page.locator("[data-action-id=pick]")).to_have_value("-1")


async def test_keys_on_a_closed_menu_choose_nothing(stub: Stub, visit: Visit) -> None:
    """A browser changes a closed menu with each arrow or letter; as on Slack, only the opened menu chooses."""
    options = [option("Labor", "l"), option("HR", "h")]
    select = {"type": "static_select", "action_id": "pick", "options": options}
    stub.history["C1"] = [message(1, "UB", "card", bot_id="B1", blocks=[{"type": "actions", "elements": [select]}])]
    page = await visit(stub.url)
    menu = page.locator("[data-action-id=pick]")
    for key in ("ArrowDown", "ArrowUp", "End", "h", "PageDown"):
        await menu.focus()
        await page.keyboard.press(key)
        await page.keyboard.press("Escape")
        await expect(menu).to_have_value("-1")
    assert stub.requests == []
    await menu.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(menu).to_have_value("0")
    assert len(stub.requests) == 1
