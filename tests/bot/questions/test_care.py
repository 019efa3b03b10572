"""Cries for help are answered in private, and nothing else is kept of them."""

import logging

import pytest

from bot.domain.audience import Audience
from bot.domain.question import Arrival, ArrivalKind, Ending, Notice, Via
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, Fault

CRY = "もう死にたいです"


@pytest.fixture
def desk(store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock) -> AnswerDesk:
    return AnswerDesk(store, model, board, clock)


def edit(text: str, n: int = 1, second: int = 5) -> Arrival:
    changed = {"event_id": f"edit{n}.{second}", "kind": ArrivalKind.EDITED, "said": f"{n}.{second:06}"}
    return arrival(text, n).model_copy(update=changed)


async def endings(desk: AnswerDesk, n: int = 1) -> list[Ending | None]:
    async with desk.store.transaction() as tx:
        return [ending for _, ending in await tx.inbox.of(arrival(n=n).place)]


async def test_cry_is_answered_and_not_kept(desk: AnswerDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await desk.ask(arrival(CRY))
    assert desk.board.notices == [("1.000100", Notice.CARE)]
    assert (desk.answers, desk.model.asked, await desk.questions()) == (0, [], 0)
    assert await endings(desk) == [Ending.CARE]
    async with desk.store.transaction() as tx:
        assert [one.text for one, _ in await tx.inbox.of(arrival().place)] == [""]
    assert "死" not in caplog.text


async def test_quoted_cry_counts(desk: AnswerDesk) -> None:
    await desk.ask(arrival("これ、どうすれば").model_copy(update={"quotes": (CRY,)}))
    assert desk.board.notices == [("1.000100", Notice.CARE)]


async def test_edit_into_cry_takes_the_card_away(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は何日前？"))
    question = await desk.question()
    assert question
    asked = list(desk.model.asked)
    await desk.ask(edit(CRY))
    assert (desk.answers, desk.board.notices, desk.model.asked) == (0, [("1.000100", Notice.CARE)], asked)
    async with desk.store.transaction() as tx:
        hidden = await tx.questions.get(question.id)
        assert hidden
        assert (hidden.text, hidden.audience, hidden.unsent) == ("有給は何日前？", Audience.DIRECT, True)
        assert await tx.questions.open(10) == []
    await desk.ask(edit("やっぱり大丈夫です", second=6))
    await desk.ask(edit(CRY, second=7))
    assert (desk.answers, len(desk.board.notices)) == (0, 1)
    assert await endings(desk) == [Ending.ANSWERED, Ending.CARE, Ending.IGNORED, Ending.IGNORED]


async def test_undeletable_card_does_not_stop_the_answer(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は何日前？"))
    desk.board.faults.add("take_back", Fault.DOWN)
    await desk.ask(edit(CRY))
    assert desk.board.notices == [("1.000100", Notice.CARE)]


async def test_shortcut_on_answered_cry_answers_nothing(desk: AnswerDesk) -> None:
    await desk.ask(arrival(CRY))
    await desk.ask(arrival(CRY, via=Via.SHORTCUT).model_copy(update={"event_id": "shortcut"}))
    assert len(desk.board.notices) == 1


async def test_given_up_cry_is_never_public(desk: AnswerDesk) -> None:
    desk.board.faults.add("post_notice", Fault.REFUSED, times=2)
    await desk.ask(arrival(CRY))
    assert desk.board.notices == []
    assert await endings(desk) == [Ending.FAILED]
