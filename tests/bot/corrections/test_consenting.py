"""Rows of questions with other people's words: only once each of these people has agreed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corrections.consenting import Consenting
from bot.domain.consent import Author, Consent, answered, merged, waiting, withheld
from bot.domain.errors import Reason, Refused
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import StepClock

TOMO, YUI = Author(id="U7", channel="C9", ts="1.000100"), Author(id="U8", channel="C9", ts="2.000100")


class ConsentDesk(CorrectionDesk):
    """A question with the words of other people, and the act that takes their answers."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        super().__init__(store, clock)
        self.neighbours = RowNeighbours(store)
        self.consenting = Consenting(store, self.neighbours, clock)

    async def ask_quoting(self, *authors: Author) -> None:
        quoting = arrival("お願いします").model_copy(update={"quotes": ("有給は何日前？",), "authors": authors})
        await self.ask_arrival(quoting)

    async def say(self, agreed: bool, by: str = "U7") -> Consent:  # noqa: FBT001 - reads as yes or no
        return await self.consenting.answer(self.question, by, agreed=agreed)


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock) -> ConsentDesk:
    desk = ConsentDesk(store, clock)
    await desk.ask_quoting(TOMO)
    return desk


async def test_correction_counts_without_a_row(desk: ConsentDesk) -> None:
    card = await desk.press("it", seen=0)
    assert card.settled is not None
    assert card.settled.category == "it"
    assert len(await desk.corrections()) == 1
    assert await desk.row() is None


async def test_yes_makes_row_of_newest_correction(desk: ConsentDesk) -> None:
    await desk.press("it", seen=0)
    await desk.press("labor", seen=1, by="U3")
    assert await desk.say(agreed=True) is Consent.YES
    row = await desk.row()
    assert row is not None
    assert (row.text, row.category, row.by) == ("お願いします\n有給は何日前？", "labor", "U3")
    assert [one.category for one in await desk.neighbours.near(row.text)] == ["labor"]


async def test_correction_after_yes_makes_row(desk: ConsentDesk) -> None:
    await desk.say(agreed=True)
    assert await desk.row() is None
    await desk.press("it", seen=0)
    assert await desk.row() is not None


async def test_yes_after_undo_makes_no_row(desk: ConsentDesk) -> None:
    await desk.press("it", seen=0)
    await desk.correcting.undo(desk.question, 1, "U2")
    await desk.say(agreed=True)
    assert await desk.row() is None


async def test_no_is_final_and_withdraws_row(desk: ConsentDesk) -> None:
    await desk.press("it", seen=0)
    await desk.say(agreed=True)
    assert await desk.say(agreed=False) is Consent.NO
    assert await desk.row() is None
    assert await desk.say(agreed=True) is Consent.NO
    await desk.press("labor", seen=1)
    assert await desk.row() is None


@pytest.mark.parametrize("by", ["U1", "U2", "U9", ""])
async def test_nobody_answers_for_the_author(desk: ConsentDesk, by: str) -> None:
    await desk.press("it", seen=0)
    with pytest.raises(Refused) as refused:
        await desk.say(agreed=True, by=by)
    assert refused.value.reason is Reason.NOT_AUTHOR
    assert await desk.row() is None


async def test_every_author_must_agree(store: SqlStore, clock: StepClock) -> None:
    desk = ConsentDesk(store, clock)
    await desk.ask_quoting(TOMO, YUI, TOMO.model_copy(update={"ts": "3.000100"}))
    await desk.press("it", seen=0)
    await desk.say(agreed=True)
    assert await desk.row() is None
    await desk.say(agreed=True, by="U8")
    assert await desk.row() is not None


async def test_unknown_question_is_refused(desk: ConsentDesk) -> None:
    with pytest.raises(Refused) as refused:
        await desk.consenting.answer("nothing", "U7", agreed=True)
    assert refused.value.reason is Reason.UNKNOWN_QUESTION


AUTHORS = st.lists(st.builds(Author, id=st.sampled_from("AB"), channel=st.just("C"), ts=st.sampled_from("12")))


@settings(deadline=None)
@given(AUTHORS, st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from([Consent.YES, Consent.NO]))))
def test_text_is_free_only_after_each_yes(authors: list[Author], said: list[tuple[str, Consent]]) -> None:
    now = tuple(authors)
    for who, consent in said:
        now = answered(now, who, consent)
    agreed = {who for who, consent in said if consent is Consent.YES} - {w for w, c in said if c is Consent.NO}
    assert withheld(now) == (not {author.id for author in authors} <= agreed)
    assert set(waiting(now)) == {author.id for author in authors} - {who for who, _ in said}
    assert waiting(now, asked=authors) == []


def test_edit_keeps_answers_about_same_messages() -> None:
    agreed = answered((TOMO,), "U7", Consent.YES)
    assert merged([TOMO, YUI], agreed, "C1", "5.0") == (*agreed, YUI)
    assert merged([YUI], agreed, "C1", "5.0") == (YUI,)
    assert merged([], agreed, "C9", "1.000100") == agreed
