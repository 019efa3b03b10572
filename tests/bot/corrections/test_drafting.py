"""Reasons for a given category, and that no exported row argues for another one."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.corrections.correcting import row_of
from bot.corrections.drafting import Drafting, said_for
from bot.domain.card import Card
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Row, Split, export, group_of, neutral_reason
from bot.domain.question import Place, Question, Verdict, Via
from storage.store import SqlStore
from tests.bot.things import CATEGORIES, PROMPT
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import RuleModel, StepClock

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def argues(category: str) -> str:
    """Words that argue for a category and say so."""
    return f"[for {category}]"


def card_of(n: int, said: str) -> Card:
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
        category=said,
        reason=argues(said),
        confidence=None,
        latency_ms=1,
        tokens_in=1,
        tokens_out=1,
        at=AT,
    )
    return Card(question=question, verdict=verdict, prompt=PROMPT, settled=None, seen=0)


def settled(card: Card, presses: list[tuple[str, bool]]) -> Row:
    """The row after these presses; `True`: with a reason that was drafted or written for the category."""
    row = None
    for seq, (category, with_reason) in enumerate(presses, 1):
        correction = Correction(
            question_id=card.question.id,
            seq=seq,
            kind=CorrectionKind.AGREE if category == card.verdict.category else CorrectionKind.CHANGE,
            verdict_id=card.verdict.id,
            category=category,
            reason=argues(category) if with_reason else None,
            by="U2",
            at=AT,
        )
        row = row_of(card, correction, group_of(card.question.text))
    assert row
    return row


category = st.sampled_from(CATEGORIES)


@given(st.lists(st.tuples(category, st.lists(st.tuples(category, st.booleans()), min_size=1, max_size=4)), max_size=30))
def test_no_exported_row_argues_for_another_category(questions: list[tuple[str, list[tuple[str, bool]]]]) -> None:
    rows = [settled(card_of(n, said), presses) for n, (said, presses) in enumerate(questions)]
    rows = [row.model_copy(update={"split": Split.TRAIN}) for row in rows]
    lines = export(rows, PROMPT).data.decode().splitlines()
    assert len(lines) == len(rows)
    for line in lines:
        answer = json.loads(json.loads(line)["messages"][2]["content"])
        named = PROMPT.named(answer["category"])
        assert named
        assert answer["reason"] in {argues(named.id), neutral_reason("ja", named)}


async def test_what_was_said_for_the_category_is_taken_before_a_model_is_asked(
    store: SqlStore, clock: StepClock, model: RuleModel
) -> None:
    desk = CorrectionDesk(store, clock)
    await desk.ask("有給は何日前？")
    drafting = Drafting(store, model)
    assert await drafting.reason(desk.question, "labor") == "'有給' stands in it"
    assert await drafting.reason(desk.question, "it") == "'有給は何日前？' is a matter of it"
    card = await desk.press("it", seen=0, reason="端末の話")
    assert said_for(card, "it") == "端末の話"
    assert await drafting.reason(desk.question, "it") == "端末の話"
    assert await drafting.reason(desk.question, "labor") == "'有給' stands in it"


async def test_there_is_no_draft_where_none_is_to_be_had(store: SqlStore, clock: StepClock, model: RuleModel) -> None:
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    drafting = Drafting(store, model)
    assert await drafting.reason("no such question", "it") is None
    assert await drafting.reason(desk.question, "no such category") is None
    model.fail(1)
    assert await drafting.reason(desk.question, "it") is None
