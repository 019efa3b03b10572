"""One person's settlements: shown, set aside until an admin looks, and withdrawn together, at the wire."""

from datetime import timedelta

import pytest

from bot.domain.correction import Press
from bot.domain.dataset import Row, Source, Split
from bot.practice import Person
from bot.questions.recalling import Recalling
from handlers.texts.words import Words
from handlers.views.status import paragraphs
from tests.bot.things import row, rows_of
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, card, details, eventually, kept, private, texts

LOOK, KEEP, LEAVE = "aside.look", "aside.keep", "aside.leave"


async def admin(desk: SlackDesk) -> Person:
    yuko = await desk.window(desk.server.people.admin)
    await yuko.set_locale("en-US")
    return yuko


async def settle_rows(desk: SlackDesk) -> list[Row]:
    """Store rows of three people; one of them settled 60 of 100."""
    people = ["U0KENJI0001"] * 60 + ["U0PRIYA0001"] * 20 + ["U0AIKO00001"] * 20
    labor, it = rows_of(Split.TRAIN, "labor", 50), rows_of(Split.TRAIN, "it", 50)
    found = [
        row.model_copy(update={"by": by, "source": Source.AGREE, "settled_at": row.settled_at + timedelta(days=n)})
        for n, (row, by) in enumerate(zip([*labor, *it], people, strict=True))
    ]
    async with desk.store.transaction() as tx:
        await tx.rows.put(*found)
    return found


async def test_too_large_share_waits_until_an_admin_looks(desk: SlackDesk) -> None:
    rows = await settle_rows(desk)
    frozen = await desk.acts.exporting.export()
    kept = {row.id for row in rows[:40]} | {row.id for row in rows[60:]}
    assert set(frozen.texts) == kept
    assert frozen.manifest.left_out["set_aside"] == 20
    assert sum(frozen.manifest.settlers["U0KENJI0001"].values()) == 40

    yuko = await admin(desk)
    await yuko.command("/finetune status")
    status = await yuko.message(private("set aside"))
    assert "<@U0KENJI0001>" in texts(status)
    assert "20 confirmed answers" in texts(status)
    shown = await details(yuko, status)
    assert "<@U0KENJI0001>: 60 (60%)" in shown

    await yuko.press(status | {"channel": WATCHED}, LOOK)
    waiting = await yuko.message(private("hard work"))
    assert "20 above 40%" in texts(waiting)
    await yuko.press(waiting, KEEP)
    await eventually(lambda: nothing_waits(desk))
    assert set((await desk.acts.exporting.export()).texts) == {row.id for row in rows}
    await yuko.command("/finetune audit")
    assert "kept what was set aside of <@U0KENJI0001>" in texts(await yuko.message(private("newest first")))


async def nothing_waits(desk: SlackDesk) -> bool:
    return not (await desk.acts.guarding.look()).people


async def test_left_out_rows_train_and_measure_nothing(desk: SlackDesk) -> None:
    rows = await settle_rows(desk)
    assert await desk.acts.guarding.decide("U0KENJI0001", "U0YUKO00001", keep=False) == 20
    assert await nothing_waits(desk)
    aside = {row.id for row in rows[40:60]}
    assert aside.isdisjoint((await desk.acts.exporting.export()).texts)
    _, judged = await desk.acts.evaluating._rows(await desk.acts.releasing.serving())
    assert aside.isdisjoint({row.id for row in judged})


def settled_in_a_burst(text: str) -> list[Row]:
    """Return rows of three people. One of them settled 60 within a minute, among them this text as labor."""
    usual = [
        one.model_copy(update={"by": by, "source": Source.AGREE, "settled_at": one.settled_at + timedelta(days=n)})
        for by in ("U0KENJI0001", "U0PRIYA0001", "U0AIKO00001")
        for n, one in enumerate(rows_of(Split.TRAIN, f"usual {by}", 5))
    ]
    sudden = [row(text, "labor"), *rows_of(Split.TRAIN, "sudden", 59)]
    at = usual[0].settled_at + timedelta(days=9)
    taken_over = {"by": "U0KENJI0001", "source": Source.CHANGE, "settled_at": at, "category": "labor"}
    return [*usual, *(one.model_copy(update=taken_over) for one in sudden)]


async def test_burst_answers_nothing_until_an_admin_looks(desk: SlackDesk) -> None:
    text = "my laptop is on fire"
    async with desk.store.transaction() as tx:
        await tx.rows.put(*settled_in_a_burst(text))
    recalling = Recalling(desk.store, desk.neighbours)
    asker = await desk.emily()
    for looked, category in ((False, "IT"), (True, "Labor")):
        if looked:
            yuko = await admin(desk)
            await yuko.command("/finetune status")
            await yuko.press((await yuko.message(private("set aside"))) | {"channel": WATCHED}, LOOK)
            await yuko.press(await yuko.message(private("hard work")), KEEP)
            await eventually(lambda: nothing_waits(desk))
        ts = await asked(desk, text)
        assert category in texts(await card(asker, ts)), "the model says IT, the burst says labor"
        examples = {one.text for one in await recalling.nearest(text, 3)}
        assert (text in examples) is looked


async def test_rows_left_out_answer_nothing(desk: SlackDesk) -> None:
    text = "my laptop is on fire"
    async with desk.store.transaction() as tx:
        await tx.rows.put(*settled_in_a_burst(text))
    assert await desk.acts.guarding.decide("U0KENJI0001", "U0YUKO00001", keep=False) == 60
    ts = await asked(desk, text)
    assert "IT" in texts(await card(await desk.emily(), ts))


async def test_busy_persons_rows_still_answer(desk: SlackDesk) -> None:
    rows = await settle_rows(desk)
    newest = rows[59]
    assert newest.id in (await desk.acts.guarding.look()).waiting
    await asked(desk, newest.text)
    assert desk.model.asked == [], "memory repeats what a colleague said"


async def test_only_admins_look_and_withdraw(desk: SlackDesk) -> None:
    await settle_rows(desk)
    kenji = await desk.kenji()
    await kenji.set_locale("en-US")
    await kenji.command("/finetune withdraw @priya.nair")
    assert "settled" not in texts(await kenji.message(lambda m: bool(m.get("ephemeral"))))


async def settle(desk: SlackDesk, staff: Person, ts: str) -> None:
    await staff.press((await card(staff, ts)) | {"channel": WATCHED}, "correct.agree")
    await eventually(lambda: is_settled(desk, ts))


async def is_settled(desk: SlackDesk, ts: str) -> bool:
    question = await desk.question(WATCHED, ts)
    async with desk.store.snapshot() as tx:
        return question is not None and await tx.rows.get(question.id) is not None


async def withdraw(desk: SlackDesk, typed: str, asked: str = "You can undo it") -> Json:
    """Type the command, agree to what is asked, and return the message with the offer to undo it."""
    yuko = await admin(desk)
    await yuko.command(f"/finetune withdraw {typed}")
    await yuko.press(await yuko.message(private(asked)), "withdraw.confirm")
    return await yuko.message(private("are taken back"))


async def test_withdrawal_reaches_memory_and_cards(desk: SlackDesk) -> None:
    kenji, priya = await desk.kenji(), await desk.priya()
    mine, other = await asked(desk, "my laptop is broken"), await asked(desk, "may I take leave in May")
    await settle(desk, kenji, mine)
    await settle(desk, priya, other)
    await asked(desk, "my laptop is broken")
    assert len(desk.model.asked) == 2, "memory answered"

    done = await withdraw(desk, "@kenji.takahashi")
    assert "1 answer that <@U0KENJI0001> settled" in texts(done).replace("answers", "answer")
    assert [await is_settled(desk, ts) for ts in (mine, other)] == [False, True]
    await asked(desk, "my laptop is broken")
    assert len(desk.model.asked) == 3, "memory has forgotten it"

    yuko = await admin(desk)
    await yuko.press(done, "withdraw.undo")
    await eventually(lambda: is_settled(desk, mine))
    await asked(desk, "my laptop is broken")
    assert len(desk.model.asked) == 3
    question = await desk.question(WATCHED, mine)
    assert question is not None
    said = await desk.corrections(question)
    assert [one.by for one in said] == ["U0KENJI0001", "U0YUKO00001", "U0KENJI0001"]


async def test_date_limits_what_is_withdrawn(desk: SlackDesk) -> None:
    kenji = await desk.kenji()
    early = await asked(desk, "my laptop is broken")
    await settle(desk, kenji, early)
    desk.clock.advance(days=3)
    late = await asked(desk, "may I take leave in May")
    await settle(desk, kenji, late)
    await withdraw(desk, f"@kenji.takahashi since {desk.clock.now():%Y年%m月%d日}", "settled since <!date")
    assert [await is_settled(desk, ts) for ts in (early, late)] == [True, False]


@pytest.mark.parametrize(
    "typed", ["", "everything", "@kenji.takahashi since yesterday", "@kenji.takahashi since 2026-13-41"]
)
async def test_unclear_words_change_nothing(desk: SlackDesk, typed: str) -> None:
    yuko = await admin(desk)
    await yuko.command(f"/finetune withdraw {typed}")
    await yuko.message(private("Please name a person"))


async def test_two_of_staff_agree_on_held_out_rows(desk: SlackDesk) -> None:
    kenji, priya = await desk.kenji(), await desk.priya()
    held_out = next(row.text for row in rows_of(Split.HELD_OUT, "it", 1))
    ts = await asked(desk, held_out)
    await settle(desk, kenji, ts)
    assert (await desk.acts.reporting.status()).seconded == (0, 1)
    question = await kept(desk, ts)
    await desk.acts.correcting.settle(Press(question_id=question.id, category=None, seen=1, by=priya.user_id))
    status = await desk.acts.reporting.status()
    assert status.seconded == (1, 1)
    assert "agree on 1 of 1" in "\n".join(paragraphs(status, Words("en")))
