"""Corrections through Slack: permissions, what is stored, and what people see."""

from typing import Any

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Source
from bot.domain.prompt import Category, Prompt
from storage.store import SqlStore
from tests.kits.slack_desk import (
    PROMPT,
    WATCHED,
    Json,
    SlackDesk,
    asked,
    card,
    controls,
    entered,
    kept,
    open_desk,
    texts,
    whispered,
)


def labels(message: Json) -> list[str]:
    """Return the labels of a card's controls for staff."""
    return [e["text"]["text"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]


async def test_agree_takes_one_press(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), "correct.agree")
    after = await priya.message(lambda m: "Confirmed by" in texts(m))
    assert f"<@{priya.user_id}>" in texts(after)
    assert controls(after) == ["correct.undo", "correct.open"]
    (row,) = await desk.rows()
    assert (row.category, row.source, row.by) == ("it", Source.AGREE, priya.user_id)


async def test_change_takes_one_press_and_drops_reason(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    before = await card(priya, ts)
    await priya.press(before, lambda e: e.get("text", {}).get("text") == "Labor 労務")
    after = await priya.message(lambda m: "Changed by" in texts(m))
    assert "The bot first said IT" in texts(after)
    assert "S0STAFF0001" in texts(after)
    (row,) = await desk.rows()
    assert (row.category, row.source, row.reason) == ("labor", Source.CHANGE, None)


async def test_three_likeliest_have_buttons_others_a_form(store: SqlStore) -> None:
    more = [Category(id=f"c{n}", name=f"Category {n}") for n in range(4)]
    prompt = Prompt(language="en", template="Choose.", categories=(*PROMPT.categories, *more))
    async with open_desk(store, prompt) as desk:
        desk.model.others = ("c2", "c1")
        ts, priya = await asked(desk), await desk.priya()
        shown = await card(priya, ts)
        assert labels(shown) == ["Right", "Category 2", "Category 1", "Labor 労務", "More…"]
        await priya.press(shown, "correct.open")
        view = await priya.view()
        await priya.choose(view, "category", "c3", entered(view, "it"))
        await priya.view()
        assert await desk.rows() == [], "a choice in the menu settles nothing"
        assert await priya.submit(view, entered(view, "c3")) == {}
        await priya.message(lambda m: "Changed by" in texts(m))
        assert [row.category for row in await desk.rows()] == ["c3"]


async def test_unsure_card_offers_three_as_equals(desk: SlackDesk) -> None:
    desk.model.confidence = 0.31
    ts, priya = await asked(desk), await desk.priya()
    shown = await card(priya, ts)
    assert labels(shown) == ["IT", "Labor 労務", "Other", "More…"]
    assert "Perhaps *IT* → <@U0PRIYA0001>" in texts(shown)
    assert "Only a guess (31%)" in texts(shown)
    assert not [e for b in shown["blocks"] for e in b.get("elements", []) if "style" in e], "nothing is primary"
    await priya.press(shown, lambda e: e.get("text", {}).get("text") == "IT")
    await priya.message(lambda m: "Confirmed by" in texts(m) and "*IT* → <@U0PRIYA0001>" in texts(m))


async def test_form_saves_category_and_reason(desk: SlackDesk) -> None:
    ts, kenji = await asked(desk), await desk.kenji()
    await kenji.press(await card(kenji, ts), "correct.open")
    view = await kenji.view()
    assert view["title"]["text"] == "変更して理由を書く"
    chosen = next(o for o in view["blocks"][0]["element"]["options"] if o["value"] == "labor")
    assert view["blocks"][0]["element"]["initial_option"]["value"] == "it"
    values = {
        "category": {"category": {"type": "static_select", "selected_option": chosen}},
        "reason.": {"reason": {"type": "plain_text_input", "value": " <!channel> it is about leave "}},
    }
    assert await kenji.submit(view, values) == {}
    after = await kenji.message(lambda m: "Changed by" in texts(m))
    assert "&lt;!channel&gt; it is about leave" in texts(after)
    (row,) = await desk.rows()
    assert (row.category, row.reason) == ("labor", "<!channel> it is about leave")


async def test_undo_reopens_question(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), "correct.agree")
    settled = await priya.message(lambda m: "Confirmed by" in texts(m))
    await priya.press(settled, "correct.undo")
    again = await priya.message(lambda m: m["ts"] == settled["ts"] and "correct.agree" in controls(m))
    assert "Confirmed by" not in texts(again)
    assert await desk.rows() == []
    assert [c.kind for c in await desk.corrections(await kept(desk, ts))] == [CorrectionKind.AGREE, CorrectionKind.UNDO]


@pytest.mark.parametrize("action", ["correct.agree", "correct.change.0", "correct.open"])
async def test_press_by_others_is_refused_in_private(desk: SlackDesk, action: str) -> None:
    ts, emily = await asked(desk), await desk.emily()
    await emily.press(await card(emily, ts), action)
    reply = await emily.message(whispered("Only staff", "<!subteam^S0STAFF0001>"))
    assert reply["thread_ts"] == ts
    assert await desk.corrections(await kept(desk, ts)) == []
    assert await desk.rows() == []
    assert "correct.agree" in controls(await card(emily, ts))


async def test_admin_is_not_automatically_staff(desk: SlackDesk) -> None:
    ts, yuko = await asked(desk), await desk.window(desk.server.people.admin)
    await yuko.press(await card(yuko, ts), "correct.agree")
    await yuko.message(whispered("窓口担当のみ"))
    assert await desk.rows() == []


async def test_unreadable_user_group_has_no_staff(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    desk.server.workspace.faults.fail("usergroups.users.list")
    await priya.press(await card(priya, ts), "correct.agree")
    await priya.message(whispered("Only staff"))
    assert await desk.rows() == []


async def test_second_press_is_told_who_was_first(desk: SlackDesk) -> None:
    ts, kenji, priya = await asked(desk), await desk.kenji(), await desk.priya()
    seen = await card(kenji, ts)
    await priya.press(seen, "correct.agree")
    await kenji.message(lambda m: "Confirmed by" in texts(m))

    await kenji.press(seen, lambda e: e.get("text", {}).get("text") == "Other")
    reply = await kenji.message(whispered(f"<@{priya.user_id}>", "*IT*", "Otherに変更"))
    assert [row.category for row in await desk.rows()] == ["it"]
    await kenji.press(reply, "correct.anyway")
    await kenji.message(lambda m: "Changed by" in texts(m))
    assert [(row.category, row.by) for row in await desk.rows()] == [("other", kenji.user_id)]
    assert [c.by for c in await desk.corrections(await kept(desk, ts))] == [priya.user_id, kenji.user_id]


async def test_same_settlement_twice_is_stored_once(desk: SlackDesk) -> None:
    ts, kenji, priya = await asked(desk), await desk.kenji(), await desk.priya()
    seen = await card(kenji, ts)
    await priya.press(seen, "correct.agree")
    await kenji.message(lambda m: "Confirmed by" in texts(m))
    await kenji.press(seen, "correct.agree")
    reply = await kenji.message(whispered("すでに同じ"))
    assert controls(reply) == []
    assert len(await desk.corrections(await kept(desk, ts))) == 1


async def test_undo_is_refused_after_somebody_elses_undo(desk: SlackDesk) -> None:
    ts, kenji, priya = await asked(desk), await desk.kenji(), await desk.priya()
    await priya.press(await card(priya, ts), "correct.agree")
    settled = await priya.message(lambda m: "Confirmed by" in texts(m))
    await kenji.press(settled, "correct.undo")
    await kenji.message(lambda m: "correct.agree" in controls(m) and m["ts"] == settled["ts"])
    await priya.press(settled, "correct.undo")
    await priya.message(whispered("open again"))
    assert len(await desk.corrections(await kept(desk, ts))) == 2


async def test_presser_is_told_when_saving_fails(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    ts, priya = await asked(desk), await desk.priya()
    shown = await card(priya, ts)

    def broken() -> Any:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "transaction", broken)
        await priya.press(shown, "correct.agree")
        await priya.message(whispered("could not be saved", "Nothing was changed"))
    assert await desk.rows() == []
    await priya.press(shown, "correct.agree")
    await priya.message(lambda m: "Confirmed by" in texts(m))


async def test_press_on_unknown_question_is_answered(desk: SlackDesk) -> None:
    priya = await desk.priya()
    value = '{"q":"nothing","s":0,"c":"it"}'
    button = {"type": "button", "action_id": "correct.agree", "value": value}
    blocks = [{"type": "actions", "elements": [{**button, "text": {"type": "plain_text", "text": "Right"}}]}]
    await desk.client.chat_postMessage(channel=WATCHED, text="old", blocks=blocks)
    await priya.press(await priya.message(lambda m: m["text"] == "old"), "correct.agree")
    await priya.message(whispered("no longer have this question"))


async def test_button_of_another_version_is_explained(desk: SlackDesk) -> None:
    priya = await desk.priya()
    button = {"type": "button", "action_id": "correct.undo", "value": "?"}
    blocks = [{"type": "actions", "elements": [{**button, "text": {"type": "plain_text", "text": "Undo"}}]}]
    await desk.client.chat_postMessage(channel=WATCHED, text="odd", blocks=blocks)
    await priya.press(await priya.message(lambda m: m["text"] == "odd"), "correct.undo")
    await priya.message(whispered("another version of the bot"))


async def test_failed_correction_gives_number_from_log(
    desk: SlackDesk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr(Correcting, "settle", broken)
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), "correct.agree")
    reply = await priya.message(whispered("could not be saved"))
    assert reply["text"].split()[-1] in caplog.text


async def test_response_url_is_used_when_ephemeral_fails(desk: SlackDesk) -> None:
    ts, emily = await asked(desk), await desk.emily()
    desk.server.workspace.faults.fail("chat.postEphemeral")
    await emily.press(await card(emily, ts), "correct.agree")
    await emily.message(whispered("Only staff"))


async def test_card_is_updated_when_slack_recovers(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    desk.server.workspace.faults.fail("chat.update", 503, calls=2)
    async with desk.time_passes():
        await priya.press(await card(priya, ts), "correct.agree")
        await priya.message(lambda m: "Confirmed by" in texts(m))
