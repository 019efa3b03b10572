"""Text that is no valid Unicode is repaired before it is stored."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.characters import clean_text, clean_values
from bot.domain.intake import storable
from bot.domain.masking import masked
from bot.domain.prompt import Category, Prompt
from tests.bot.things import arrival

OTHER = Category(id="o", name="Other", other=True)
HALVES = st.text(st.characters(exclude_characters="\0") | st.sampled_from("\ud83d\ude00"), max_size=20)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("有給は\ud83d？", "有給は\ufffd？"),
        ("\ude00", "\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        ("a\0b", "a\ufffdb"),
        ("有給\0", "有給\ufffd"),
        ("有給は？", "有給は？"),
        ("", ""),
    ],
)
def test_half_characters_are_replaced(text: str, clean: str) -> None:
    assert clean_text(text) == clean
    assert masked(text) == clean


@given(HALVES)
def test_clean_text_can_be_stored(text: str) -> None:
    clean = clean_text(text)
    assert clean.encode().decode() == clean == clean_text(clean)
    assert clean_values({text: [text, 1, None, {"a": (text,)}]}) == {clean: [clean, 1, None, {"a": (clean,)}]}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_valid_text_is_kept(text: str) -> None:
    assert clean_text(text) == text


def test_every_text_of_an_arrival_is_cleaned() -> None:
    come = arrival("有給は\ud83d？").model_copy(update={"asker": "U\udc00", "language": "ja\0"})
    kept = storable(come)
    assert (kept.text, kept.asker, kept.language) == ("有給は\ufffd？", "U\ufffd", "ja\ufffd")
    json.dumps(kept.model_dump(mode="json"), ensure_ascii=False).encode()
    assert storable(kept) == kept
    whole = arrival("有給は？")
    assert storable(whole) == whole


def test_prompt_is_cleaned_when_made() -> None:
    made = Prompt(language="en", template="a\ud83d", categories=(Category(id="a", name="A"), OTHER))
    assert made.changed(template="b\0").text == "b\ufffd\n\n## A\n\n## Other\n"
    assert made.id


def test_category_is_cleaned_when_made() -> None:
    category = Category(id="hr", name="HR \ud83d", rule="\ude00", examples=("\ud83d\ude00",))
    assert (category.name, category.rule, category.examples) == ("HR \ufffd", "\ufffd", ("\U0001f600",))
