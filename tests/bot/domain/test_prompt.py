"""The prompt: its text, its id and its validation."""

import tomllib

import pytest
from pydantic import ValidationError

from bot.domain.prompt import Category, Prompt
from tests.bot.things import PROMPT

TOML = """
language = "en"
[[category]]
id = "labor"
name = "Labor"
rule = "Leave is labor."
examples = ["How much leave?"]
owner = "S1"
[[category]]
id = "other"
name = "Other"
other = true
"""


def test_text_holds_the_task_and_all_categories() -> None:
    assert Prompt.parse("Choose one.\n", TOML).text == (
        "Choose one.\n\n## Labor\nLeave is labor.\n- How much leave?\n\n## Other\n"
    )


def test_categories_replace_the_placeholder() -> None:
    text = Prompt.parse("Choose:\n{{categories}}\nAnswer in JSON.", TOML).text
    assert text.index("Choose:") < text.index("## Labor") < text.index("## Other") < text.index("Answer in JSON.")


def test_id_depends_on_text_not_on_owners() -> None:
    changed = PROMPT.model_copy(
        update={"categories": tuple(c.model_copy(update={"owner": "S9", "guide": "do"}) for c in PROMPT.categories)}
    )
    assert Prompt.model_validate(changed.model_dump()).id == PROMPT.id
    assert Prompt(language="ja", template=PROMPT.template + "。", categories=PROMPT.categories).id != PROMPT.id


def test_owned_by_fills_only_missing_owners() -> None:
    owned = Prompt.parse("", TOML).with_default_owner("S2")
    assert [c.owner for c in owned.categories] == ["S1", "S2"]
    assert owned.id == Prompt.parse("", TOML).id


LABOR, OTHER = Category(id="labor", name="Labor"), Category(id="other", name="Other", other=True)


@pytest.mark.parametrize(
    ("categories", "why"),
    [
        ((OTHER,), "few_categories"),
        ((LABOR, LABOR, OTHER), "twice.*'id'.*labor"),
        ((LABOR, Category(id="l2", name="Labor"), OTHER), "twice.*'name'.*Labor"),
        ((LABOR, Category(id="b", name="B")), "catch_all.*0"),
        ((OTHER, Category(id="b", name="B", other=True)), "catch_all.*2"),
    ],
)
def test_unusable_categories_are_refused(categories: tuple[Category, ...], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Prompt(language="en", template="", categories=categories)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [('"en"', '"fr"'), ('"labor"', '"la bor"'), ('"Labor"', '""'), ("owner", "owners")],
)
def test_unusable_file_is_refused(was: str, becomes: str) -> None:
    with pytest.raises(ValidationError):
        Prompt.parse("", TOML.replace(was, becomes))


def test_broken_toml_is_refused() -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        Prompt.parse("", TOML + "[[")


def test_names_in_other_languages_are_for_people_alone() -> None:
    named = LABOR.model_copy(update={"name_ja": "労務"})
    assert (named.name_in("ja"), named.name_in("en"), named.name_in(None)) == ("労務", "Labor", "Labor")
    plain, both = (Prompt(language="en", template="t", categories=(one, OTHER)) for one in (LABOR, named))
    assert (plain.id, plain.text) == (both.id, both.text)
    assert both.find_category("労務") == both.find_category("labor") == named
