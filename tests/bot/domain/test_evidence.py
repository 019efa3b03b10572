"""The mix of evidence: an equally good candidate rarely passes, whatever staff press on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.comparison import Comparison, compare
from bot.domain.dataset import Row
from bot.domain.evidence import Presses, SettledAnswer, Thousandths, balanced, generous_mix, thousandths
from bot.domain.gate import Decision, GateReason, decide
from bot.domain.scorecard import Judged, scorecard
from tests.bot.domain.judged import judged

DRAWS = 200
MOST_PASSES = DRAWS // 20


@dataclass(frozen=True)
class Mix:
    """A mix of rows on which two releases are equally good, and what staff press on.

    `changed` and `confirmed` are the shares of wrong and of right answers that staff press on. `alike` is the share of
    questions on which both releases do the same; elsewhere the candidate is right as often, but independently. Some
    questions may be easy: both releases answer them right, surer than others, and staff confirm them more readily.
    `repaired` is the share of wrong answers that the candidate answers right in any case.
    """

    asked: int
    imported: int
    accuracy: float
    changed: float
    confirmed: float
    alike: float = 0.0
    easy: float = 0.0
    easy_confirmed: float = 0.0
    repaired: float = 0.0

    def draw(self, random: Random) -> Decision:
        """Draw the answers and the presses anew, and return the gate's decision on the rows that come of them."""
        pairs = dict[str, tuple[Judged, Judged]]()
        changed, confirmed, answered = dict[str, Thousandths](), dict[str, Thousandths](), Counter[Thousandths]()
        for n in range(self.asked + self.imported):
            easy = random.random() < self.easy
            old = easy or random.random() < self.accuracy
            new = old if easy or random.random() < self.alike else random.random() < self.accuracy
            new = new or random.random() < self.repaired
            if n < self.asked:
                told = thousandths(random.gauss(0.9 if easy else 0.5, 0.15))
                answered[told] += 1
                if random.random() >= ((self.easy_confirmed if easy else self.confirmed) if old else self.changed):
                    continue
                (confirmed if old else changed)[f"row{n}"] = told
            pairs[f"row{n}"] = ANSWERS[new][n], ANSWERS[old][n]
        presses = Presses(answered=answered, changed=changed, confirmed=confirmed)
        rows = [one.row for one, _ in pairs.values()]
        counted = [row.id for row in balanced(rows, presses)]
        generous = [row.id for row in generous_mix(rows, presses)]
        assert 2 * len(changed.keys() & set(counted)) <= len(counted)
        return decide(only(pairs, counted), NO_CARD, NO_CARD, only(pairs, generous))


ANSWERS = {right: judged(["it"] * 400, ["it" if right else "hr"] * 400) for right in (True, False)}
"""Rows that a release answers rightly, and the same rows answered wrongly."""
NO_CARD = scorecard("old", [])


def only(pairs: Mapping[str, tuple[Judged, Judged]], ids: Sequence[str]) -> Comparison:
    return compare([pairs[one][0] for one in ids], [pairs[one][1] for one in ids])


MIXES = [
    Mix(100, 0, 0.8, changed=1, confirmed=0.2),
    Mix(300, 0, 0.8, changed=1, confirmed=0.2),
    Mix(300, 0, 0.6, changed=1, confirmed=0.2),
    Mix(290, 0, 0.9, changed=1, confirmed=1),
    Mix(300, 0, 0.8, changed=0.5, confirmed=0.1),
    Mix(300, 0, 0.8, changed=0.1, confirmed=0.9),
    Mix(300, 0, 0.4, changed=1, confirmed=0.5),
    Mix(60, 20, 0.5, changed=1, confirmed=0.5),
    Mix(200, 200, 0.8, changed=1, confirmed=0),
    Mix(100, 180, 0.8, changed=1, confirmed=0.2, alike=0.5),
    Mix(40, 0, 0.7, changed=1, confirmed=0.5),
    Mix(0, 250, 0.7, changed=0, confirmed=0),
    Mix(20, 10, 0.5, changed=1, confirmed=0),
    Mix(300, 0, 0.6, changed=1, confirmed=0.05, easy=0.5, easy_confirmed=0.3),
    Mix(400, 0, 0.6, changed=1, confirmed=0.1, easy=0.5, easy_confirmed=0.4),
    Mix(150, 0, 0.5, changed=1, confirmed=0.2, easy=0.5, easy_confirmed=0.6),
    Mix(400, 0, 0.6, changed=1, confirmed=0.3, easy=0.5, easy_confirmed=0.9),
    Mix(300, 0, 0.6, changed=1, confirmed=0.3, easy=0.5, easy_confirmed=0.05),
]


@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_equal_candidate_rarely_passes_or_fails(mix: Mix) -> None:
    """Below 300 questions only "better" passes."""
    random = Random(20261130)
    found = [mix.draw(random).why for _ in range(DRAWS)]
    assert sum(why is GateReason.BETTER for why in found) <= MOST_PASSES
    assert sum(why is GateReason.WORSE for why in found) <= MOST_PASSES


@pytest.mark.parametrize("easy", [0.0, 0.5])
def test_better_candidate_often_passes(easy: float) -> None:
    mix = Mix(200, 0, 0.5, changed=1, confirmed=0.5, easy=easy, easy_confirmed=0.5, repaired=0.6)
    random = Random(20261202)
    assert sum(mix.draw(random).why is GateReason.BETTER for _ in range(50)) >= 40


@settings(max_examples=50)
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(0, 200), st.randoms())
def test_choice_is_a_fair_half_at_most(changed: set[int], confirmed: set[int], more: int, random: Random) -> None:
    made = rows(61)
    presses = Presses(
        answered={None: len(changed | confirmed) + more},
        changed=dict.fromkeys(f"row{n}" for n in changed),
        confirmed=dict.fromkeys(f"row{n}" for n in confirmed - changed),
    )
    found = balanced(made, presses)
    kept = {row.id for row in found}
    assert 2 * len(kept & presses.changed.keys()) <= len(kept)
    assert kept - presses.changed.keys() == {row.id for row in made} - presses.changed.keys()
    assert [row for row in made if row.id in kept] == found
    shuffled = random.sample(made, len(made))
    assert {row.id for row in balanced(shuffled, presses)} == kept, "the choice does not depend on the order"
    assert presses.changed.keys() & {row.id for row in made} <= {row.id for row in generous_mix(made, presses)}


def test_changed_rows_alone_are_no_evidence() -> None:
    """Eight corrections of the serving release's answers would otherwise be eight fixed and none broken."""
    changed = dict.fromkeys(f"row{n}" for n in range(8))
    assert balanced(rows(8), Presses(answered={None: 8}, changed=changed)) == []
    assert len(balanced(rows(8), Presses(answered={None: 16}, changed=changed))) == 0


def test_all_count_when_staff_press_on_everything() -> None:
    changed = dict.fromkeys(f"row{n}" for n in range(10))
    confirmed = dict.fromkeys(f"row{n}" for n in range(10, 40))
    assert len(balanced(rows(40), Presses(answered={None: 40}, changed=changed, confirmed=confirmed))) == 40
    half = balanced(rows(40), Presses(answered={None: 70}, changed=changed, confirmed=confirmed))
    assert len(half) == 35, "half of the unchanged answers are confirmed, so half of the changed ones count"


def test_rows_that_confirmed_the_candidate_do_not_count() -> None:
    own = Presses(answered={None: 5}, confirmed={"row1": None, "row2": None})
    assert [row.id for row in balanced(rows(4), Presses(), own)] == ["row0", "row3"]


def test_presses_belong_to_the_releases_that_answered() -> None:
    settled = {
        "a": SettledAnswer(release_id="r1", category="it", confidence=0.5, settled="hr"),
        "b": SettledAnswer(release_id="r1", category="it", confidence=None, settled="it"),
        "c": SettledAnswer(release_id="r2", category="it", confidence=0.5, settled="hr"),
        "d": SettledAnswer(release_id=None, category="it", confidence=0.5, settled="hr"),
    }
    found = Presses.of(settled, ["r0", "r1", "r3"], {"r1": {500: 1, None: 1}, "r2": {500: 1}, "r3": {500: 1, 750: 1}})
    assert found == Presses(answered={500: 2, None: 1, 750: 1}, changed={"a": 500}, confirmed={"b": None})


def rows(n: int) -> list[Row]:
    return [one.row for one in judged(["it"] * n, ["it"] * n)]
