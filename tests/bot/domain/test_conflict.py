"""Clusters are what plain counting says, whatever came and went, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.conflict import Clusters, Conflict

GROUPS, TEXTS, LABELS = "abcdef", range(8), ("hr", "it", "labor")
Row = tuple[str, int, str]
rows = st.tuples(st.sampled_from(GROUPS), st.sampled_from(TEXTS), st.sampled_from(LABELS))
pairs = st.sets(st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)), max_size=6)


def clusters_of(near: set[tuple[int, int]], kept: list[Row]) -> Clusters:
    clusters = Clusters(lambda n: {j for i, j in near if i == n} | {i for i, j in near if j == n})
    for row in kept:
        clusters.add(*row)
    return clusters


def plainly(near: set[tuple[int, int]], kept: list[Row]) -> dict[str, set[str]]:
    """Group → its cluster: two groups are put together as long as there is a reason to."""
    found = {group: {group} for group in GROUPS}
    for _ in GROUPS:
        for one, text, _ in kept:
            for other, beside, _ in kept:
                if text == beside or (text, beside) in near or (beside, text) in near:
                    found[one] |= found[other]
                    found[other] |= found[one]
    return found


@given(pairs, st.lists(rows, max_size=12))
def test_a_cluster_is_all_that_hangs_together_and_a_conflict_one_with_two_categories(
    near: set[tuple[int, int]], kept: list[Row]
) -> None:
    clusters, plain = clusters_of(near, kept), plainly(near, kept)
    contested = {}
    for group in GROUPS:
        assert clusters.cluster(group) == plain[group]
        labels = {label for other, _, label in kept if other in plain[group]}
        if len(labels) > 1:
            contested[group] = Conflict(groups=tuple(sorted(plain[group])), categories=tuple(sorted(labels)))
    assert clusters.contested() == contested
    assert all(conflict.key == min(plain[group]) for group, conflict in contested.items())


@given(pairs, st.lists(rows, max_size=12), st.data())
def test_whatever_came_and_went_only_what_is_there_counts(
    near: set[tuple[int, int]], kept: list[Row], data: st.DataObject
) -> None:
    clusters, left = clusters_of(near, kept), list(kept)
    for _ in range(data.draw(st.integers(0, 8))):
        if data.draw(st.booleans()) and left:
            clusters.remove(*left.pop(data.draw(st.integers(0, len(left) - 1))))
        else:
            row = data.draw(rows)
            clusters.add(*row)
            left.append(row)
        if data.draw(st.booleans()):
            assert clusters.contested() == clusters_of(near, left).contested()
    assert clusters.contested() == clusters_of(near, data.draw(st.permutations(left))).contested()


@given(pairs, st.lists(rows, min_size=1, max_size=12), st.sampled_from(LABELS))
def test_settled_as_one_category_a_conflict_is_gone_and_the_others_stay(
    near: set[tuple[int, int]], kept: list[Row], category: str
) -> None:
    clusters = clusters_of(near, kept)
    for conflict in set(clusters.contested().values()):
        others = set(clusters.contested().values()) - {conflict}
        for group, text, label in kept:
            if group in conflict.groups:
                clusters.remove(group, text, label)
                clusters.add(group, text, category)
        assert set(clusters.contested().values()) == others
