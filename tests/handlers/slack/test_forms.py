"""The draft of a reason in the correction form: it fits the category, may be late, and never replaces typed text."""

import asyncio
from typing import Any

import pytest

from bot.domain.dataset import Source
from bot.practice import Person
from handlers.slack import forms
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, card, controls, drafted, entered, reason_block, texts


async def open_form(desk: SlackDesk) -> tuple[Person, Json]:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), "correct.open")
    return priya, await priya.view()


async def test_other_category_gets_its_own_draft(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    assert drafted(view) == "'laptop' stands in it", "the form opens with the verdict's reason"
    await priya.choose(view, "category", "labor", entered(view, "it"))
    waiting = await priya.view()
    assert reason_block(waiting) is None
    assert "Drafting a reason" in str(waiting["blocks"])
    view = await priya.view()
    assert drafted(view) == "'my laptop is broken' is a matter of labor"
    assert view["blocks"][0]["element"]["initial_option"]["value"] == "labor"
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "is a matter of labor" in texts(m))
    (row,) = await desk.rows()
    assert (row.category, row.reason, row.source) == (
        "labor",
        "'my laptop is broken' is a matter of labor",
        Source.CHANGE,
    )


async def test_edited_draft_is_saved(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    view = await priya.view()
    assert await priya.submit(view, entered(view, "labor", "it is about working time")) == {}
    await priya.message(lambda m: "it is about working time" in texts(m))
    assert [row.reason for row in await desk.rows()] == ["it is about working time"]


async def test_draft_does_not_replace_typed_reason(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    await priya.choose(view, "category", "labor", entered(view, "it", "my own words"))
    with pytest.raises(TimeoutError):
        await priya.view(timeout=0.3)
    values = entered(view, "labor", "my own words")
    assert await priya.submit(view, values) == {}
    await priya.message(lambda m: "my own words" in texts(m))
    assert [(row.category, row.reason) for row in await desk.rows()] == [("labor", "my own words")]


async def test_early_submit_drops_old_reason(desk: SlackDesk) -> None:
    """At that moment the form still shows the verdict's reason, which belongs to another category."""
    priya, view = await open_form(desk)
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "corrected by" in texts(m))
    assert [(row.category, row.reason) for row in await desk.rows()] == [("labor", None)]


async def test_form_opens_with_draft_for_settled_category(desk: SlackDesk) -> None:
    ts, kenji = await asked(desk), await desk.kenji()
    await kenji.press(await card(kenji, ts), lambda e: e.get("text", {}).get("text") == "Labor 労務")
    settled = await kenji.message(lambda m: "correct.undo" in controls(m))
    await kenji.press(settled, "correct.open")
    waiting = await kenji.view()
    assert "下書きを作っています" in str(waiting["blocks"])
    assert "is a matter of labor" in (drafted(await kenji.view()) or "")


async def test_reason_is_empty_when_model_fails(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    desk.model.fail(1)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    view = await priya.view()
    assert reason_block(view) is not None
    assert drafted(view) is None
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "corrected by" in texts(m))
    assert [row.reason for row in await desk.rows()] == [None]


async def test_slow_draft_is_given_up(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "DRAFT_SECONDS", 0.05)
    hold = asyncio.Event()

    async def slow(*_args: object) -> str:
        await hold.wait()
        return "too late"

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await open_form(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    assert drafted(await priya.view()) is None


async def test_only_draft_of_last_choice_is_shown(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asyncio.Event()
    original = desk.model.reason

    async def slow(model: Any, prompt: Any, text: str, category: str) -> str:
        if category == "labor":
            await first.wait()
        return await original(model, prompt, text, category)

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await open_form(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    waiting = await priya.view()
    await priya.choose(waiting, "category", "other", entered(waiting, "labor"))
    await priya.view()
    assert "a matter of other" in (drafted(await priya.view()) or "")
    first.set()
    with pytest.raises(TimeoutError):
        await priya.view(timeout=0.3)


async def test_closed_form_causes_no_error(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release = asyncio.Event()
    original = desk.model.reason

    async def slow(model: Any, prompt: Any, text: str, category: str) -> str:
        await release.wait()
        return await original(model, prompt, text, category)

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await open_form(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.close(await priya.view())
    release.set()
    await priya.say(WATCHED, "leave please")
    await desk.settled()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]
