"""The agreement of a shadow release with the served answers."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.shadow import Agreement, ShadowComparison

CATEGORY = st.sampled_from(["labor", "it", "other"])
COMPARED = st.builds(
    ShadowComparison, question_id=st.uuids().map(str), served=CATEGORY, shadow=CATEGORY, settled=st.none() | CATEGORY
)


@given(st.lists(COMPARED))
def test_every_question_is_counted_once(compared: list[ShadowComparison]) -> None:
    found = Agreement.of(compared)
    assert found.questions == len(compared) == sum(n for _, n in found.by_category.values())
    assert found.same == sum(same for same, _ in found.by_category.values())
    settled = (found.both_right, found.only_serving_right, found.only_shadow_right, found.neither_right)
    assert sum(settled) == sum(c.settled is not None for c in compared)
    assert found.share is None if not compared else 0 <= found.share <= 1  # type: ignore[operator]  # None was asked


def test_settled_questions_show_which_was_right() -> None:
    def compared(served: str, shadow: str, settled: str | None) -> ShadowComparison:
        return ShadowComparison(question_id="q", served=served, shadow=shadow, settled=settled)

    found = Agreement.of(
        [
            compared("it", "labor", "it"),
            compared("it", "labor", "labor"),
            compared("it", "it", "it"),
            compared("it", "it", "other"),
        ]
    )
    assert (found.only_serving_right, found.only_shadow_right, found.both_right, found.neither_right) == (1, 1, 1, 1)
    assert found.by_category == {"it": (2, 4)}
