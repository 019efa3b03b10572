"""Fair rows: what neither release has learned, itself or through a parent, or answered out of fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Manifest, Row, Split
from bot.domain.evidence import EvidenceKind
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.fold import OutOfFold
from bot.domain.forgetting import Scope
from bot.domain.gate import Outcome
from bot.domain.question import Place, Question, Verdict, Via
from bot.domain.release import ModelName, Release
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing, add_candidate
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, START, rows_of
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator

ROWS = [*rows_of(Split.TRAIN, "labor", 4), *rows_of(Split.TRAIN, "it", 6)]
HELD_OUT = rows_of(Split.HELD_OUT, "it", 2)
NO_FOLDS: Mapping[str, str] = {}


@dataclass
class EvidenceDesk:
    """A store with fine-tunes made at will. Each model answers as `RuleModel`: `it` rows are `other`."""

    store: SqlStore
    clock: StepClock
    evaluating: Evaluating

    async def trained(
        self,
        name: str,
        rows: Sequence[Row],
        folds: Mapping[str, str] = NO_FOLDS,
        *,
        student: ModelName = BASE,
        apart: bool = True,
        recall: int = 0,
        revision: str | None = None,
    ) -> Release:
        """Store a fine-tune on these rows, its out-of-fold answers (row id → category), and its candidate."""
        model = ModelName(provider="local", model=name)
        finetune = Finetune(
            id=name.replace(":", "-"),
            student=student,
            dataset_id="d1",
            prompt_id=PROMPT.id,
            estimate=Estimate(rows=1, tokens=1, epochs=1, usd=0.0, price_date=None),
            state=FinetuneState.SUCCEEDED,
            requested_by="U9",
            language="en",
            created_at=self.clock.now(),
            updated_at=self.clock.now(),
            model=model,
            trust=0.5,
        )
        told = [
            OutOfFold(
                finetune_id=finetune.id,
                row_id=row,
                fold=0,
                category=said,
                confidence=0.5,
                apart=apart,
                revision=revision,
            )
            for row, said in folds.items()
        ]
        manifest = Manifest(
            id="d1", prompt_id=PROMPT.id, rows=0, held_out=0, per_category={}, sources={}, left_out={}, bytes=0
        )
        async with self.store.transaction() as tx:
            await tx.datasets.put(manifest, self.clock.now())
            await tx.finetunes.add(finetune)
            await tx.finetunes.save_rows(finetune.id, {row.id: row.text for row in rows})
            await tx.finetunes.save_out_of_fold(told)
            return await add_candidate(
                tx,
                self.clock.now(),
                model,
                prompt_id=PROMPT.id,
                by="U9",
                why="test",
                finetune_id=finetune.id,
                recall=recall,
            )

    async def put(self, rows: Sequence[Row]) -> None:
        async with self.store.transaction() as tx:
            await tx.rows.put(*rows)

    async def kinds(self, candidate: Release) -> dict[EvidenceKind, int]:
        evidence = (await self.evaluating.evaluate(candidate)).evidence
        assert evidence is not None
        return evidence.kinds

    async def answered(self, row: Row, release: Release, said: str) -> None:
        """Store the live answer of a release to a row's question, and what staff settled."""
        n = self.clock.now().timestamp()
        question = Question(
            id=row.id,
            text=row.text,
            asker="U1",
            place=Place(team="T1", channel="C1", ts=f"{row.id}.1"),
            via=Via.MENTION,
            language="ja",
            asked_at=START,
        )
        verdict = Verdict(
            id=f"v-{row.id}-{n}",
            question_id=row.id,
            release_id=release.id,
            category=said,
            reason="-",
            confidence=0.5,
            latency_ms=1,
            tokens_in=1,
            tokens_out=1,
            at=START,
        )
        correction = Correction(
            question_id=row.id,
            seq=1,
            kind=CorrectionKind.AGREE if said == row.category else CorrectionKind.CHANGE,
            verdict_id=verdict.id,
            category=row.category,
            reason=None,
            by="U2",
            at=START,
        )
        async with self.store.transaction() as tx:
            await tx.questions.add(question)
            await tx.questions.add_verdict(verdict)
            await tx.corrections.add(correction)


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock) -> EvidenceDesk:
    evaluating = Evaluating(
        store,
        RuleModel({"labor": "labor"}),
        clock,
        neighbours=RowNeighbours(store),
        estimator=CountingEstimator(),
        per_second={"local": 1e6},
        pauses=(),
    )
    desk = EvidenceDesk(store, clock, evaluating)
    await desk.put([*ROWS, *HELD_OUT])
    clock.advance(seconds=60)
    return desk


def ids(rows: Sequence[Row]) -> dict[str, str]:
    """Return the right answer to each row, by row id."""
    return {row.id: row.category for row in rows}


async def test_learned_rows_without_folds_do_not_count(desk: EvidenceDesk) -> None:
    candidate = await desk.trained("ft:new", ROWS[:7])
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2, EvidenceKind.NEWER: 3}


async def test_forgotten_question_asked_again_is_not_new(desk: EvidenceDesk) -> None:
    """The row has no text any more. Its group, as a keyed hash, still proves that the question was learned."""
    candidate = await desk.trained("ft:new", ROWS[:7])
    scope, now = Scope.before(datetime(2999, 1, 1, tzinfo=UTC)), desk.clock.now()
    async with desk.store.transaction() as tx:
        while "rows" in (await tx.forgetting.erase(scope, 50, now)).counts:
            pass
        assert [row async for row in tx.rows.all()] == []
    await desk.put([row.model_copy(update={"id": f"again-{row.id}"}) for row in (*ROWS, *HELD_OUT)])
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2, EvidenceKind.NEWER: 3}


async def test_out_of_fold_answers_replace_the_models_own(desk: EvidenceDesk) -> None:
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS))
    found = await desk.evaluating.evaluate(candidate)
    assert found.evidence is not None
    assert found.evidence.kinds == {EvidenceKind.HELD_OUT: 2, EvidenceKind.OUT_OF_FOLD: 10}
    assert (found.evidence.comparison.better, found.evidence.comparison.worse) == (6, 0)
    assert {one.row.id for one in found.changes} == set(), "the whole model answers as before"
    async with desk.store.transaction() as tx:
        kept = await tx.results.of(candidate.id, None)
    assert {one.category for one in kept.values()} == {"labor", "other"}, "evaluations store the model's own answers"


async def test_torn_near_copies_do_not_count(desk: EvidenceDesk) -> None:
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS), apart=False)
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2}


async def test_row_reworded_since_training_does_not_count(desk: EvidenceDesk) -> None:
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS))
    await desk.put([ROWS[0].model_copy(update={"text": "有給の残りは何日ですか"})])
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2, EvidenceKind.OUT_OF_FOLD: 9}


async def test_release_with_recall_has_its_models_answers(desk: EvidenceDesk) -> None:
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS), recall=3)
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2, EvidenceKind.OUT_OF_FOLD: 10}


async def test_answers_of_another_revision_do_not_count(desk: EvidenceDesk) -> None:
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS), revision="learner 1")
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2}


async def test_both_must_have_answered_out_of_fold(desk: EvidenceDesk, clock: StepClock) -> None:
    serving = await desk.trained("ft:old", ROWS[:6], ids(ROWS[:4]))
    await Releasing(desk.store, clock).switch(serving.id, "U9")
    candidate = await desk.trained("ft:new", ROWS[:8], ids(ROWS[:8]))
    # Rows 0 to 3: both out of fold. 4 and 5: the serving release learned them. 6 and 7: only the candidate did.
    assert await desk.kinds(candidate) == {
        EvidenceKind.HELD_OUT: 2,
        EvidenceKind.OUT_OF_FOLD: 6,
        EvidenceKind.NEWER: 2,
    }


async def test_rows_of_a_parent_do_not_count(desk: EvidenceDesk) -> None:
    parent = await desk.trained("ft:parent", ROWS[:5])
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS), student=parent.model)
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2, EvidenceKind.OUT_OF_FOLD: 5}


async def test_models_trained_elsewhere_have_held_out_rows_only(desk: EvidenceDesk, clock: StepClock) -> None:
    async with desk.store.transaction() as tx:
        name = ModelName(provider="openai", model="ft:gpt::abc")
        candidate = await add_candidate(tx, clock.now(), name, prompt_id=PROMPT.id, by="U9", why="test")
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2}


async def test_configured_model_is_known_by_its_name(desk: EvidenceDesk, clock: StepClock) -> None:
    """A fine-tuned model that the settings name has a release without a fine-tune."""
    trained = await desk.trained("ft:new", ROWS[:7])
    async with desk.store.transaction() as tx:
        candidate = await add_candidate(tx, clock.now(), trained.model, prompt_id=PROMPT.id, by="U9", why="configured")
    assert await desk.kinds(candidate) == {EvidenceKind.HELD_OUT: 2, EvidenceKind.NEWER: 3}


async def test_eight_corrections_alone_do_not_pass(desk: EvidenceDesk, clock: StepClock) -> None:
    serving = await Releasing(desk.store, clock).serving()
    wrong = [*ROWS[4:], *HELD_OUT]
    for row in wrong:
        await desk.answered(row, serving, "other")
    await desk.put([row.model_copy(update={"settled_at": clock.now()}) for row in ROWS])
    candidate = await desk.trained("ft:new", ROWS, ids(ROWS))
    found = await desk.evaluating.evaluate(candidate)
    assert found.evidence is not None
    assert found.decision is not None
    assert found.evidence.left_out == 8
    assert found.decision.outcome is Outcome.NOT_ENOUGH
    for row in ROWS[:4]:
        await desk.answered(row, serving, "labor")
    again = (await desk.evaluating.evaluate(candidate)).evidence
    assert again is not None
    assert again.left_out == 4, "all unchanged answers are confirmed; changed ones are at most half"


async def test_unlearned_corrections_are_listed(desk: EvidenceDesk) -> None:
    """The model answers every `it` row as `other`, whatever it was trained on."""
    candidate = await desk.trained("ft:new", ROWS[:7])
    found = await desk.evaluating.evaluate(candidate)
    assert (found.learned, found.trust) == (7, 0.5)
    assert {one.row.id for one in found.still_wrong} == {row.id for row in ROWS[4:7]}
