"""docs/settings.md lists every setting, and states the defaults that the code has."""

import pytest

from bot.settings import Endpoint, Settings
from tests.house.settings_page import GROUPS, PAGE, docstrings, meaning_and_default, page

FIELDS = {**Settings.model_fields, **Endpoint.model_fields}
MAX_DEFAULT = 120
"""Longest default, in characters: a column of defaults holds no descriptions."""


def test_settings_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.house.settings_page"


def test_every_setting_is_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(Settings.model_fields)


@pytest.mark.parametrize(("name", "docstring"), [*docstrings(Settings).items(), *docstrings(Endpoint).items()])
def test_docstring_ends_with_the_default(name: str, docstring: str) -> None:
    meaning, default = meaning_and_default(docstring)
    field = FIELDS[name]
    assert meaning
    assert "Required" not in meaning  # the column of defaults says it
    assert "|" not in docstring  # it would end a cell of the table
    assert field.is_required() or default, name
    assert len(default) <= MAX_DEFAULT
    assert ". " not in default, "text after the default belongs before it"
    if isinstance(field.default, str | int | float) and field.default != "":
        value = str(field.default).lower() if isinstance(field.default, bool | str) else f"{field.default:g}"
        assert default.partition(",")[0].strip("`") == value


def test_every_setting_has_a_docstring() -> None:
    assert docstrings(Settings).keys() == Settings.model_fields.keys()
    assert docstrings(Endpoint).keys() == Endpoint.model_fields.keys()
