"""Shadow answers to live questions, and their comparison with the serving release's answers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Self

from bot.domain.thing import Thing


class Shadow(Thing):
    """A shadow release's answer to a live question. Nobody sees it in Slack."""

    question_id: str
    release_id: str
    category: str
    confidence: float | None
    tokens_in: int
    tokens_out: int
    at: datetime


class ShadowComparison(Thing):
    """The categories of a live question: served, by the shadow, and settled by staff (None if not settled)."""

    question_id: str
    served: str
    shadow: str
    settled: str | None


class Agreement(Thing):
    """The agreement of a shadow release with the served answers, and which was right on settled questions."""

    questions: int
    same: int
    by_category: dict[str, tuple[int, int]]
    """Served category → (questions with the same shadow answer, all questions)."""
    both_right: int
    only_serving_right: int
    only_shadow_right: int
    neither_right: int

    @classmethod
    def of(cls, compared: Sequence[ShadowComparison]) -> Self:
        served, same = Counter(c.served for c in compared), Counter(c.served for c in compared if c.served == c.shadow)
        settled = Counter((c.served == c.settled, c.shadow == c.settled) for c in compared if c.settled)
        return cls(
            questions=len(compared),
            same=same.total(),
            by_category={category: (same[category], n) for category, n in served.most_common()},
            both_right=settled[True, True],
            only_serving_right=settled[True, False],
            only_shadow_right=settled[False, True],
            neither_right=settled[False, False],
        )

    @property
    def share(self) -> float | None:
        """Share of questions with the same answer, 0..1; None without questions."""
        return self.same / self.questions if self.questions else None
