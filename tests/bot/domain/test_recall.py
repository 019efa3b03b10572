from hypothesis import given
from hypothesis import strategies as st

from bot.domain.recall import shown
from bot.domain.similar import Neighbour

NEIGHBOURS = st.lists(
    st.builds(
        Neighbour,
        row_id=st.uuids().map(str),
        text=st.uuids().map(str),
        group=st.sampled_from(["g1", "g2", "g3", "g4"]),
        category=st.sampled_from(["labor", "it"]),
        similarity=st.floats(0, 1),
    ),
    max_size=12,
).map(lambda found: sorted(found, key=lambda one: -one.similarity))


@given(NEIGHBOURS, st.integers(0, 8))
def test_the_nearest_are_shown_last_and_none_of_a_group_in_conflict(nearest: list[Neighbour], k: int) -> None:
    examples = shown(nearest, k)
    of = {one.text: one for one in nearest}
    assert len(examples) <= k
    for example in examples:
        group = [one.category for one in nearest if one.group == of[example.text].group]
        assert set(group) == {example.category}
    similarities = [of[example.text].similarity for example in examples]
    assert similarities == sorted(similarities)
    free = [one for one in nearest if len({o.category for o in nearest if o.group == one.group}) == 1]
    assert len(examples) == min(k, len(free))
