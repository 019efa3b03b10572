"""A factory of judged rows for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.domain.dataset import Row, Source, Split
from bot.domain.scorecard import Judged, Result

AT = datetime(2026, 11, 22, tzinfo=UTC)


def judged(
    settled: Sequence[str],
    answered: Sequence[str],
    *,
    groups: Sequence[object] | None = None,
    confidences: Sequence[float | None] | None = None,
    release: str = "r",
) -> list[Judged]:
    """Return rows where row n was settled as `settled[n]` and answered with `answered[n]`."""
    made = []
    for n, (right, said) in enumerate(zip(settled, answered, strict=True)):
        row = Row(
            id=f"row{n}",
            text=f"question {n}",
            group=str(groups[n] if groups else n),
            category=right,
            reason=None,
            split=Split.HELD_OUT,
            source=Source.AGREE,
            by="U1",
            settled_at=AT,
        )
        result = Result(
            release_id=release,
            text_key=f"key{n}",
            category=said,
            confidence=confidences[n] if confidences else None,
            latency_ms=n,
            tokens_in=10,
            tokens_out=2,
            at=AT,
        )
        made.append(Judged(row=row, result=result))
    return made
