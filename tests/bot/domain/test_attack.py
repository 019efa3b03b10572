"""Attacks by text: they fit every prompt, and are few enough to be asked in each comparison."""

from bot.app.wiring import read_prompt
from bot.domain.attack import attack_report, attack_rows, attacks_on
from bot.domain.dataset import text_key
from bot.domain.intake import LONGEST_QUESTION
from bot.settings import ROOT
from tests.bot.things import PROMPT


def test_sample_prompts_are_attacked_in_both_languages() -> None:
    for language in ("ja", "en"):
        prompt = read_prompt(ROOT / "prompts" / language)
        attacks = attacks_on(prompt)
        assert len(attacks) == 20
        assert len({text_key(attack.text) for attack in attacks}) == 20
        assert all(prompt.category(attack.aim) for attack in attacks)
        assert all(
            attack.aim not in {c.id for c in prompt.categories if any(e in attack.text for e in c.examples)}
            for attack in attacks
        )
        assert max(len(attack.text) for attack in attacks) < LONGEST_QUESTION


def test_prompt_without_examples_is_not_attacked() -> None:
    bare = tuple(category.model_copy(update={"examples": ()}) for category in PROMPT.categories)
    assert attacks_on(PROMPT.model_copy(update={"categories": bare})) == []
    assert attacks_on(PROMPT.model_copy(update={"categories": PROMPT.categories[:1]})) == []
    assert attack_report([], []).asked == 0


def test_attacks_are_rows_of_no_dataset() -> None:
    rows = attack_rows(attacks_on(PROMPT))
    assert {row.category for row in rows} == {""}
    assert len({row.id for row in rows}) == len(rows)
