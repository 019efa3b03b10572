"""The form's draft of a reason: it fits the chosen category, may come late, and never writes over a person."""

import asyncio
from typing import Any

import pytest

from bot.domain.dataset import Source
from bot.practice import Person
from handlers.slack import forms
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, card, controls, drafted, entered, reason_block, texts


async def opened(desk: SlackDesk) -> tuple[Person, Json]:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), "correct.open")
    return priya, await priya.view()


async def test_another_category_brings_a_draft_that_argues_for_it(desk: SlackDesk) -> None:
    priya, view = await opened(desk)
    assert drafted(view) == "'laptop' stands in it", "the verdict's own reason argues for its own category"
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


async def test_the_draft_may_be_edited(desk: SlackDesk) -> None:
    priya, view = await opened(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    view = await priya.view()
    assert await priya.submit(view, entered(view, "labor", "it is about working time")) == {}
    await priya.message(lambda m: "it is about working time" in texts(m))
    assert [row.reason for row in await desk.rows()] == ["it is about working time"]


async def test_a_persons_own_words_are_not_written_over(desk: SlackDesk) -> None:
    priya, view = await opened(desk)
    await priya.choose(view, "category", "labor", entered(view, "it", "my own words"))
    with pytest.raises(TimeoutError):
        await priya.view(timeout=0.3)
    values = entered(view, "labor", "my own words")
    assert await priya.submit(view, values) == {}
    await priya.message(lambda m: "my own words" in texts(m))
    assert [(row.category, row.reason) for row in await desk.rows()] == [("labor", "my own words")]


async def test_saved_before_the_draft_came_the_old_reason_is_not_kept(desk: SlackDesk) -> None:
    """The form still shows the verdict's reason, for another category than the one that is saved."""
    priya, view = await opened(desk)
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "corrected by" in texts(m))
    assert [(row.category, row.reason) for row in await desk.rows()] == [("labor", None)]


async def test_a_settled_category_without_a_reason_gets_a_draft_when_the_form_opens(desk: SlackDesk) -> None:
    ts, kenji = await asked(desk), await desk.kenji()
    await kenji.press(await card(kenji, ts), lambda e: e.get("text", {}).get("text") == "Labor 労務")
    settled = await kenji.message(lambda m: "correct.undo" in controls(m))
    await kenji.press(settled, "correct.open")
    waiting = await kenji.view()
    assert "下書きを作っています" in str(waiting["blocks"])
    assert "is a matter of labor" in (drafted(await kenji.view()) or "")


async def test_where_the_model_does_not_answer_the_place_is_empty(desk: SlackDesk) -> None:
    priya, view = await opened(desk)
    desk.model.fail(1)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    view = await priya.view()
    assert reason_block(view) is not None
    assert drafted(view) is None
    assert await priya.submit(view, entered(view, "labor")) == {}
    await priya.message(lambda m: "corrected by" in texts(m))
    assert [row.reason for row in await desk.rows()] == [None]


async def test_a_draft_that_takes_too_long_is_not_waited_for(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "DRAFT_SECONDS", 0.05)
    hold = asyncio.Event()

    async def slow(*_args: object) -> str:
        await hold.wait()
        return "too late"

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await opened(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.view()
    assert drafted(await priya.view()) is None


async def test_of_two_choices_only_the_last_ones_draft_is_shown(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asyncio.Event()
    quick = desk.model.reason

    async def slow(model: Any, prompt: Any, text: str, category: str) -> str:
        if category == "labor":
            await first.wait()
        return await quick(model, prompt, text, category)

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await opened(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    waiting = await priya.view()
    await priya.choose(waiting, "category", "other", entered(waiting, "labor"))
    await priya.view()
    assert "a matter of other" in (drafted(await priya.view()) or "")
    first.set()
    with pytest.raises(TimeoutError):
        await priya.view(timeout=0.3)


async def test_a_form_that_was_closed_meanwhile_is_no_trouble(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = asyncio.Event()
    quick = desk.model.reason

    async def slow(model: Any, prompt: Any, text: str, category: str) -> str:
        await told.wait()
        return await quick(model, prompt, text, category)

    monkeypatch.setattr(desk.model, "reason", slow)
    priya, view = await opened(desk)
    await priya.choose(view, "category", "labor", entered(view, "it"))
    await priya.close(await priya.view())
    told.set()
    await priya.say(WATCHED, "leave please")
    await desk.settled()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]
