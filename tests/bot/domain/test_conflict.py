"""Clusters and conflicts, checked against a naive computation, under additions and removals in any order."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.conflict import Clusters, Conflict

GROUPS, TEXTS, LABELS = "abcdef", range(8), ("hr", "it", "labor")
Row = tuple[str, int, str]
rows = st.tuples(st.sampled_from(GROUPS), st.sampled_from(TEXTS), st.sampled_from(LABELS))
pairs = st.sets(st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)), max_size=6)


def clusters_of(near: set[tuple[int, int]], present: list[Row]) -> Clusters:
    clusters = Clusters(lambda n: {j for i, j in near if i == n} | {i for i, j in near if j == n})
    for row in present:
        clusters.add(*row)
    return clusters


def naive_clusters(near: set[tuple[int, int]], present: list[Row]) -> dict[str, set[str]]:
    """Return group → cluster by merging groups until nothing changes."""
    found = {group: {group} for group in GROUPS}
    for _ in GROUPS:
        for one, text, _ in present:
            for other, beside, _ in present:
                if text == beside or (text, beside) in near or (beside, text) in near:
                    found[one] |= found[other]
                    found[other] |= found[one]
    return found


@given(pairs, st.lists(rows, max_size=12))
def test_clusters_and_conflicts_match_a_naive_computation(near: set[tuple[int, int]], present: list[Row]) -> None:
    clusters, expected = clusters_of(near, present), naive_clusters(near, present)
    contested = {}
    for group in GROUPS:
        assert clusters.cluster(group) == expected[group]
        labels = {label for other, _, label in present if other in expected[group]}
        if len(labels) > 1:
            contested[group] = Conflict(groups=tuple(sorted(expected[group])), categories=tuple(sorted(labels)))
    assert clusters.contested() == contested
    assert all(conflict.key == min(expected[group]) for group, conflict in contested.items())


@given(pairs, st.lists(rows, max_size=12), st.data())
def test_conflicts_depend_only_on_current_rows(
    near: set[tuple[int, int]], present: list[Row], data: st.DataObject
) -> None:
    clusters, left = clusters_of(near, present), list(present)
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
def test_settling_one_conflict_leaves_the_others(near: set[tuple[int, int]], present: list[Row], category: str) -> None:
    clusters = clusters_of(near, present)
    for conflict in set(clusters.contested().values()):
        others = set(clusters.contested().values()) - {conflict}
        for group, text, label in present:
            if group in conflict.groups:
                clusters.remove(group, text, label)
                clusters.add(group, text, category)
        assert set(clusters.contested().values()) == others
