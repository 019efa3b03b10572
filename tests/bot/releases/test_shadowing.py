"""The shadow: it answers live questions, and nobody sees its answers."""

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.audience import Audience
from bot.domain.correction import Press
from bot.domain.dataset import Split
from bot.domain.errors import ModelRefused, Reason, Refused
from bot.domain.release import Release, ReleaseState
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from bot.questions.delivering import Delivering
from bot.releases.releasing import Releasing
from bot.releases.shadowing import DAY, SHADOW_TRIES, SHADOW_WAIT, Shadowing
from storage.store import SqlStore
from tests.bot.things import arrival, row
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer
from tests.kits.finetune_bench import OneEmbedded


class ShadowDesk:
    """A desk whose model answers "labor" to everything, and whose shadow answers "it" to a question about a PC."""

    def __init__(self, store: SqlStore, clock: StepClock, per_day: int = 100) -> None:
        self.store = store
        self.clock = clock
        self.board = FakeAnnouncer()
        self.neighbours = MemoryNeighbours()
        self.model, self.shadow_model = RuleModel({"PC": "labor", "有給": "labor"}), RuleModel({"PC": "it"})
        self.answering = Answering(store, Classifying(store, self.model, self.neighbours, clock), self.board, clock)
        self.delivering = Delivering(store, self.board, clock)
        self.shadowing = Shadowing(store, self.shadow_model, self.neighbours, clock, per_day=per_day)
        self.releasing = Releasing(store, clock)
        self.asked = 0

    async def candidate(self, recall: int = 1) -> Release:
        return await self.releasing.recalling((await self.releasing.serving()).id, recall, "U3")

    async def ask(self, text: str, audience: Audience = Audience.PUBLIC) -> str:
        """Ask a question and return its id."""
        self.asked += 1
        await self.answering.receive(arrival(text, self.asked).model_copy(update={"audience": audience}))
        await self.answering.answer_next()
        return list(self.board.cards)[-1]

    async def open_entries(self) -> int:
        async with self.store.transaction() as tx:
            return (await tx.outbox.lag(self.clock.now()))[0]


@pytest.fixture
def desk(store: SqlStore, clock: StepClock) -> ShadowDesk:
    return ShadowDesk(store, clock)


async def test_question_from_memory_is_no_shadows(desk: ShadowDesk) -> None:
    release = await desk.candidate()
    await desk.shadowing.start(release.id, "U3")
    settled = row("PCが壊れた", "it").model_copy(update={"audience": Audience.PUBLIC})
    desk.neighbours.rows.append(settled)
    async with desk.store.transaction() as tx:
        await tx.rows.put(settled)
    await desk.ask("PCが壊れた")
    assert await desk.open_entries() == 0
    assert desk.model.asked == []


async def state_of(desk: ShadowDesk, release: Release) -> ReleaseState:
    return (await desk.releasing.named(release.id)).state


async def test_nothing_is_queued_without_a_shadow(desk: ShadowDesk) -> None:
    await desk.ask("PCが壊れた")
    assert await desk.open_entries() == 0
    assert not await desk.shadowing.shadow_next()
    for verb in (desk.shadowing.report(), desk.shadowing.stop("U3")):
        with pytest.raises(Refused) as refused:
            await verb
        assert refused.value.reason is Reason.NO_SHADOW


async def test_shadow_answers_unseen_and_agreement_is_reported(desk: ShadowDesk) -> None:
    release = await desk.candidate()
    assert (await desk.shadowing.start(release.id, "U3")).state is ReleaseState.SHADOW
    first, second = await desk.ask("PCが壊れた"), await desk.ask("有給は何日？")
    assert not await desk.delivering.deliver_next(), "a shadow's question is no delivery"
    assert await desk.shadowing.shadow_next()
    assert await desk.shadowing.shadow_next()
    assert not await desk.shadowing.shadow_next()
    assert [len(posted) for posted in desk.board.cards.values()] == [1, 1]
    assert {posted[0].verdict.category for posted in desk.board.cards.values()} == {"labor"}
    correcting = Correcting(desk.store, MemoryNeighbours(), desk.clock)
    await correcting.settle(Press(question_id=first, category="it", seen=0, by="U2"))
    await correcting.settle(Press(question_id=second, category="labor", seen=0, by="U2"))
    report = await desk.shadowing.report()
    assert (report.release.id, report.today) == (release.id, 2)
    agreement = report.agreement
    assert (agreement.questions, agreement.same) == (2, 0)
    assert (agreement.only_serving_right, agreement.only_shadow_right) == (1, 1)
    assert agreement.by_category == {"labor": (0, 2)}


async def test_new_shadow_replaces_old_one_and_restores_state(desk: ShadowDesk) -> None:
    serving, one, two = await desk.releasing.serving(), await desk.candidate(1), await desk.candidate(2)
    await desk.shadowing.start(one.id, "U3")
    await desk.shadowing.start(one.id, "U3")
    await desk.shadowing.start(two.id, "U3")
    assert await state_of(desk, one) is ReleaseState.CANDIDATE
    await desk.releasing.switch(one.id, "U3")
    await desk.shadowing.start(serving.id, "U3")
    assert await state_of(desk, two) is ReleaseState.CANDIDATE
    await desk.shadowing.stop("U3")
    assert await state_of(desk, serving) is ReleaseState.RETIRED
    with pytest.raises(Refused) as refused:
        await desk.shadowing.start(one.id, "U3")
    assert refused.value.reason is Reason.ALREADY_SERVING
    with pytest.raises(Refused) as refused:
        await desk.shadowing.start("nosuch", "U3")
    assert refused.value.reason is Reason.UNKNOWN_RELEASE


async def test_serving_release_is_no_longer_the_shadow(desk: ShadowDesk) -> None:
    release = await desk.candidate()
    await desk.shadowing.start(release.id, "U3")
    await desk.ask("PCが壊れた")
    await desk.releasing.switch(release.id, "U3")
    assert await desk.shadowing.shadow_next()
    assert desk.shadow_model.asked == []


async def test_daily_maximum_is_kept_and_renewed(store: SqlStore, clock: StepClock) -> None:
    desk = ShadowDesk(store, clock, per_day=2)
    await desk.shadowing.start((await desk.candidate()).id, "U3")
    for n in range(3):
        await desk.ask(f"PCが壊れた {n}")
    while await desk.shadowing.shadow_next():
        pass
    assert len(desk.shadow_model.asked) == 2
    clock.advance(seconds=DAY.total_seconds() + 1)
    await desk.ask("PCが壊れた 4")
    assert await desk.shadowing.shadow_next()
    assert len(desk.shadow_model.asked) == 3


async def test_failing_shadow_is_retried_then_dropped_quietly(desk: ShadowDesk) -> None:
    await desk.shadowing.start((await desk.candidate()).id, "U3")
    desk.shadow_model.fail(SHADOW_TRIES)
    await desk.ask("PCが壊れた")
    for _ in range(SHADOW_TRIES):
        assert await desk.shadowing.shadow_next()
        assert not await desk.shadowing.shadow_next()
        desk.clock.advance(seconds=SHADOW_WAIT.total_seconds())
    assert await desk.open_entries() == 0
    desk.shadow_model.fail(1, ModelRefused("no"))
    await desk.ask("PCが遅い")
    assert await desk.shadowing.shadow_next()
    assert await desk.open_entries() == 0
    assert (await desk.shadowing.report()).agreement.questions == 0
    assert [len(posted) for posted in desk.board.cards.values()] == [1, 1]


async def test_question_settled_meanwhile_is_no_example(desk: ShadowDesk) -> None:
    await desk.shadowing.start((await desk.candidate()).id, "U3")
    question = await desk.ask("PCが壊れた")
    await Correcting(desk.store, MemoryNeighbours(), desk.clock).settle(
        Press(question_id=question, category="it", seen=0, by="U2")
    )
    async with desk.store.transaction() as tx:
        settled = await tx.rows.get(question)
    assert settled
    to_train = {"split": Split.TRAIN}
    desk.neighbours.rows = [one.model_copy(update=to_train) for one in (settled, row("PCが遅い", "it"))]
    async with desk.store.transaction() as tx:
        await tx.rows.put(*desk.neighbours.rows)
    await desk.shadowing.shadow_next()
    assert [[one.text for one in shown] for shown in desk.shadow_model.shown] == [["PCが遅い"]]


@pytest.mark.parametrize("audience", [Audience.PRIVATE, Audience.UNKNOWN])
async def test_shadow_elsewhere_reads_nothing_private(desk: ShadowDesk, audience: Audience) -> None:
    await desk.shadowing.start((await desk.candidate()).id, "U3")
    await desk.ask("PCが壊れた", audience)
    while await desk.shadowing.shadow_next():
        pass
    assert desk.shadow_model.asked == []
    here = Shadowing(desk.store, desk.shadow_model, desk.neighbours, desk.clock, per_day=9, embedded=OneEmbedded())
    await desk.ask("PCが遅い", audience)
    while await here.shadow_next():
        pass
    assert desk.shadow_model.asked == ["PCが遅い"]
