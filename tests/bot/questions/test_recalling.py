"""Examples: corrections help similar questions at once, and an evaluation shows no answer in advance."""

from collections.abc import Sequence

import pytest

from bot.domain.audience import Audience
from bot.domain.dataset import Row, Split
from bot.domain.errors import Reason, Refused
from bot.domain.question import Disclosure, Question
from bot.domain.release import DEFAULT_RECALL, Release, ReleaseState
from bot.domain.similar import Example, Neighbour
from bot.questions.answering import Answering
from bot.questions.arrivals import questions_of
from bot.questions.classifying import Classifying
from bot.questions.recalling import Recalling
from bot.releases.releasing import Releasing
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, START, arrival, row
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer

ROWS = [
    one.model_copy(update={"split": Split.TRAIN})
    for one in (row("有給は何日前に申請？"), row("有給は何日前までに申請？"), row("PCが起動しない", "it"))
]


async def release_with_recall(store: SqlStore, clock: StepClock, k: int) -> Release:
    releasing = Releasing(store, clock)
    return await releasing.recalling((await releasing.serving()).id, k, "U3")


async def recalling_of(store: SqlStore, rows: Sequence[Row]) -> Recalling:
    async with store.transaction() as tx:
        await tx.rows.put(*rows)
    return Recalling(store, MemoryNeighbours(rows))


def question(text: str, asker: str = "U1", n: int = 1) -> Question:
    return questions_of(arrival(text, n).model_copy(update={"asker": asker}), START)[0]


async def test_number_of_examples_is_the_releases_recall(store: SqlStore, clock: StepClock) -> None:
    recalling, asked = await recalling_of(store, ROWS), question("有給は何日前？")
    none, two = await release_with_recall(store, clock, 0), await release_with_recall(store, clock, 2)
    assert await recalling.examples(none, asked) == ()
    shown = [one.text for one in await recalling.examples(two, asked)]
    assert shown == ["有給は何日前までに申請？", "有給は何日前に申請？"], (
        "the nearest comes last, right before the question"
    )
    without = [ROWS[0].group, ROWS[1].group]
    assert await recalling.examples(two, asked, without=without) == (Example(text="PCが起動しない", category="it"),)


async def test_evaluated_row_gets_no_near_copy_as_example(store: SqlStore, clock: StepClock) -> None:
    release = await release_with_recall(store, clock, 3)
    held_out = row("有給は何日前に申請").model_copy(update={"split": Split.HELD_OUT})
    examples = await (await recalling_of(store, [*ROWS, held_out])).examples_for_rows(release, [held_out])
    assert [[one.text for one in shown] for shown in examples] == [["PCが起動しない"]]


async def test_more_is_searched_where_little_may_be_shown(store: SqlStore, clock: StepClock) -> None:
    subjects = ("申請期限", "消滅時効", "時間単位", "証明書類", "計画付与")
    private = [row(f"有給の{one}を教えて").model_copy(update={"audience": Audience.PRIVATE}) for one in subjects]
    rows = [one.model_copy(update={"split": Split.TRAIN}) for one in [*private, row("有給って何？")]]
    searched: list[tuple[int, int]] = []

    class CountingNeighbours(MemoryNeighbours):
        async def nearest_apart(self, rows: Sequence[Row], k: int) -> list[list[Neighbour]]:
            searched.append((len(rows), k))
            return await super().nearest_apart(rows, k)

    async with store.transaction() as tx:
        await tx.rows.put(*rows, *ROWS)
    release = await release_with_recall(store, clock, 1)
    asked = [row("有給の残りを教えて", "labor"), row("PCが起動しません", "it")]
    shown = await Recalling(store, CountingNeighbours([*rows, *ROWS])).examples_for_rows(release, asked)
    assert [[one.text for one in found] for found in shown] == [["有給って何？"], ["PCが起動しない"]]
    assert searched == [(2, 4), (1, 16)], "only the row without an example is looked for again"


async def test_own_private_questions_are_examples_in_private(store: SqlStore, clock: StepClock) -> None:
    release = await release_with_recall(store, clock, 3)
    public, *private = [
        row(f"有給は何日前に申請？ {n}", row_id=f"r{n}").model_copy(update={"split": Split.TRAIN}) for n in range(4)
    ]
    hidden = zip(private, (Audience.PRIVATE, Audience.DIRECT, Audience.UNKNOWN), strict=True)
    rows = [public, *(one.model_copy(update={"audience": audience}) for one, audience in hidden)]
    async with store.transaction() as tx:
        for n, one in enumerate(rows):
            asked = question(one.text, "U1" if n == 2 else "U2", n)
            sent = {"disclosure": Disclosure.NAMED} if one.audience is Audience.DIRECT else {}
            await tx.questions.add(asked.model_copy(update={"id": one.id, **sent}))
    recalling = await recalling_of(store, rows)
    asked = question("有給は何日前に申請？", n=9)
    assert [one.text for one in await recalling.examples(release, asked)] == [public.text]
    direct = asked.model_copy(update={"audience": Audience.DIRECT})
    assert {one.text for one in await recalling.examples(release, direct)} == {public.text, rows[2].text}
    evaluated = row("無給は何日前に", row_id="r9")
    (shown,) = await recalling.examples_for_rows(release, [evaluated])
    assert [one.text for one in shown] == [public.text]


async def test_live_questions_come_with_examples(store: SqlStore, clock: StepClock, board: FakeAnnouncer) -> None:
    model = RuleModel({})
    await recalling_of(store, ROWS)
    answering = Answering(store, Classifying(store, model, MemoryNeighbours(ROWS), clock), board, clock)
    await answering.receive(arrival(n=1))
    await answering.answer_next()
    release = await release_with_recall(store, clock, 1)
    await Releasing(store, clock).switch(release.id, "U3")
    await answering.receive(arrival(n=2))
    await answering.answer_next()
    assert [len(examples) for examples in model.shown] == [DEFAULT_RECALL, 1]


async def test_recalling_adds_one_candidate_and_keeps_serving(store: SqlStore, clock: StepClock) -> None:
    releasing = Releasing(store, clock)
    serving = await releasing.serving()
    five = await releasing.recalling(serving.id, 5, "U3")
    assert (five.model, five.prompt_id, five.recall, five.state) == (BASE, PROMPT.id, 5, ReleaseState.CANDIDATE)
    assert await releasing.recalling(serving.id, 5, "U3") == five
    assert await releasing.recalling(five.id, serving.recall, "U3") == serving
    assert await releasing.serving() == serving
    with pytest.raises(Refused) as refused:
        await releasing.recalling("nosuch", 3, "U3")
    assert refused.value.reason is Reason.UNKNOWN_RELEASE
