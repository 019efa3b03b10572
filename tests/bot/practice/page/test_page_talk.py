"""Messages on the page: composer, completion, message list, threads and unread marks."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.bot.practice.page.page_stub import Stub, message
from tests.kits.browser import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_failed_message_stays_in_the_composer(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    field = page.get_by_test_id("composer")
    await expect(field).to_be_focused()
    await field.fill("first")
    await field.press("Shift+Enter")
    await field.press_sequentially("second")
    stub.answers["messages"] = {"ok": False, "error": "no_luck", "text": "That did not work."}
    await field.press("Enter")
    await expect(page.get_by_test_id("toast")).to_contain_text("That did not work.")
    await expect(field).to_have_value("first\nsecond")
    del stub.answers["messages"]
    await page.get_by_test_id("file").set_input_files(
        {"name": "領収書.pdf", "mimeType": "application/pdf", "buffer": b"x"}
    )
    await field.press("Enter")
    await expect(field).to_have_value("")
    body = await stub.wait_for_request("messages", lambda body: "files" in body)
    assert body == {
        "user": "U1",
        "channel": "C1",
        "text": "first\nsecond",
        "files": [{"name": "領収書.pdf", "size": 1}],
    }


async def test_messages_written_during_a_send_are_queued(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    field = page.get_by_test_id("composer")
    stub.answers_released.clear()
    for text in ("first", "second"):
        await field.fill(text)
        await field.press("Enter")
        await expect(field).to_have_value("")
    await field.fill("thi")
    assert (await stub.wait_for_request("messages"))["text"] == "first", "messages are sent one at a time"
    stub.answers_released.set()
    assert (await stub.wait_for_request("messages", lambda body: body["text"] == "second"))["channel"] == "C1"
    stub.answers["messages"] = {"ok": False, "error": "no_luck", "text": "That did not work."}
    await field.press_sequentially("rd")
    await expect(field).to_have_value("third")
    stub.answers_released.clear()
    await field.press("Enter")
    await field.fill("fourth")
    stub.answers_released.set()
    await expect(field).to_have_value("third\nfourth")


async def test_enter_does_not_send_during_ime_composition(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    field = page.get_by_test_id("composer")
    await field.fill("有給")
    enter = {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True}
    await field.dispatch_event("keydown", enter)
    assert stub.requests == []
    await field.dispatch_event("keydown", enter | {"isComposing": False})
    assert (await stub.wait_for_request("messages"))["text"] == "有給"


async def test_completion_works_by_keyboard(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    field = page.get_by_test_id("composer")
    await field.press_sequentially("/f")
    suggestion = page.get_by_role("option")
    await expect(suggestion).to_contain_text("/finetune [status | start]")
    await expect(field).to_have_attribute("aria-expanded", "true")
    await field.press("Tab")
    await field.press_sequentially("status")
    await field.press("Enter")
    assert (await stub.wait_for_request("commands"))["text"] == "/finetune status"
    await expect(field).to_have_value("")
    await field.press_sequentially("hi @")
    await expect(suggestion).to_have_text(
        ["Emma Clark@emma", "田中 健二@kenji", "Madoguchi@madoguchi", "Help desk@desk"]
    )
    await field.press("ArrowDown")
    await field.press("Enter")
    await field.press_sequentially("#ran")
    await field.press("Tab")
    await expect(field).to_have_value("hi @kenji #random ")
    await field.press_sequentially("@em")
    await field.press("Escape")
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await field.fill("/nothing at all")
    await field.press("Enter")
    await expect(page.get_by_test_id("toast")).to_contain_text("/nothing is not a command")


async def test_own_message_is_edited_deleted_and_reacted_to(stub: Stub, visit: Visit) -> None:
    mine = message(1, "U1", "ask <@U2> &lt;b&gt;", reactions=[{"name": "eyes", "users": ["U1", "U2"], "count": 2}])
    stub.history["C1"] = [mine, message(2, "U2", "theirs")]
    page = await visit(stub.url)
    row = page.locator(f"[data-ts='{mine['ts']}']")

    async def pick(name: str) -> None:
        await row.hover()
        await row.get_by_test_id("message-menu").click()
        await page.get_by_role("menuitem", name=name).click()

    await row.locator("[data-reaction=eyes]").click()
    assert await stub.wait_for_request("reactions") == {
        "user": "U1",
        "channel": "C1",
        "ts": mine["ts"],
        "name": "eyes",
        "on": False,
    }
    await pick("Edit message")
    editor = page.get_by_test_id("editor")
    await expect(editor).to_have_value("ask @kenji <b>")
    await editor.fill("changed")
    await editor.press("Enter")
    assert (await stub.wait_for_request("messages/edit"))["text"] == "changed"
    await stub.push(
        type="message", channel="C1", message=mine | {"text": "changed", "edited": {"user": "U1", "ts": "1"}}
    )
    await expect(row.get_by_test_id("content")).to_have_text("changed(edited)")
    await pick("Ask the desk")
    assert await stub.wait_for_request("shortcuts") == {
        "user": "U1",
        "callback_id": "ask",
        "channel": "C1",
        "ts": mine["ts"],
    }
    await pick("Delete message")
    await page.get_by_role("button", name="Delete message").click()
    await stub.wait_for_request("messages/delete")
    await stub.push(type="message_deleted", channel="C1", ts=mine["ts"])
    await expect(page.get_by_test_id("message")).to_have_count(1)
    other = page.get_by_test_id("message")
    await other.hover()
    await other.get_by_test_id("message-menu").click()
    await expect(page.get_by_role("menuitem")).to_have_text(["Reply in thread", "Ask the deskClassify it"])


async def test_thread_opens_beside_the_channel_and_accepts_replies(stub: Stub, visit: Visit) -> None:
    root = message(1, "U1", "question", reply_count=1, reply_users=["UB"], latest_reply=message(2, "UB", "")["ts"])
    stub.history["C1"] = [root]
    stub.replies = [root, message(2, "UB", "answer", thread_ts=root["ts"], bot_id="B1")]
    page = await visit(stub.url)
    await page.get_by_test_id("thread-bar").click()
    thread = page.get_by_test_id("thread-messages")
    await expect(thread.get_by_test_id("content")).to_have_text(["question", "answer"])
    await expect(thread.locator(".badge")).to_have_text("APP")
    field = page.get_by_test_id("thread-composer")
    await expect(field).to_be_focused()
    await field.fill("thanks")
    await field.press("Enter")
    body = await stub.wait_for_request("messages")
    assert (body["thread_ts"], body["text"]) == (root["ts"], "thanks")
    reply = message(3, "UB", "whisper", thread_ts=root["ts"], bot_id="B1", ephemeral=True)
    await stub.push(type="message", channel="C1", message=reply)
    await expect(thread.get_by_test_id("message").last).to_contain_text("Only visible to you")
    await expect(page.get_by_test_id("messages").get_by_test_id("message")).to_have_count(1)
    await field.fill("/finetune status")
    await field.press("Enter")
    await expect(page.get_by_test_id("toast")).to_contain_text("in threads")
    await field.press("Escape")
    await expect(page.locator("#thread")).to_be_hidden()
    await expect(page.locator(f"#main [data-ts='{root['ts']}']")).to_be_focused()
    await stub.push(type="message", channel="C1", message=message(4, "UB", "more", thread_ts=root["ts"], bot_id="B1"))
    await expect(page.get_by_test_id("thread-bar")).to_contain_text("new")


async def test_reply_during_opening_is_shown(stub: Stub, visit: Visit) -> None:
    root = message(1, "U1", "question")
    stub.history["C1"] = stub.replies = [root]
    page = await visit(stub.url)
    stub.gets_released.clear()
    await page.goto(f"{stub.url}/#C1/{root['ts']}")
    while await stub.gets.get() != "replies":
        pass
    answer = message(2, "UB", "answer", thread_ts=root["ts"], bot_id="B1")
    await stub.push(type="message", channel="C1", message=answer)
    await stub.push(type="message", channel="C1", message=root | {"text": "edited question"})
    await expect(page.get_by_test_id("messages").get_by_test_id("content")).to_have_text("edited question")
    stub.gets_released.set()
    contents = page.get_by_test_id("thread-messages").get_by_test_id("content")
    await expect(contents).to_have_text(["edited question", "answer"])


async def test_edit_during_loading_is_kept(stub: Stub, visit: Visit) -> None:
    first, second = stub.history["C2"] = [message(n, "U2", f"m{n}") for n in (1, 2)]
    stub.history["D1"] = [message(3, "UB", "done", bot_id="B1")]
    stub.gets_released.clear()
    page = await visit(stub.url)
    for _ in ("C1", "C2"):
        await stub.gets.get()
    await stub.push(type="message", channel="C2", message=first | {"text": "edited"})
    await expect(page.get_by_test_id("channel-random").locator(".count")).to_have_text("1")
    stub.gets_released.set()
    await expect(page.get_by_test_id("bot-messages").locator(".count")).to_have_text("1")
    stub.gets_released.clear()
    await page.get_by_test_id("channel-random").click()
    await expect(page.get_by_test_id("content")).to_have_text(["edited", second["text"]])
    stub.gets_released.set()


async def test_unread_counts_appear_live_and_clear_when_seen(stub: Stub, visit: Visit) -> None:
    stub.history["D1"] = [message(1, "UB", "done", bot_id="B1")]
    page = await visit(stub.url)
    await expect(page.get_by_test_id("bot-messages")).to_contain_text("1")
    await expect(page).to_have_title("(1) Practice workspace")
    await stub.push(type="message", channel="C2", message=message(2, "U2", "hello"))
    await expect(page.get_by_test_id("channel-random").locator(".count")).to_have_text("1")
    stub.history["C2"] = [message(2, "U2", "hello")]
    await page.get_by_test_id("channel-random").click()
    await expect(page.get_by_test_id("content")).to_have_text("hello")
    await expect(page.get_by_test_id("channel-random").locator(".count")).to_have_count(0)
    await page.get_by_test_id("bot-messages").click()
    await expect(page).to_have_title("Practice workspace")
    await page.reload()
    await expect(page.get_by_test_id("content")).to_have_text("done")
    await expect(page.locator("#sidebar .count")).to_have_count(0)
    await expect(page).to_have_title("Practice workspace")


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.dataset.ts ?? document.activeElement.dataset.testid ?? ''"))


async def test_arrow_keys_move_through_messages(stub: Stub, visit: Visit) -> None:
    stub.history["C1"] = [message(n, "U2", f"m{n}") for n in range(3)]
    page = await visit(stub.url)
    await page.get_by_test_id("messages").focus()
    await page.keyboard.press("ArrowUp")
    assert await focused(page) == stub.history["C1"][2]["ts"]
    await page.keyboard.press("ArrowUp")
    assert await focused(page) == stub.history["C1"][1]["ts"]
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread")).to_be_visible()
    assert page.url.endswith(f"#C1/{stub.history['C1'][1]['ts']}")


async def test_page_reconnects_and_loads_missed_messages(stub: Stub, visit: Visit) -> None:
    stub.history["C1"] = [message(1, "U2", "before")]
    page = await visit(f"{stub.url}/?user=U2")
    await page.get_by_test_id("composer").fill("half a thought")
    stub.history["C1"] = [message(2, "U1", "meanwhile")]
    await stub.cut()
    await expect(page.get_by_test_id("connection")).to_have_text("接続しています…")
    await expect(page.get_by_test_id("connection")).to_have_text("ボット接続中")
    await expect(page.get_by_test_id("content")).to_have_text("meanwhile")
    await expect(page.get_by_test_id("composer")).to_have_value("half a thought")


async def test_unknown_person_is_replaced_by_a_known_one(stub: Stub, visit: Visit) -> None:
    page = await visit(f"{stub.url}/?user=U0GONE")
    await expect(page.get_by_test_id("person-switcher")).to_contain_text("Emma Clark")
    assert page.url == f"{stub.url}/?user=U1"


async def test_long_channel_shows_newest_messages_first(stub: Stub, visit: Visit) -> None:
    stub.history["C1"] = [message(n, "U2", f"m{n}") for n in range(450)]
    page = await visit(stub.url)
    rows = page.get_by_test_id("message")
    await expect(rows).to_have_count(200)
    await expect(rows.last).to_have_text(re.compile("m449"))
    await expect(rows.last).to_be_in_viewport()
    first = rows.first
    await first.scroll_into_view_if_needed()
    before = await first.bounding_box()
    key = await first.get_attribute("data-ts")
    await page.get_by_test_id("earlier").click()
    await expect(rows).to_have_count(400)
    after = await page.locator(f'[data-ts="{key}"]').bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 60, "the list jumped"
    await page.get_by_test_id("earlier").click()
    await expect(rows).to_have_count(450)
    await expect(page.get_by_test_id("earlier")).to_have_count(0)


async def test_incoming_messages_keep_the_cursor_in_place(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    field = page.get_by_test_id("composer")
    await field.press_sequentially("half")
    await stub.push(type="person", person=stub.hello["people"][1] | {"locale": "en-US"})
    for number in range(50):
        await stub.push(type="message", channel="C1", message=message(number, "U2", f"m{number}"))
    await expect(page.get_by_test_id("message")).to_have_count(50)
    await field.press_sequentially(" a thought")
    await expect(field).to_have_value("half a thought")
    await expect(field).to_be_focused()


COUNT_DRAWN = """() => {
  window.drawn = 0;
  new MutationObserver((all) => all.forEach((one) => (window.drawn += one.addedNodes.length)))
    .observe(document.querySelector("[data-testid=messages] .list"), { childList: true });
}"""


SCROLL_TO_TOP = """box => new Promise((noticed) => {
  box.addEventListener("scroll", noticed, { once: true });
  box.scrollTop = 0;
})"""
"""It ends when the page has noticed, which the browser tells it with its next frame."""


async def test_message_below_is_announced_by_a_pill(stub: Stub, visit: Visit) -> None:
    stub.history["C1"] = [message(n, "U2", f"m{n}") for n in range(1000)]
    page = await visit(stub.url)
    pill, rows = page.get_by_test_id("messages-pill"), page.get_by_test_id("message")
    await expect(rows.last).to_be_in_viewport()
    await stub.push(type="message", channel="C1", message=message(1000, "U2", "seen at once"))
    await expect(rows.last).to_be_in_viewport()
    await expect(pill).to_be_hidden()
    await rows.nth(100).scroll_into_view_if_needed()
    await page.evaluate(COUNT_DRAWN)
    await stub.push(type="message", channel="C1", message=message(1001, "U2", "below"))
    await expect(pill).to_have_text("1 new message")
    assert await page.evaluate("window.drawn") <= 2, "other messages were drawn again"
    await expect(rows.last).not_to_be_in_viewport()
    await pill.click()
    await expect(rows.last).to_be_in_viewport()
    await expect(pill).to_be_hidden()
    await rows.nth(100).scroll_into_view_if_needed()
    answer = message(1002, "UB", "line\n" * 80, bot_id="B1", ephemeral=True)
    await stub.push(type="message", channel="C1", message=answer)
    await expect(rows.last.get_by_text("Only visible to you")).to_be_in_viewport()


async def test_draft_and_toast_leave_the_composer_alone(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url)
    field = page.get_by_test_id("composer")
    await field.fill("half a thought")
    await page.reload()
    await page.wait_for_selector("body[data-ready]")
    await expect(field).to_have_value("half a thought")
    stub.answers["messages"] = {"ok": False, "error": "no_luck", "text": "That did not work."}
    await field.press("Enter")
    toast, send = page.get_by_test_id("toast"), page.get_by_role("button", name="Send", exact=True)
    await expect(toast).to_be_visible()
    low, box = await send.bounding_box(), await toast.bounding_box()
    assert low is not None
    assert box is not None
    assert low["y"] + low["height"] <= box["y"], "the toast covers the composer"


async def test_earlier_messages_keep_what_arrived_since(stub: Stub, visit: Visit) -> None:
    """The button stays in the page while messages arrive, and must not show the list of the time before them."""
    stub.history["C1"] = [message(n, "U1", f"line {n}") for n in range(300)]
    page = await visit(stub.url)
    box = page.get_by_test_id("messages")
    await expect(page.get_by_test_id("message").last).to_be_in_viewport()
    await box.evaluate(SCROLL_TO_TOP)
    await stub.push(type="message", channel="C1", message=message(300, "U2", "just in"))
    pill = page.get_by_test_id("messages-pill")
    await expect(pill).to_be_visible()
    await page.get_by_test_id("earlier").click()
    await expect(page.get_by_test_id("message").first).to_contain_text("line 0")
    await expect(page.get_by_test_id("message").last).to_contain_text("just in")
    await expect(page.get_by_test_id("message").filter(has_text="line 101")).to_be_in_viewport()
    await expect(pill).to_be_visible()
