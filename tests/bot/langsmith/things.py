"""Sample objects for the tracker's tests."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Source, Split
from bot.domain.mirror import Experiment, ExperimentRow, Feedback, Purpose, RowCopy, Trace, trace_id
from bot.domain.release import ModelName

THEN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
"""A moment before the tests run, so that every edit at the stand-in is later."""
LATER = datetime(2099, 1, 1, tzinfo=UTC)
"""A moment after the tests run."""
MODEL = ModelName.parse("openai/gpt-6-luna")


def copy(row_id: str, category: str = "労務", **more: Any) -> RowCopy:
    return RowCopy(
        **{
            "row_id": row_id,
            "system": "担当を選び、理由を書いてください。",
            "text": f"有給は何日前？ {row_id}",
            "reason": "休暇の質問です",
            "category": category,
            "split": Split.TRAIN,
            "source": Source.CHANGE,
            "prompt_id": "p1",
            "settled_at": THEN,
        }
        | more
    )


def trace(about: str, purpose: Purpose = Purpose.SERVING, **more: Any) -> Trace:
    at = THEN + timedelta(seconds=1)
    return Trace(
        **{
            "id": trace_id(at, about, purpose.value),
            "purpose": purpose,
            "about": about,
            "text": f"有給は何日前？ {about}",
            "category": "労務",
            "reason": "休暇の質問です",
            "confidence": 0.75,
            "release_id": "r1",
            "prompt_id": "p1",
            "model": MODEL,
            "tokens_in": 120,
            "tokens_out": 12,
            "usd": 0.000018,
            "latency_ms": 400,
            "at": at,
        }
        | more
    )


def feedback(of: Trace, kind: CorrectionKind = CorrectionKind.CHANGE, category: str = "人事", **more: Any) -> Feedback:
    fields: dict[str, Any] = {
        "id": uuid.uuid4(),
        "trace_id": of.id,
        "kind": kind,
        "category": category,
        "by": "p-1",
        "at": THEN,
    }
    return Feedback(**fields | more)


def experiment(dataset: str, **more: Any) -> Experiment:
    fields: dict[str, Any] = {
        "name": "r1 2026-11-20 09:00:00",
        "dataset": dataset,
        "version": "held-out-1",
        "release_id": "r1",
    }
    fields |= {"prompt_id": "p1", "model": MODEL, "rows": 3, "started_at": THEN}
    return Experiment(**fields | more)


def experiment_row(row_id: str, *, right: bool = True) -> ExperimentRow:
    return ExperimentRow(trace=trace(row_id, Purpose.EVALUATION), row_id=row_id, right=right)
