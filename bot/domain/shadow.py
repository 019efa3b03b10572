"""What a shadow release would have answered, beside what the serving one did."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Self

from bot.domain.thing import Thing


class Shadow(Thing):
    """What a shadow release would have answered to a live question."""

    question_id: str
    release_id: str
    category: str
    confidence: float | None
    tokens_in: int
    tokens_out: int
    at: datetime


class ShadowComparison(Thing):
    """A live question: what was answered, what the shadow would have answered, what staff settled (None: nothing)."""

    question_id: str
    served: str
    shadow: str
    settled: str | None


class Agreement(Thing):
    """How far a shadow agrees with what was answered, and who was right where staff settled the question."""

    questions: int
    same: int
    by_category: dict[str, tuple[int, int]]
    """What was answered → (of these, the shadow said the same; all)."""
    both_right: int
    only_serving_right: int
    only_shadow_right: int
    neither_right: int

    @classmethod
    def of(cls, compared: Sequence[ShadowComparison]) -> Self:
        all_, same = Counter(c.served for c in compared), Counter(c.served for c in compared if c.served == c.shadow)
        settled = Counter((c.served == c.settled, c.shadow == c.settled) for c in compared if c.settled)
        return cls(
            questions=len(compared),
            same=same.total(),
            by_category={category: (same[category], n) for category, n in all_.most_common()},
            both_right=settled[True, True],
            only_serving_right=settled[True, False],
            only_shadow_right=settled[False, True],
            neither_right=settled[False, False],
        )

    @property
    def share(self) -> float | None:
        """None where there were no questions."""
        return self.same / self.questions if self.questions else None
