"""Shares and bursts: what is set aside until an admin has looked, and what never is."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.dataset import Row, Source, Split, settled_by
from bot.domain.shares import MOST_PERCENT, Look, SetAside, WhyAside, bursts, set_aside

START = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)


def row(n: int, by: str, day: int = 0, source: Source = Source.AGREE, category: str = "labor") -> Row:
    return Row(
        id=f"{by}-{day}-{n}",
        text=f"question {n}",
        group=f"g{by}{day}{n}",
        category=category,
        reason=None,
        split=Split.TRAIN,
        source=source,
        by=by,
        settled_at=START + timedelta(days=day, minutes=n),
    )


def rows(by: str, n: int, day: int = 0, source: Source = Source.AGREE) -> list[Row]:
    return [row(i, by, day, source) for i in range(n)]


PEOPLE = st.dictionaries(st.sampled_from(["UA", "UB", "UC", "UD"]), st.integers(1, 80), min_size=1)


@given(PEOPLE, st.integers(0, 60))
def test_nobody_keeps_more_than_the_share(people: dict[str, int], imported: int) -> None:
    every = [one for by, n in people.items() for i in range(n) for one in [row(i, by, day=i % 7)]]
    every += rows("UADMIN", imported, source=Source.IMPORT)
    found = set_aside(every, {})
    for by, n in people.items():
        aside = sum(found.people.get(by, {}).values())
        guarded = len(people) >= 3 and len(every) >= 20
        assert aside == (max(0, n - len(every) * MOST_PERCENT // 100) if guarded else 0)
    assert not any(row_id.startswith("UADMIN") for row_id in found.ids)


@given(PEOPLE)
def test_order_of_rows_does_not_matter(people: dict[str, int]) -> None:
    every = [one for by, n in people.items() for one in rows(by, n)]
    assert set_aside(every, {}) == set_aside([*reversed(every)], {})


def test_newest_rows_above_the_share_wait() -> None:
    every = [row(i, "UA", day=i) for i in range(60)] + rows("UB", 20) + rows("UC", 20)
    found = set_aside(every, {})
    assert set(found.waiting) == {f"UA-{i}-{i}" for i in range(40, 60)}
    assert found.people == {"UA": {WhyAside.SHARE: 20}}


def test_two_people_are_never_set_aside() -> None:
    assert set_aside(rows("UA", 500) + rows("UB", 3), {}) == SetAside()


def test_sudden_day_waits_as_a_whole() -> None:
    usual = [one for day in range(10) for one in rows("UA", 10, day)]
    others = [one for by in ("UB", "UC", "UD") for day in range(30) for one in rows(by, 10, day)]
    found = set_aside(usual + rows("UA", 60, day=20) + others, {})
    assert found.people == {"UA": {WhyAside.BURST: 60}}
    assert set_aside(usual + rows("UA", 49, day=20) + others, {}) == SetAside()


@given(st.lists(st.integers(1, 120), min_size=1, max_size=12))
def test_burst_is_above_three_median_days(days: list[int]) -> None:
    every = [one for day, n in enumerate(days) for one in rows("UA", n, day)]
    middle = sorted(days)
    median = (middle[(len(days) - 1) // 2] + middle[len(days) // 2]) / 2
    wanted = {(START + timedelta(days=day)).date() for day, n in enumerate(days) if n >= 50 and n > 3 * median}
    assert bursts(every) == wanted


def test_decision_of_admin_stands_until_settled_again() -> None:
    every = [row(i, "UA", day=i) for i in range(60)] + rows("UB", 20) + rows("UC", 20)
    waiting = set_aside(every, {}).waiting
    for keep in (True, False):
        looks = {
            one.id: Look(row_id=one.id, settled_at=one.settled_at, keep=keep, by="U9", at=START)
            for one in every
            if one.id in waiting
        }
        found = set_aside(every, looks)
        assert found.waiting == {}
        assert found.left_out == (frozenset() if keep else frozenset(waiting))
        again = [one.model_copy(update={"settled_at": START + timedelta(days=90)}) for one in every]
        assert set_aside(again, looks).left_out == frozenset()


def test_rows_are_counted_by_person_and_category() -> None:
    every = [*rows("UA", 2), row(9, "UA", category="it"), *rows("UB", 1), *rows("UX", 5, source=Source.IMPORT)]
    assert settled_by(every) == {"UA": {"it": 1, "labor": 2}, "UB": {"labor": 1}}
