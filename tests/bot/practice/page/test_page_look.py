"""The look of the page: contrast, themes, phone layout and both languages."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.bot.practice.page.page_stub import Json, Stub, message, option, plain
from tests.kits.browser import PHONE, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Returns each visible text with the contrast (WCAG 2) between its colour and its background.
CONTRASTS = """() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = color; pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    const seen = node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!texts.currentNode.data.trim() || !seen) continue;
    const [one, two] = [light(rgba(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    found.push([(one + 0.05) / (two + 0.05), texts.currentNode.data.trim(), node.className]);
  }
  return found;
}"""


def fill_history(stub: Stub) -> None:
    elements = [
        {"type": "button", "action_id": style, "text": plain(style), "style": style} for style in ("primary", "danger")
    ]
    levels = [
        {"type": "alert", "level": level, "text": {"type": "mrkdwn", "text": f"{level} <@U1> <@U2> `code`"}}
        for level in ("info", "warning", "error", "success")
    ]
    blocks = [{"type": "actions", "elements": elements}, *levels, {"type": "unheard_of"}]
    stub.history["C1"] = [
        message(
            1, "U1", "`code` <https://example.com|link>", reactions=[{"name": "nope", "users": ["U1"], "count": 1}]
        ),
        message(2, "UB", "card", bot_id="B1", blocks=blocks, reply_count=2, reply_users=["U1"]),
        message(3, "UB", "private", bot_id="B1", ephemeral=True),
    ]
    stub.history["D1"] = [message(1, "UB", "done", bot_id="B1")]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_text_meets_wcag_aa_contrast(theme: str, stub: Stub, visit: Visit) -> None:
    fill_history(stub)
    page = await visit(stub.url, theme=theme)
    await expect(page.locator(".count")).to_be_visible()
    await page.get_by_test_id("composer").fill("/none")
    await page.get_by_test_id("composer").press("Enter")
    await expect(page.get_by_test_id("toast")).to_be_visible()
    await page.get_by_test_id("person-switcher").click()
    found = await page.evaluate(CONTRASTS)
    assert len(found) > 40
    assert [one for one in found if one[0] < 4.5] == []
    block: Json = {"type": "input", "block_id": "b", "label": plain("Kind"), "hint": plain("hint"), "optional": False}
    block["element"] = {"type": "radio_buttons", "action_id": "a", "options": [option("A", "a")]}
    await stub.push(type="view", view={"id": "V1", "title": plain("T"), "submit": plain("S"), "blocks": [block]})
    await page.get_by_test_id("submit").click()
    await expect(page.get_by_test_id("field-error")).to_be_visible()
    assert [one for one in await page.evaluate(CONTRASTS) if one[0] < 4.5] == []


async def background(page: Page) -> str:
    return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))


async def test_theme_follows_the_system_until_chosen(stub: Stub, visit: Visit) -> None:
    page = await visit(stub.url, theme="dark")
    dark = await background(page)
    await page.get_by_test_id("theme").click()
    light = await background(page)
    assert dark != light
    await page.reload()
    await page.wait_for_selector("body[data-ready]")
    assert await background(page) == light


async def test_phone_has_a_drawer_and_full_page_threads(stub: Stub, visit: Visit) -> None:
    root = message(1, "U1", "question", reply_count=1, reply_users=["UB"])
    wide = message(2, "U2", "x" * 400 + " https://example.com/" + "y" * 300)
    stub.history["C1"] = [root, wide]
    stub.replies = [root]
    page = await visit(stub.url, size=PHONE)
    sidebar = page.locator("#sidebar")
    await expect(sidebar).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    await page.get_by_test_id("drawer").click()
    await expect(sidebar).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(sidebar).to_be_hidden()
    await page.get_by_test_id("drawer").click()
    await page.get_by_test_id("channel-random").click()
    await expect(page.locator("h1")).to_have_text("random")
    await expect(sidebar).to_be_hidden()
    await page.go_back()
    await page.get_by_test_id("thread-bar").click()
    await expect(page.locator("#thread")).to_be_visible()
    await expect(page.locator("#main")).to_be_hidden()
    box = await page.locator("#thread").bounding_box()
    assert box is not None
    assert box["width"] == PHONE[0]
    await page.get_by_test_id("close-thread").click()
    await expect(page.locator("#main")).to_be_visible()


async def test_page_texts_are_complete_and_follow_the_person(stub: Stub, visit: Visit) -> None:
    page = await visit(f"{stub.url}/?user=U2")
    await expect(page.get_by_test_id("composer")).to_have_attribute("placeholder", "#general へのメッセージ")
    assert await page.evaluate("document.documentElement.lang") == "ja"
    words = await page.evaluate("import('/page/static/words.js').then(({ WORDS }) => WORDS)")
    assert words["en"].keys() == words["ja"].keys()
    for key, english in words["en"].items():
        assert set(re.findall(r"\{\d\}", english)) == set(re.findall(r"\{\d\}", words["ja"][key])), key
    await page.get_by_test_id("locale").click()
    assert await stub.wait_for_request("locale") == {"user": "U2", "locale": "en-US"}
    await stub.push(type="person", person=stub.hello["people"][1] | {"locale": "en-US"})
    await expect(page.get_by_test_id("composer")).to_have_attribute("placeholder", "Message #general")


async def test_time_beside_a_following_message_is_whole(stub: Stub, visit: Visit) -> None:
    first = message(0, "U1", "first")
    stub.history["C1"] = [first, first | {"ts": first["ts"].replace(".", ".1"), "text": "and one more"}]
    page = await visit(stub.url)
    times = page.locator(".side-time")
    await expect(times).to_have_count(1)
    assert await times.evaluate("element => element.scrollWidth <= element.clientWidth"), await times.inner_text()


async def test_size_of_a_small_file_is_in_bytes(stub: Stub, visit: Visit) -> None:
    files = [{"id": f"F{size}", "name": "a.txt", "size": size, "mimetype": "text/plain"} for size in (555, 38_200)]
    stub.history["C1"] = [message(1, "U1", "files", files=files)]
    page = await visit(stub.url)
    shown = page.locator(".file")
    await expect(shown.first).to_contain_text("555 bytes")
    await expect(shown.last).to_contain_text("38.2 kB")
