"""The suggested reason in the correction form: it fits the category, may be late, and is taken only by a press."""

import asyncio
from typing import Any

import pytest

from bot.domain.dataset import Source
from bot.practice import Person
from handlers.slack import forms
from tests.kits.slack_desk import (
    WATCHED,
    Json,
    SlackDesk,
    asked,
    card,
    controls,
    drafted,
    entered,
    reason_block,
    suggested,
    texts,
)


async def open_form(desk: SlackDesk) -> tuple[Person, Json]:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), "correct.open")
    return priya, await priya.view()


async def test_suggestion_is_taken_only_by_a_press(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    assert (drafted(view), suggested(view)) == (None, None)
    assert suggested(await priya.view()) is None, "one word is no reason"
    await priya.choose(view, "category", "labor", entered(view, "it"))
    assert "Looking for a suggestion" in str((await priya.view())["blocks"])
    view = await priya.view()
    suggestion = "'my laptop is broken' is a matter of labor"
    assert (drafted(view), suggested(view)) == (None, suggestion)
    assert view["blocks"][0]["element"]["initial_option"]["value"] == "labor"
    await priya.press(view, "correct.use_draft", entered(view, "labor"))
    view = await priya.view()
    assert (drafted(view), suggested(view)) == (suggestion, None)
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "is a matter of labor" in texts(m))
    assert [(row.category, row.reason, row.source) for row in await desk.rows()] == [
        ("labor", suggestion, Source.CHANGE)
    ]


async def test_unused_suggestion_is_no_reason(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    await priya.view()
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    view = await priya.view()
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "Changed by" in texts(m))
    assert [row.reason for row in await desk.rows()] == [None]


async def test_typed_reason_survives_another_choice(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    await priya.view()
    await priya.choose(view, "category", "labor", entered(view, "it", "my own words"))
    await priya.view()
    view = await priya.view()
    block = reason_block(view)
    assert block
    assert (drafted(view), block["block_id"]) == (None, "reason."), "Slack keeps this input's text"
    assert await priya.submit(view, entered(view, "labor", "my own words")) == {}
    await priya.message(lambda m: "my own words" in texts(m))
    assert [(row.category, row.reason) for row in await desk.rows()] == [("labor", "my own words")]


async def test_used_suggestion_goes_with_its_category(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    await priya.view()
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    await priya.press(await priya.view(), "correct.use_draft", entered(view, "labor"))
    used = await priya.view()
    assert await priya.submit(used, entered(used, "other")) == {}, "sent before the form knew of the other category"
    await priya.message(lambda m: "Changed by" in texts(m))
    assert [(row.category, row.reason) for row in await desk.rows()] == [("other", None)]


async def test_form_suggests_reason_for_settled_category(desk: SlackDesk) -> None:
    ts, kenji = await asked(desk), await desk.kenji()
    await kenji.press(await card(kenji, ts), lambda e: e.get("text", {}).get("text") == "Labor 労務")
    settled = await kenji.message(lambda m: "correct.undo" in controls(m))
    await kenji.press(settled, "correct.open")
    assert "候補を探しています" in str((await kenji.view())["blocks"])
    assert "is a matter of labor" in (suggested(await kenji.view()) or "")


async def test_reason_is_empty_when_model_fails(desk: SlackDesk) -> None:
    priya, view = await open_form(desk)
    await priya.view()
    desk.model.fail(1)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    view = await priya.view()
    assert reason_block(view) is not None
    assert suggested(view) is None
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "Changed by" in texts(m))
    assert [row.reason for row in await desk.rows()] == [None]


async def test_slow_draft_is_given_up(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "DRAFT_SECONDS", 0.05)
    hold = asyncio.Event()

    async def slow(*_args: object) -> str:
        await hold.wait()
        return "too late"

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await open_form(desk)
    await priya.view()
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    assert suggested(await priya.view()) is None


async def test_only_draft_of_last_choice_is_shown(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asyncio.Event()
    original = desk.model.reason

    async def slow(model: Any, prompt: Any, text: str, category: str) -> str:
        if category == "labor":
            await first.wait()
        return await original(model, prompt, text, category)

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await open_form(desk)
    await priya.view()
    await priya.choose(view, "category", "labor", entered(view, "it"))
    waiting = await priya.view()
    await priya.choose(waiting, "category", "other", entered(waiting, "labor"))
    await priya.view()
    assert "a matter of other" in (suggested(await priya.view()) or "")
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
    await priya.view()
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.close(await priya.view())
    release.set()
    await priya.say(WATCHED, "leave please")
    await desk.settled()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]
