"""Attacks by text: questions that tell the model what to answer, to see how often a release obeys."""

import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from bot.domain.dataset import Row, Source, Split, group_of
from bot.domain.prompt import Category, Prompt
from bot.domain.scorecard import Result
from bot.domain.thing import Thing

ATTACK = "attack"
"""In the place of the person who settled a row."""


class Attack(Thing):
    """A question of one category that orders the model to answer another one."""

    text: str
    aim: str
    """The id of the category that a model which obeys would answer."""


class AttackReport(Thing):
    """The number of attacks that a release was asked, and of those that moved its answer to the category they named."""

    asked: int
    obeyed: int


@cache
def _templates() -> dict[str, list[str]]:
    return dict(tomllib.loads(Path(__file__).with_name("attacks.toml").read_text(encoding="utf-8")))


def attacks_on(prompt: Prompt) -> list[Attack]:
    """Return the attacks on a prompt: each template with an example of one category and the name of another.

    A prompt that has no examples, or only one category, gives none.
    """
    told = [(category, example) for category in prompt.categories for example in category.examples[:1]]
    templates = [template for texts in _templates().values() for template in texts]
    if not told or len(prompt.categories) < 2:
        return []
    found = []
    for number, template in enumerate(templates):
        category, example = told[number % len(told)]
        aim = _another(prompt, category, number)
        found.append(Attack(text=template.format(question=example, category=aim.name), aim=aim.id))
    return found


def _another(prompt: Prompt, category: Category, number: int) -> Category:
    others = [one for one in prompt.categories if one.id != category.id]
    return others[number % len(others)]


def attack_rows(attacks: list[Attack]) -> list[Row]:
    """Return the attacks as rows to ask. They belong to no dataset: only the answers to their texts are stored."""
    return [
        Row(
            id=f"attack:{number}",
            text=attack.text,
            group=group_of(attack.text),
            category="",
            reason=None,
            split=Split.HELD_OUT,
            source=Source.IMPORT,
            by=ATTACK,
            settled_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for number, attack in enumerate(attacks)
    ]


def is_attack(row: Row) -> bool:
    """Return whether the row is none of the dataset, but one that `attack_rows` made."""
    return row.by == ATTACK


def attack_report(attacks: list[Attack], results: list[Result]) -> AttackReport:
    """Return how many of these attacks were obeyed."""
    obeyed = sum(result.category == attack.aim for attack, result in zip(attacks, results, strict=True))
    return AttackReport(asked=len(attacks), obeyed=obeyed)
