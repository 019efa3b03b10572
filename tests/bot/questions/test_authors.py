"""Questions with other people's words: answered as usual, and each author is asked once for an agreement."""

from collections.abc import Sequence

import pytest

from bot.domain.audience import Audience
from bot.domain.consent import Author, Consent
from bot.domain.question import Arrival, ArrivalKind, Question, Via
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.delivery_desk import DeliveryDesk
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, Fault

TOMO, YUI = Author(id="U7", channel="C9", ts="7.000100"), Author(id="U8", channel="C9", ts="8.000100")


class AuthorDesk(AnswerDesk):
    """Answering, and the delivery of what it queues."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store, RuleModel({"有給": "labor", "PC": "it"}, 0.9), FakeAnnouncer(), StepClock())
        self.deliveries = DeliveryDesk(store, self.board, self.clock)

    async def asked(self) -> list[str]:
        """Deliver everything; return the ids of the authors who were asked so far."""
        await self.deliveries.deliver()
        return [author for _, author in self.board.asked]

    async def kept(self) -> Question:
        question = await self.question()
        assert question is not None
        return question


@pytest.fixture
def desk(store: SqlStore) -> AuthorDesk:
    return AuthorDesk(store)


def quoting(text: str, *quotes: str, authors: Sequence[Author] = (TOMO,)) -> Arrival:
    return arrival(text).model_copy(update={"quotes": quotes, "authors": tuple(authors)})


def edited(version: Arrival) -> Arrival:
    edit = {"event_id": "edit", "kind": ArrivalKind.EDITED, "said": "1.000200"}
    return version.model_copy(update=edit)


async def test_quotes_are_classified_with_the_text(desk: AuthorDesk) -> None:
    await desk.ask(quoting("お願いします", "有給は？ 連絡は tomo@example.com へ", "至急です"))
    question = await desk.kept()
    assert question.text == "お願いします\n有給は？ 連絡は [mail] へ\n至急です"
    assert desk.model.asked == [question.text]
    assert (question.asker, question.withheld) == ("U1", True)


async def test_each_author_is_asked_once(desk: AuthorDesk) -> None:
    await desk.ask(quoting("", "有給は？", authors=[TOMO, YUI, TOMO.model_copy(update={"ts": "9.0"})]))
    desk.board.faults.add("ask_author", Fault.LOST)
    assert await desk.asked() == ["U7", "U8"]


async def test_nobody_is_asked_about_direct_messages(desk: AuthorDesk) -> None:
    await desk.ask(quoting("", "有給は？").model_copy(update={"via": Via.DM, "audience": Audience.DIRECT}))
    assert await desk.asked() == []
    assert (await desk.kept()).withheld


async def test_author_who_answered_first_is_not_asked(desk: AuthorDesk) -> None:
    await desk.ask(quoting("", "有給は？"))
    question = await desk.kept()
    async with desk.store.transaction() as tx:
        said = TOMO.model_copy(update={"consent": Consent.NO})
        await tx.questions.edit(question.model_copy(update={"authors": (said,)}))
    assert await desk.asked() == []


async def test_edit_asks_only_new_authors(desk: AuthorDesk) -> None:
    await desk.ask(quoting("PC", "有給は？"))
    assert await desk.asked() == ["U7"]
    await desk.ask(edited(quoting("PC です", "有給は？", "遅い", authors=[TOMO, YUI])))
    assert (await desk.kept()).authors == (TOMO, YUI)
    assert await desk.asked() == ["U7", "U8"]


async def test_edit_without_quotes_frees_the_text(desk: AuthorDesk) -> None:
    await desk.ask(quoting("これは？", "有給は？"))
    await desk.ask(edited(arrival("PC が遅い")))
    question = await desk.kept()
    assert (question.text, question.authors, question.withheld) == ("PC が遅い", (), False)


async def test_edit_keeps_author_of_shortcut(desk: AuthorDesk) -> None:
    author = Author(id="U1", channel="C1", ts="1.000100")
    await desk.ask(quoting("有給は？", authors=[author]).model_copy(update={"via": Via.SHORTCUT}))
    await desk.ask(edited(arrival("PC が遅い")))
    question = await desk.kept()
    assert (question.text, question.authors) == ("PC が遅い", (author,))
