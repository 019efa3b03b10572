"""The review queue through Slack: permissions, what is shown, and that one press is a full correction."""

import pytest

from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Source, Split, group_of
from handlers.views.ids import QUEUE_UNDO, REVIEW_NEXT, REVIEW_SETTLE
from handlers.views.review import PAGE_SIZE
from tests.bot.things import row
from tests.kits.slack_desk import (
    WATCHED,
    SlackDesk,
    asked,
    card,
    controls,
    eventually,
    kept,
    private,
    queue,
    texts,
    whispered,
)


async def test_staff_settle_an_entry_with_one_press(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    shown = await queue(priya)
    assert "> my laptop is broken" in texts(shown)
    assert "The bot said *IT*" in texts(shown)
    assert "No confirmed question is like it yet · The bot is fairly sure (87%)" in texts(shown)
    await priya.press(shown, lambda e: e.get("text", {}).get("text") == "Labor 労務")
    await priya.message(private("✅ Labor 労務 · my laptop is broken", "1 answer confirmed"))
    (correction,) = await desk.corrections(await kept(desk, ts))
    assert (correction.kind, correction.category, correction.by) == (CorrectionKind.CHANGE, "labor", priya.user_id)
    (settled,) = await desk.rows()
    assert (settled.category, settled.reason, settled.source) == ("labor", None, Source.CHANGE)
    assert "Changed by" in texts(await priya.message(lambda m: m.get("thread_ts") == ts and "Changed" in texts(m)))


async def test_conflict_shows_both_wordings_and_settles_both(desk: SlackDesk) -> None:
    priya, kenji = await desk.priya(), await desk.kenji()
    one, other = await asked(desk, "leave for moving"), await asked(desk, "leave for moving?")
    await priya.press(await card(priya, one), "correct.agree")
    await kenji.press(await card(kenji, other), lambda e: e.get("text", {}).get("text") == "IT")
    await kenji.message(lambda m: m.get("thread_ts") == other and f"<@{kenji.user_id}>" in texts(m))
    shown = await queue(priya)
    for part in ("confirmed differently", "> leave for moving", "> leave for moving?", "*Labor 労務*", "*IT*"):
        assert part in texts(shown)
    assert f"<@{kenji.user_id}>" in texts(shown)
    assert f"<@{priya.user_id}>" in texts(shown)
    desk.clock.advance(seconds=5)
    await priya.press(shown, lambda e: e.get("text", {}).get("text") == "Labor 労務")
    done = await priya.message(private("confirmed. Thank you"))
    assert {(r.category, r.by) for r in await desk.rows()} == {("labor", priya.user_id)}
    last = (await desk.corrections(await kept(desk, other)))[-1]
    assert (last.kind, last.by) == (CorrectionKind.AGREE, priya.user_id)
    desk.clock.advance(seconds=5)
    await priya.press(done, QUEUE_UNDO)

    async def disagree_again() -> bool:
        return sorted(r.category for r in await desk.rows()) == ["it", "labor"]

    await eventually(disagree_again)


async def eventually_rows(desk: SlackDesk, count: int) -> None:
    async def has_count() -> bool:
        return len(await desk.rows()) == count

    await eventually(has_count)


async def test_near_duplicates_in_two_groups_are_one_conflict(desk: SlackDesk) -> None:
    """Similarity is not transitive: a question between two others joins the group of the nearer one."""
    priya, kenji = await desk.priya(), await desk.kenji()
    first, last = "laptop dock hdmi monitor flickering", "laptop dock hdmi monitor flickering today desperately"
    await priya.press(await card(priya, await asked(desk, first)), "correct.agree")
    await eventually_rows(desk, 1)
    ts = await asked(desk, last)
    await kenji.press(await card(kenji, ts), lambda e: e.get("text", {}).get("text") == "Other")
    await eventually_rows(desk, 2)
    await priya.press(await card(priya, await asked(desk, f"{first} today")), "correct.agree")
    await eventually_rows(desk, 3)
    one, between, other = sorted(await desk.rows(), key=lambda row: len(row.text) if row.text != last else 99)
    assert one.group == between.group != other.group
    shown = await queue(priya)
    for part in ("confirmed differently", f"> {last}", f"> {first} today", "*IT*", "*Other*"):
        assert part in texts(shown)
    await priya.press(shown, lambda e: e.get("text", {}).get("text") == "IT")
    await priya.message(private("confirmed. Thank you"))
    assert {row.category for row in await desk.rows()} == {"it"}
    assert await desk.neighbours.conflicts() == []
    assert [c.by for c in await desk.corrections(await kept(desk, ts))] == [kenji.user_id, priya.user_id]


async def test_next_page_shows_other_entries(desk: SlackDesk) -> None:
    priya = await desk.priya()
    for n in range(PAGE_SIZE + 2):
        await asked(desk, f"my laptop is broken in way {n}")
    shown = await queue(priya, "here")
    assert len([a for a in controls(shown) if a == f"{REVIEW_SETTLE}.0"]) == PAGE_SIZE
    assert f"{PAGE_SIZE + 2} questions to confirm" in texts(shown)
    await priya.press(shown, f"{REVIEW_SETTLE}.0")
    shown = await priya.message(lambda m: "✅" in texts(m) and f"{PAGE_SIZE + 1} questions" in texts(m))
    first = {line for line in texts(shown).splitlines() if line.startswith("> ")}
    await priya.press(shown, REVIEW_NEXT)
    shown = await priya.message(lambda m: m["ts"] == shown["ts"] and "✅" not in texts(m))
    second = {line for line in texts(shown).splitlines() if line.startswith("> ")}
    assert len(first) == PAGE_SIZE
    assert len(second) == 2
    assert not first & second


async def test_queue_in_channel_is_for_all_staff(desk: SlackDesk) -> None:
    await asked(desk)
    priya, kenji, emily = await desk.priya(), await desk.kenji(), await desk.emily()
    await emily.say(await emily.dm(), "my laptop knows a secret")
    await kenji.answer(await kenji.say("C0OPS000001", "@madoguchi my laptop knows another secret"))
    await desk.settled()
    await queue(priya, "here")
    shown = next(m for m in await kenji.history(WATCHED) if f"{REVIEW_SETTLE}.0" in controls(m))
    assert "secret" not in texts(shown)
    await emily.press(shown, f"{REVIEW_SETTLE}.0")
    await emily.message(whispered("Only staff"))
    assert await desk.rows() == []
    await kenji.press(shown, f"{REVIEW_SETTLE}.0")
    after = await emily.message(lambda m: m["ts"] == shown["ts"] and "✅" in texts(m))
    assert "0 questions to confirm" in texts(after), "a message that everybody sees keeps its language"
    assert not after.get("ephemeral")


async def test_second_press_sees_the_first_settlement(desk: SlackDesk) -> None:
    ts, priya, kenji = await asked(desk), await desk.priya(), await desk.kenji()
    shown = await queue(priya)
    await kenji.press(await card(kenji, ts), "correct.agree")
    await priya.message(lambda m: m.get("thread_ts") == ts and "Confirmed by" in texts(m))
    await priya.press(shown, lambda e: e.get("text", {}).get("text") == "Other")
    await priya.message(private("Somebody else was first"))
    assert [r.category for r in await desk.rows()] == ["it"]


@pytest.mark.parametrize("who", ["emily", "tom"])
async def test_others_do_not_see_the_queue(desk: SlackDesk, who: str) -> None:
    await asked(desk)
    person = await getattr(desk, who)()
    await person.command("/finetune review")
    reply = await person.message(private("Only staff"))
    assert "laptop" not in texts(reply)


async def test_conflict_of_imported_rows_is_settled(desk: SlackDesk) -> None:
    async with desk.store.transaction() as tx:
        for n, category in enumerate(("labor", "it")):
            imported = row("parental leave" + "?" * n, category, row_id=f"import:{n}")
            await tx.rows.put(imported.model_copy(update={"by": "import", "source": Source.IMPORT}))
    priya = await desk.priya()
    shown = await queue(priya)
    assert "imported" in texts(shown)
    await priya.press(shown, lambda e: e.get("text", {}).get("text") == "Other")
    await priya.message(private("1 answer confirmed"))
    rows = await desk.rows()
    assert {(r.category, r.by, r.group) for r in rows} == {("other", priya.user_id, group_of("parental leave"))}
    assert {r.split for r in rows} <= set(Split)
