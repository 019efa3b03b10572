"""Reasons for a given category; no exported row has a reason for another category."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.corrections.correcting import row_of
from bot.corrections.drafting import Drafting, given_reason
from bot.domain.card import Card
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Row, Split, group_of, neutral_reason
from bot.domain.question import Place, Question, Verdict, Via
from storage.store import SqlStore
from tests.bot.things import CATEGORIES, PROMPT
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.plain_export import export

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def reason_for(category: str) -> str:
    """Return a reason that names the category it argues for."""
    return f"[for {category}]"


def answered_card(n: int, answered: str) -> Card:
    question = Question(
        id=f"q{n}",
        text=f"質問 {n}",
        asker="U1",
        place=Place(team="T1", channel="C1", ts=f"{n}.0"),
        via=Via.MENTION,
        language="ja",
        asked_at=AT,
    )
    verdict = Verdict(
        id=f"v{n}",
        question_id=question.id,
        release_id="r",
        category=answered,
        reason=reason_for(answered),
        confidence=None,
        latency_ms=1,
        tokens_in=1,
        tokens_out=1,
        at=AT,
    )
    return Card(question=question, verdict=verdict, prompt=PROMPT, settled=None, seen=0)


def row_after(card: Card, presses: list[tuple[str, bool]]) -> Row:
    """Return the row after these presses, each a category and whether it came with a reason for the category."""
    row = None
    for seq, (category, with_reason) in enumerate(presses, 1):
        correction = Correction(
            question_id=card.question.id,
            seq=seq,
            kind=CorrectionKind.AGREE if category == card.verdict.category else CorrectionKind.CHANGE,
            verdict_id=card.verdict.id,
            category=category,
            reason=reason_for(category) if with_reason else None,
            by="U2",
            at=AT,
        )
        row = row_of(card, correction, group_of(card.question.text))
    assert row
    return row


category = st.sampled_from(CATEGORIES)


@given(st.lists(st.tuples(category, st.lists(st.tuples(category, st.booleans()), min_size=1, max_size=4)), max_size=30))
def test_exported_reasons_argue_for_the_rows_category(questions: list[tuple[str, list[tuple[str, bool]]]]) -> None:
    rows = [row_after(answered_card(n, answered), presses) for n, (answered, presses) in enumerate(questions)]
    rows = [row.model_copy(update={"split": Split.TRAIN}) for row in rows]
    lines = export(rows, PROMPT).data.decode().splitlines()
    assert len(lines) == len(rows)
    for line in lines:
        answer = json.loads(json.loads(line)["messages"][2]["content"])
        named = PROMPT.named(answer["category"])
        assert named
        assert answer["reason"] in {reason_for(named.id), neutral_reason("ja", named)}


async def test_given_reason_is_preferred_to_a_models_draft(store: SqlStore, clock: StepClock, model: RuleModel) -> None:
    desk = CorrectionDesk(store, clock)
    await desk.ask("有給は何日前？")
    drafting = Drafting(store, model, MemoryNeighbours())
    assert await drafting.reason(desk.question, "labor") == "'有給' stands in it"
    assert await drafting.reason(desk.question, "it") == "'有給は何日前？' is a matter of it"
    card = await desk.press("it", seen=0, reason="端末の話")
    assert given_reason(card, "it") == "端末の話"
    assert await drafting.reason(desk.question, "it") == "端末の話"
    assert await drafting.reason(desk.question, "labor") == "'有給' stands in it"


async def test_no_draft_for_unknown_things_or_failed_model(store: SqlStore, clock: StepClock, model: RuleModel) -> None:
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    drafting = Drafting(store, model, MemoryNeighbours())
    assert await drafting.reason("no such question", "it") is None
    assert await drafting.reason(desk.question, "no such category") is None
    model.fail(1)
    assert await drafting.reason(desk.question, "it") is None
