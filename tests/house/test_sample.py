"""The sample of docstrings."""

from tests.house.sample import docstrings, sample


def test_same_seed_draws_the_same_docstrings() -> None:
    assert sample(7, 10) == sample(7, 10)
    assert sample(7, 10) != sample(8, 10)
    assert len(set(sample(7, 10))) == 10


def test_docstrings_of_every_kind_are_drawn() -> None:
    names = {entry.splitlines()[0] for entry in docstrings()}
    assert {
        "bot/settings.py  (module)",
        "bot/settings.py  Settings",
        "bot/settings.py  Settings.bot_staff",
        "bot/settings.py  Settings.practice",
        "bot/settings.py  load",
    } <= names
