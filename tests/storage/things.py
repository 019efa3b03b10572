"""Complete sample things to store; each test changes only the fields that it is about."""

from datetime import UTC, datetime, timedelta

from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Manifest, Row, Source, Split
from bot.domain.feedback import AskerFeedback, FeedbackKind
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Arrival, Place, Question, Verdict, Via
from bot.domain.release import ModelName, Release, ReleaseState
from bot.ports import Transaction

NOW = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)
LEASE = timedelta(minutes=2)
BASE = ModelName(provider="local", model="base")

PROMPT = Prompt(
    language="ja",
    template="分類してください。",
    categories=(
        Category(id="labor", name="労務", rule="有給は労務", examples=("有給は何日前?",), owner="S1", guide="申請から"),
        Category(id="other", name="その他", other=True),
    ),
)


def arrival(n: int = 1) -> Arrival:
    place = Place(team="T1", channel="C1", ts=f"{n}.000100", thread_ts="0.000100")
    return Arrival(event_id=f"Ev{n}", via=Via.MENTION, place=place, asker="U1", text=f"有給は{n}日前?", language="ja")


def question(n: int = 1) -> Question:
    return Question(
        id=f"q{n}",
        text="有給は何日前までに申請しますか？🙂",
        asker="U1",
        place=Place(team="T1", channel="C1", ts=f"{n}.000100"),
        via=Via.DM,
        language="ja",
        asked_at=NOW,
    )


def verdict(n: int = 1, question_id: str = "q1") -> Verdict:
    return Verdict(
        id=f"v{n}",
        question_id=question_id,
        release_id="r1",
        category="labor",
        reason="「有給」とあるため",
        confidence=0.1 + 0.2,
        latency_ms=120,
        tokens_in=900,
        tokens_out=30,
        at=NOW,
    )


def correction(seq: int = 1, kind: CorrectionKind = CorrectionKind.CHANGE) -> Correction:
    return Correction(
        question_id="q1", seq=seq, kind=kind, verdict_id="v1", category="other", reason=None, by="U2", at=NOW
    )


def feedback(seq: int = 1, kind: FeedbackKind = FeedbackKind.NOT_HELPFUL) -> AskerFeedback:
    return AskerFeedback(question_id="q1", seq=seq, kind=kind, by="U1", at=NOW)


def row(row_id: str = "q1", category: str = "labor", split: Split = Split.TRAIN) -> Row:
    return Row(
        id=row_id,
        text="有給は何日前?",
        group="g",
        category=category,
        reason="就業規則",
        split=split,
        source=Source.CHANGE,
        by="U2",
        team="T1",
        channel="C1",
        ts="1.000100",
        settled_at=NOW,
    )


def release(release_id: str = "r1", state: ReleaseState = ReleaseState.CANDIDATE) -> Release:
    return Release(id=release_id, model=BASE, prompt_id=PROMPT.id, recall=3, state=state, created_at=NOW)


def manifest() -> Manifest:
    return Manifest(
        id="d1",
        prompt_id=PROMPT.id,
        rows=2,
        held_out=1,
        per_category={"other": 1, "labor": 1},
        sources={"change": 2},
        left_out={},
        bytes=321,
    )


def finetune(finetune_id: str = "f1", state: FinetuneState = FinetuneState.PLANNED) -> Finetune:
    return Finetune(
        id=finetune_id,
        student=ModelName(provider="other", model="some/small-model"),
        dataset_id="d1",
        prompt_id=PROMPT.id,
        estimate=Estimate(rows=2, tokens=200, epochs=3, usd=0.0125, price_date="2026-11-01"),
        state=state,
        requested_by="U3",
        language="ja",
        created_at=NOW,
        updated_at=NOW,
    )


async def add_answered_question(transaction: Transaction) -> None:
    """Add question q1, answered by release r1 with verdict v1."""
    await transaction.prompts.put(PROMPT)
    await transaction.releases.add(release(), "U3", "first")
    await transaction.questions.add(question())
    await transaction.questions.add_verdict(verdict())
