"""An ordinary day, in a real browser: in English on a desktop, in Japanese on a phone."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from bot.domain.digest import DIGEST_TOPIC
from bot.finetunes.digesting import Digesting
from handlers.views import ids
from tests.loop.browser_story import Window
from tests.loop.day import LONG_MS, Day, Live, press, react, reply

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(300)]

EMOJI = "rocket"
TWO_QUESTIONS = {
    "en": "My laptop does not start, who can fix it?\nAlso, how do I apply for parental leave?",
    "ja": "ノートPCが起動しません。誰に直してもらえますか？\nあと、育児休業の申請方法を教えてください。",
}
CRY = {"en": "I feel like killing myself", "ja": "もう死にたいです"}
MOST_SKIPS = 12


# --- an employee and a member of staff


async def test_askers_and_staff_walk_their_points(live: Live) -> None:
    async with live(bot_emoji=EMOJI) as day:
        # First of all, because the bot caches the members of a channel for a minute.
        day.server.channels.ops.members.remove(day.server.people.staff[2].id)
        await walk_the_queue(day)
        await ask_and_be_done(day)
        await ask_two_things(day)
        await ask_for_help_in_private(day)
        await ask_in_a_direct_message(day)
        await make_a_message_a_question(day)
        await lock_what_is_private(day)


async def walk_the_queue(day: Day) -> None:
    """Skip, set aside, undo, settle: App Home tells after each press where the person is."""
    asked = list(day.story.usual)[2:5]
    for text in asked:
        await day.desk.ask(text)
    staff = await day.window(day.desk.staff)
    home = staff.page.get_by_test_id("home")
    await staff.page.evaluate("location.hash = '#home'")

    async def at(number: int) -> None:
        await expect(home).to_contain_text(day.words("review.focus.title", at=number, of=3), timeout=LONG_MS)

    await at(1)
    shown = await home.inner_text()
    (first,) = [text for text in asked if text in shown]
    await press(staff.action(ids.QUEUE_SKIP))
    await expect(home).not_to_contain_text(first, timeout=LONG_MS)
    await at(1)
    await press(staff.action(ids.QUEUE_ASIDE))
    await at(2)
    await press(staff.action(ids.QUEUE_UNDO))
    await at(1)
    await press(staff.action(f"{ids.QUEUE_SETTLE}.0"))
    await at(2)
    await expect(home).to_contain_text("✅", timeout=LONG_MS)
    await press(staff.action(f"{ids.QUEUE_SETTLE}.0"))
    await day.sees(home, "review.focus.skipped")
    await press(staff.action(ids.QUEUE_RESUME))
    await day.sees(home, "review.focus.last")


async def ask_and_be_done(day: Day) -> None:
    """The owner takes the question and answers, staff keep the answer, and the asker says what came of it."""
    about_leave = next(iter(day.story.usual))  # which this member of staff looks after
    ts = (await day.desk.ask(about_leave))["thread_ts"]
    staff, asker = await day.window(day.desk.staff), await day.window(day.desk.employee)
    await asker.at(day.desk.channel, ts)
    await staff.at(day.desk.channel, ts)
    question = staff.thread.get_by_test_id("message").first
    await react(staff, question, "eyes")
    await day.sees(asker.thread, "card.signal.taken")
    await react(staff, question, "white_check_mark")
    await day.sees(asker.thread, "card.signal.done")

    await reply(staff, day.story.because)
    answer = staff.thread.get_by_test_id("message").filter(has_text=day.story.because)
    await expect(answer).to_be_visible(timeout=LONG_MS)
    await answer.focus()
    await answer.get_by_test_id("message-menu").press("Enter")
    await press(staff.page.get_by_test_id(f"shortcut-{ids.KEEP}"))
    await press(staff.page.get_by_test_id("submit"))
    await day.sees(staff.thread, "keep.guide_kept")

    await press(asker.thread.locator(f'[data-action-id="{ids.FEEDBACK}"]').first)
    await day.sees(asker.thread, "card.solved")
    await reply(asker, day.story.again)
    await press(asker.action(ids.FOLLOW_UP_YES))
    await day.sees(asker.thread, "follow_up.taken")


async def ask_two_things(day: Day) -> None:
    """One card names both teams and has controls for each."""
    card = await day.desk.ask(TWO_QUESTIONS[day.story.language])
    asker = await day.window(day.desk.employee)
    await asker.at(day.desk.channel, card["thread_ts"])
    shown = asker.thread.get_by_test_id("message").nth(1)
    await expect(shown.locator(f'[data-action-id="{ids.AGREE}"]')).to_have_count(2, timeout=LONG_MS)
    category = day.running.core.prompt.category("it")
    assert category
    await expect(shown).to_contain_text(day.words.name(category))


async def ask_for_help_in_private(day: Day) -> None:
    asker = await day.window(day.desk.employee)
    await asker.at(day.desk.channel)
    await asker.type(CRY[day.story.language])
    await day.sees(asker.page.get_by_test_id("messages"), "notice.care")


async def ask_in_a_direct_message(day: Day) -> None:
    """Nobody is told of the first message. The second one is sent on, and arrives in the ops channel."""
    asker, texts_asked = await day.window(day.desk.employee), list(day.story.usual)[5:7]
    page = asker.page
    drawer = page.get_by_test_id("drawer")
    if await drawer.is_visible():
        await drawer.click()
    await page.get_by_test_id("bot-messages").click()
    messages, address = page.get_by_test_id("messages"), page.url
    for text in texts_asked:
        await page.goto(address)
        await asker.type(text)
        mine = messages.get_by_test_id("message").filter(has_text=text)
        await press(mine.get_by_test_id("thread-bar"))
        await day.sees(asker.thread, "direct.open")
        if text == texts_asked[0]:
            await press(asker.action(ids.DIRECT_KEEP))
            await day.sees(asker.thread, "direct.kept")
    await press(asker.action(ids.DIRECT_SEND))
    await press(asker.action(ids.DIRECT_NAMED))
    await day.sees(asker.thread, "direct.named")
    staff = await day.window(day.desk.staff)
    await staff.at(day.server.channels.ops.id)
    messages = staff.page.get_by_test_id("messages")
    await day.sees(messages, "direct.asks")
    await expect(messages).to_contain_text(texts_asked[1])
    await expect(messages).not_to_contain_text(texts_asked[0])


async def make_a_message_a_question(day: Day) -> None:
    """An emoji asks the bot in a channel that it does not watch."""
    ops = day.server.channels.ops.id
    await day.desk.staff.say(ops, day.story.similar)
    staff = await day.window(day.desk.staff)
    await staff.at(ops)
    message = staff.page.get_by_test_id("messages").get_by_test_id("message").filter(has_text=day.story.similar)
    await react(staff, message, EMOJI)
    await press(message.get_by_test_id("thread-bar"))
    await expect(staff.action(ids.AGREE)).to_be_visible(timeout=LONG_MS)


async def lock_what_is_private(day: Day) -> None:
    """Check that a private channel's question has a lock in the queue, and is in no stranger's queue."""
    member, other = await day.window(day.desk.staff), await day.window_of(day.server.people.staff[2].id)
    shown = await skip_through_the_queue(day, member)
    (found,) = [text for text in shown if day.story.similar in text]
    assert f"🔒 {day.words('review.focus.private')}" in found
    assert day.server.channels.ops.name in found
    seen = await skip_through_the_queue(day, other)
    assert seen
    assert not [text for text in seen if day.story.similar in text]


async def skip_through_the_queue(day: Day, window: Window) -> list[str]:
    """Skip each question of the queue in App Home, and return what stood above the button each time."""
    home, shown = window.page.get_by_test_id("home"), []
    await window.page.evaluate("location.hash = '#home'")
    for _ in range(MOST_SKIPS):
        await expect(window.action(ids.QUEUE_SKIP).or_(window.action(ids.QUEUE_RESUME))).to_be_visible(timeout=LONG_MS)
        if not await window.action(ids.QUEUE_SKIP).count():
            break
        shown.append((await home.inner_text()).partition(day.words("review.focus.skip"))[0])
        block = await window.action(ids.QUEUE_SKIP).get_attribute("data-block-id")
        await window.action(ids.QUEUE_SKIP).click()
        await expect(window.page.locator(f'[data-block-id="{block}"]')).to_have_count(0, timeout=LONG_MS)
    return shown


# --- an admin


async def test_admins_walk_their_points(live: Live) -> None:
    async with live() as day:
        await stop_the_digest(day)
        await edit_the_prompt(day)


async def stop_the_digest(day: Day) -> None:
    """Read the week's summary, stop it, and have it sent again."""
    acts, ports = day.running.core.acts, day.running.core.ports
    now = ports.clock.now()
    await day.desk.ask(day.story.asked)
    week = await Digesting(ports.store, acts.glancing, None, ports.clock).digest(now + timedelta(minutes=1))  # type: ignore[arg-type]
    async with ports.store.transaction() as tx:
        await tx.outbox.add(DIGEST_TOPIC, "a-monday", {"digest": week.model_dump_json()}, now)
    admin = await day.window(day.desk.admin)
    await admin.at(day.server.channels.ops.id)
    messages = admin.page.get_by_test_id("messages")
    await press(admin.action(ids.DIGEST_STOP))
    await day.sees(messages, "digest.stopped")
    await press(admin.action(ids.DIGEST_RESUME))
    await expect(admin.action(ids.DIGEST_STOP)).to_be_visible(timeout=LONG_MS)


async def edit_the_prompt(day: Day) -> None:
    """Choose an owner from the people of the workspace."""
    admin = await day.window(day.desk.admin)
    await admin.at(day.desk.channel)
    await admin.type("/finetune prompt")
    await press(admin.page.locator(f'[data-action-id="{ids.PROMPT_EDIT}"]').first)
    owner = admin.page.get_by_test_id("modal").locator(f'[data-action-id="{ids.OWNER}"]')
    await expect(owner).to_be_visible(timeout=LONG_MS)
    name = day.server.people.employees[0].names[day.story.language]
    label = await owner.locator("option", has_text=name).first.inner_text()
    await owner.select_option(label=label)
    await admin.page.locator(f'[data-action-id="{ids.TEAM}"]').select_option(label=day.words("prompt.form.no_team"))
    await press(admin.page.get_by_test_id("submit"))
    await day.sees(admin.page.get_by_test_id("messages"), "prompt.saved.contacts")
