"""The category that a written label plainly means."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.label import meant
from bot.domain.prompt import Category, Prompt


def prompt_of(**names: str) -> Prompt:
    categories = [Category(id=key, name=name) for key, name in names.items()]
    return Prompt(language="en", template="", categories=(*categories, Category(id="rest", name="Other", other=True)))


PROMPT = prompt_of(labor="Labor", hr="HR", general_affairs="General Affairs", keiri="経理", it="IT (PC)")


@pytest.mark.parametrize(
    ("written", "category"),
    [
        ("Labor", "labor"),
        ("labor", "labor"),
        ("LABOR ", "labor"),
        ("HR.", "hr"),
        ("**HR**", "hr"),
        ("__HR__", "hr"),
        ("`hr`", "hr"),
        ("ＨＲ", "hr"),
        ("「ＨＲ」。", "hr"),
        ("【経理】", "keiri"),
        ("経理\u200b", "keiri"),
        ("keiri", "keiri"),
        ("general_affairs", "general_affairs"),
        ("general-affairs", "general_affairs"),
        ("GeneralAffairs", "general_affairs"),
        ("general\u00a0affairs", "general_affairs"),
        ("Category: HR", "hr"),
        ("**Category:** HR", "hr"),
        ("カテゴリ：経理", "keiri"),
        ("分類は「経理」", "keiri"),
        ("The category is HR.", "hr"),
        ("1. Labor", "labor"),
        ("2) HR", "hr"),
        ("①経理", None),
        ("３．経理", "keiri"),
        ("- HR", "hr"),
        ("## HR", "hr"),
        ('["HR"]', "hr"),
        ("<HR>", "hr"),
        ("Category: 2. HR", "hr"),
        ("IT (PC)", "it"),
        ("it", "it"),
        ("HR or Labor", None),
        ("HR/Labor", None),
        ("not HR", None),
        ("!HR", None),
        ("~~HR~~", None),
        ("HR?", None),
        ("HR partner", None),
        ("H R", "hr"),
        ("2", None),
        ("", None),
        ("…", None),
        ("category", None),
    ],
)
def test_label_means_the_category_it_plainly_names(written: str, category: str | None) -> None:
    found = PROMPT.meant(written)
    assert (found.id if found else None) == category


@pytest.mark.parametrize(
    ("names", "written", "category"),
    [
        ({"a": "1. Labor", "b": "2. Labor"}, "Labor", None),
        ({"a": "1. Labor", "b": "2. Labor"}, "2. labor", "b"),
        ({"c": "C", "cpp": "C++", "cs": "C#"}, "**C#**", "cs"),
        ({"c": "C", "cpp": "C++", "cs": "C#"}, "c++", "cpp"),
        ({"a": "hr", "b": "HR"}, "HR", "b"),
        ({"a": "hr", "b": "HR"}, "Hr", None),
        ({"hr": "Labor", "labor": "HR"}, "hr.", None),
        ({"hr": "Labor", "labor": "HR"}, "HR", "labor"),
        ({"a": "A B", "b": "AB"}, "a-b", None),
        ({"a": "A B", "b": "AB"}, "**ab**", "b"),
    ],
)
def test_label_that_could_mean_two_means_none(names: dict[str, str], written: str, category: str | None) -> None:
    found = prompt_of(**names).meant(written)
    assert (found.id if found else None) == category


def letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(ch for ch in folded if ch.isalnum() or unicodedata.category(ch)[0] == "M")


PIECES = st.sampled_from(["HR", "labor", "Ｈ", "Category: ", "1. ", "not ", "**", "「", " ", "経理", "_", "?", "R"])


@given(st.lists(PIECES | st.text(max_size=2), max_size=5).map("".join))
@example("Category: 12. hr")
def test_label_never_means_what_it_does_not_name(written: str) -> None:
    found = PROMPT.meant(written)
    if found:
        said = re.sub(
            r"^(?:the|final|correct)*(?:category|label|answer|class|カテゴリー?|分類|回答)(?:is|は)?",
            "",
            letters(written),
        )
        assert said.lstrip("0123456789") in {letters(found.name), letters(found.id)}


@given(
    st.text(max_size=12), st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=6), max_size=2), max_size=4)
)
def test_exact_label_of_one_key_is_found(written: str, labels: dict[str, list[str]]) -> None:
    found = meant(written, labels)
    assert found is None or found in labels
