"""Evaluations: each row is asked once, faults and interruptions are survived, and the gate decides."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.audience import Audience
from bot.domain.dataset import Row, Split
from bot.domain.errors import ModelDown, ModelRefused
from bot.domain.evidence import EvidenceKind
from bot.domain.gate import GateReason, Outcome
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName, Release, ReleaseState
from bot.domain.scorecard import KeptFigures
from bot.domain.similar import Example, Neighbour
from bot.ports import Answer, Neighbours, NothingEmbedded
from bot.releases.evaluating import CONCURRENT_CLASSIFICATIONS, MOST_FAILURES, Evaluating, Throttle
from bot.releases.releasing import Releasing, add_candidate
from bot.similarity.neighbours import RowNeighbours
from handlers.texts.words import Words
from handlers.views.gate import finding_lines
from storage.results import SqlResults
from storage.rows import SqlRows
from storage.store import SqlStore
from tests.bot.things import PROMPT, no_attacks, row, rows_of
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator
from tests.kits.finetune_bench import OneEmbedded

HELD_OUT = [*rows_of(Split.HELD_OUT, "labor", 3), *rows_of(Split.HELD_OUT, "it", 2)]
TRAIN = rows_of(Split.TRAIN, "labor", 4)


class TwoModels(RuleModel):
    """A model that answers from a table for each model name."""

    def __init__(self, tables: dict[str, dict[str, str]]) -> None:
        super().__init__({})
        self.tables = tables
        self.down: set[str] = set()
        self.by: Counter[str] = Counter()

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        self.by[model.model] += 1
        if model.model in self.down:
            raise ModelDown("down")
        self.rules = self.tables[model.model]
        return await super().classify(model, prompt, text, examples, explain=explain)


@pytest.fixture
def model() -> TwoModels:
    return TwoModels({"base": {"labor": "labor"}, "new": {"labor": "labor", "it": "it"}})


@pytest.fixture
async def release(store: SqlStore, clock: StepClock) -> Release:
    await put(store, [*HELD_OUT, *TRAIN])
    return await Releasing(store, clock).serving()


async def put(store: SqlStore, rows: Sequence[Row]) -> None:
    async with store.transaction() as tx:
        for one in rows:
            await tx.rows.put(one)


async def candidate(store: SqlStore, clock: StepClock, model: str = "new") -> Release:
    async with store.transaction() as tx:
        name = ModelName(provider="local", model=model)
        return await add_candidate(tx, clock.now(), name, prompt_id=PROMPT.id, by="U9", why="finetune")


def evaluating_of(
    store: SqlStore,
    model: RuleModel,
    clock: StepClock,
    neighbours: Neighbours | None = None,
    pauses: Any = (0.0, 0.0),
    **choices: Any,
) -> Evaluating:
    return Evaluating(
        store,
        model,
        clock,
        attacks=no_attacks,
        neighbours=neighbours or RowNeighbours(store),
        estimator=CountingEstimator(),
        per_second={"local": 1e6},
        pauses=pauses,
        **choices,
    )


@pytest.fixture
def evaluating(store: SqlStore, model: TwoModels, clock: StepClock) -> Evaluating:
    return evaluating_of(store, model, clock)


async def test_figures_cover_held_out_rows_only(evaluating: Evaluating, release: Release) -> None:
    found = await evaluating.evaluate(release)
    assert (found.card.rows, found.card.right, found.card.release_id) == (5, 3, release.id)
    assert found.card.confusion == {("labor", "labor"): 3, ("it", "other"): 2}
    assert found.decision is None, "the serving release needs no decision"
    assert (found.before, found.changes) == (None, ())


async def test_no_text_is_asked_twice_across_restarts(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    for _ in range(2):
        await evaluating_of(store, model, clock).evaluate(release)
    await put(store, [HELD_OUT[0].model_copy(update={"category": "it"})])
    again = await evaluating_of(store, model, clock).evaluate(release)
    assert again.card.right == 2, "a row that was settled again is judged again"
    assert sorted(model.asked) == sorted(one.text for one in [*HELD_OUT, *TRAIN])


async def test_candidate_is_compared_and_changed_rows_are_listed(
    evaluating: Evaluating, store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    model.tables["new"] = {"it": "it", TRAIN[0].text: "other", "labor": "labor"}
    found = await evaluating.evaluate(await candidate(store, clock))
    assert found.before is not None
    assert found.decision is not None
    assert found.decision.comparison is not None
    assert (found.card.right, found.before.right) == (5, 3)
    fixed = {one.id for one in HELD_OUT if one.category == "it"}
    assert set(found.decision.comparison.fixed) == fixed
    assert (found.decision.outcome, found.decision.why) == (Outcome.NOT_ENOUGH, GateReason.UNCLEAR)
    assert found.evidence is not None
    assert found.evidence.kinds == {EvidenceKind.HELD_OUT: 5, EvidenceKind.NEWER: 4}, "both are untrained"
    assert [(c.row.id, c.before, c.now) for c in found.broken] == [(TRAIN[0].id, "labor", "other")]
    assert {c.row.id for c in found.changes if c.fixed} == fixed


async def test_evaluation_reports_the_cost_per_answer(evaluating: Evaluating, release: Release) -> None:
    found = await evaluating.evaluate(release)
    wanted = CountingEstimator().cost(release.model, found.card.tokens_in, found.card.tokens_out)
    assert wanted is not None
    assert found.usd == pytest.approx(wanted / 5)


async def test_no_comparison_when_serving_model_is_down(
    evaluating: Evaluating, store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    model.down.add("base")
    found = await evaluating.evaluate(await candidate(store, clock))
    assert found.card.right == 5
    assert found.before is None
    assert found.decision is not None
    assert (found.decision.outcome, found.decision.why) == (Outcome.NOT_ENOUGH, GateReason.UNKNOWN)


async def test_failed_row_is_asked_again_later(evaluating: Evaluating, release: Release, model: TwoModels) -> None:
    model.fail(3)
    found = await evaluating.evaluate(release)
    assert (found.card.rows, found.card.right) == (5, 3)
    assert len(model.asked) == 9 + 3


async def test_failed_evaluation_continues_where_it_stopped(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    first = evaluating_of(store, model, clock, pauses=())
    model.fail(1)
    with pytest.raises(ModelDown):
        await first.evaluate(release)
    assert len(model.asked) == 9
    await first.evaluate(release)
    assert len(model.asked) == 10, "only the row that had failed"


async def test_run_stops_when_model_refuses_everything(
    evaluating: Evaluating, store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    await put(store, rows_of(Split.HELD_OUT, "other", 60))
    model.fail(1_000, ModelRefused("no such model"))
    with pytest.raises(ModelRefused, match="no such model"):
        await evaluating.evaluate(release)
    assert len(model.asked) < MOST_FAILURES + CONCURRENT_CLASSIFICATIONS


class HangingModel(TwoModels):
    """A model that hangs after some answers, until the run is interrupted."""

    answers = 6

    async def classify(self, *asked: Any, **more: Any) -> Answer:
        if len(self.asked) >= self.answers:
            await asyncio.Event().wait()
        return await super().classify(*asked, **more)


async def test_interrupted_run_pays_for_nothing_twice(store: SqlStore, clock: StepClock, release: Release) -> None:
    model = HangingModel({"base": {}})
    running = asyncio.create_task(evaluating_of(store, model, clock).evaluate(release))
    async with asyncio.timeout(30):
        while len(await stored_keys(store, release)) < HangingModel.answers:  # noqa: ASYNC110 - the answers are in the database
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    model.answers = 1_000
    await evaluating_of(store, model, clock).evaluate(release)
    assert Counter(model.asked) == Counter(one.text for one in [*HELD_OUT, *TRAIN])


async def stored_keys(store: SqlStore, release: Release) -> set[str]:
    async with store.transaction() as tx:
        return set(await tx.results.of(release.id, None))


async def test_concurrent_evaluations_pay_once(evaluating: Evaluating, release: Release, model: TwoModels) -> None:
    await asyncio.gather(evaluating.evaluate(release), evaluating.evaluate(release))
    assert len(model.asked) == 9


async def test_progress_is_reported_after_each_answer(evaluating: Evaluating, release: Release) -> None:
    reported: list[tuple[int, int]] = []
    await evaluating.evaluate(release, lambda done, of: reported.append((done, of)))
    assert reported == [(n + 1, 9) for n in range(9)]


async def test_known_figures_are_those_last_measured(
    evaluating: Evaluating, store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    new = await candidate(store, clock)
    assert [await known_alone(evaluating, one) for one in (release, new)] == [None, None]
    assert model.asked == []
    found = await evaluating.evaluate(new)
    assert found.before
    for one, card in ((new, found.card), (release, found.before)):
        figures = await known_alone(evaluating, one)
        assert figures
        assert (figures.rows, figures.right, figures.accuracy) == (card.rows, card.right, card.accuracy)
    assert await evaluating.seconds(new) == 0
    await put(store, rows_of(Split.HELD_OUT, "other", 1))
    first = await known_alone(evaluating, new)
    assert (first and first.rows, await evaluating.seconds(new) > 0) == (5, True), "what was measured stays"
    clock.advance(days=1)
    await evaluating.evaluate(new)
    later = await known_alone(evaluating, new)
    assert first
    assert later
    assert (later.rows, later.at.date()) == (6, first.at.date() + timedelta(days=1))


async def test_figures_of_another_revision_are_unknown(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    now, then = (evaluating_of(store, model, clock, embedded=one) for one in (OneEmbedded(), NothingEmbedded()))
    await then.evaluate(release)
    assert [await one.known(release) is not None for one in (then, now)] == [True, False]


async def known_alone(evaluating: Evaluating, release: Release) -> KeptFigures | None:
    """Return the figures without reading a row or an answer: a status asks for them, however many there are."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, name in ((SqlRows, "all"), (SqlRows, "changed"), (SqlResults, "of")):
            patch.delattr(kind, name)
        return await evaluating.known(release)


async def test_judging_without_keep_stores_nothing(
    evaluating: Evaluating, store: SqlStore, release: Release, model: TwoModels
) -> None:
    measured = [row("labor?", "labor"), row("it?", "it")]
    found = await evaluating.judge(release, measured, keep=False)
    assert [one.right for one in found] == [True, False]
    assert await stored_keys(store, release) == set()


async def test_rows_of_retired_categories_are_left_out(
    evaluating: Evaluating, store: SqlStore, release: Release
) -> None:
    await put(store, [one.model_copy(update={"category": "gone"}) for one in rows_of(Split.HELD_OUT, "x", 2)])
    assert (await evaluating.evaluate(release)).card.rows == 5


@pytest.mark.parametrize(("provider", "recall", "asked"), [("local", 3, 10), ("local", 0, 5), ("x", 3, 5)])
@pytest.mark.usefixtures("release")
async def test_changed_examples_make_kept_answers_stale(
    provider: str, recall: int, asked: int, store: SqlStore, clock: StepClock
) -> None:
    model = TwoModels({"new": {}})
    async with store.transaction() as tx:
        name = ModelName(provider=provider, model="new")
        one = await add_candidate(tx, clock.now(), name, prompt_id=PROMPT.id, by="U9", why="x", recall=recall)
    evaluating = evaluating_of(store, model, clock)
    await evaluating.judge(one, HELD_OUT)
    later = clock.now() + timedelta(seconds=1)
    await put(store, [TRAIN[0].model_copy(update={"category": "it", "settled_at": later})])
    await evaluating.judge(one, HELD_OUT)
    assert len(model.asked) == asked


async def test_recall_shows_examples_of_other_groups_only(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    asked: list[set[str]] = []
    together: list[int] = []

    class RecordingNeighbours(MemoryNeighbours):
        async def nearest_apart(self, rows: Sequence[Row], k: int) -> list[list[Neighbour]]:
            together.append(len(rows))
            return await super().nearest_apart(rows, k)

        async def nearest(self, text: str, k: int, *, without: Any = ()) -> Any:
            asked.append(set(without))
            return await super().nearest(text, k, without=without)

    recalling = release.model_copy(update={"id": "recalling", "recall": 3, "state": ReleaseState.CANDIDATE})
    async with store.transaction() as tx:
        await tx.releases.add(recalling, "U9", "recall")
    await evaluating_of(store, model, clock, RecordingNeighbours()).judge(recalling, HELD_OUT)
    assert len(asked) == len(HELD_OUT)
    assert together == [len(HELD_OUT)], "few rows are looked up at once"
    assert {group for without in asked for group in without} >= {one.group for one in HELD_OUT}


async def test_embedded_model_reads_rows_and_examples_ahead(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    read: list[tuple[set[str], set[str], int]] = []

    class ReadingAhead(OneEmbedded):
        async def read_ahead(self, model: ModelName, questions: Sequence[str], examples: Sequence[str]) -> None:
            read.append(({*questions}, {*examples}, len(asked)))

    asked = model.asked
    recalling = release.model_copy(update={"id": "recalling", "recall": 1, "state": ReleaseState.CANDIDATE})
    async with store.transaction() as tx:
        await tx.releases.add(recalling, "U9", "recall")
    await evaluating_of(store, model, clock, embedded=ReadingAhead()).judge(recalling, HELD_OUT)
    [(questions, examples, asked_before)] = read
    assert (questions, asked_before) == ({one.text for one in HELD_OUT}, 0)
    assert examples, "of each row that has one"
    assert examples <= {one.text for one in [*TRAIN, *HELD_OUT]}


async def test_memory_is_never_asked_in_evaluations(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    judged = await evaluating_of(store, model, clock, RowNeighbours(store)).judge(release, HELD_OUT)
    async with store.snapshot() as tx:
        settled = [await tx.rows.get(row.id) for row in HELD_OUT]
    assert None not in settled, "memory knows each of them"
    assert len(model.asked) == len(judged) == len(HELD_OUT)


async def test_figures_are_empty_without_rows(store: SqlStore, clock: StepClock, model: TwoModels) -> None:
    serving = await Releasing(store, clock).serving()
    found = await evaluating_of(store, model, clock).evaluate(serving)
    assert (found.card.rows, found.card.accuracy, found.usd, model.asked) == (0, 0.0, None, [])


async def test_probe_asks_once_and_raises_the_error(evaluating: Evaluating, release: Release, model: TwoModels) -> None:
    await evaluating.probe(release)
    assert len(model.asked) == 1
    model.fail(1, ModelRefused("no such model"))
    with pytest.raises(ModelRefused, match="no such model"):
        await evaluating.probe(release)
    with pytest.raises(ModelRefused, match="has no prompt"):
        await evaluating.probe(release.model_copy(update={"prompt_id": "gone"}))


async def test_throttle_limits_rate_and_concurrency() -> None:
    throttle, loop = Throttle(2, per_second=100), asyncio.get_running_loop()
    starts: list[float] = []
    inside = most = 0

    async def one() -> None:
        nonlocal inside, most
        async with throttle.turn():
            starts.append(loop.time())
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    began = loop.time()
    await asyncio.gather(*(one() for _ in range(8)))
    assert most <= 2
    # A busy machine may start some late, but none too early.
    assert all(start > began + n / 100 - 0.001 for n, start in enumerate(starts))


async def test_private_rows_are_not_asked_elsewhere(
    store: SqlStore, clock: StepClock, release: Release, model: TwoModels
) -> None:
    private = HELD_OUT[0].model_copy(update={"audience": Audience.PRIVATE, "channel": "C9"})
    await put(store, [private])
    found = await evaluating_of(store, model, clock).evaluate(release)
    assert (found.private, found.card.rows) == (1, 4)
    assert private.text not in model.asked
    assert "1 confirmed answer was not asked" in "\n".join(finding_lines(found, Words("en")))
    for choice in ({"private_rows": True}, {"embedded": OneEmbedded()}):
        found = await evaluating_of(store, model, clock, **choice).evaluate(release)
        assert (found.private, found.card.rows) == (0, 5)
    assert private.text in model.asked
