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
        ("経理です。", "keiri"),
        ("「経理」です", "keiri"),
        ("分類は経理です。", "keiri"),
        ("経理に分類されます。", "keiri"),
        ("経理ではありません", None),
        ("経理ですか？", None),
        ("This is an HR question.", "hr"),
        ("I would classify this as Labor.", "labor"),
        ("It is not HR", None),
        ("It is HR or Labor", None),
        ("General & Affairs", "general_affairs"),
        ("HR (人事)", "hr"),
        ("**HR**（人事）", "hr"),
        ("Category: hr (human resources).", "hr"),
        ("経理 (HR ではない)", None),
        ("HR (Labor)", None),
        ("HR (not sure)", None),
        ("HR (?)", None),
        ("Legal (HR)", None),
        ("(HR) Labor", None),
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
        ({"a": "総務（庶務）", "b": "労務"}, "総務", "a"),
        ({"a": "総務（庶務）", "b": "総務（受付）"}, "総務", None),
        ({"a": "総務（庶務）", "b": "総務（受付）"}, "総務 (受付)", "b"),
        ({"a": "総務（庶務）", "b": "総務（受付）"}, "総務（人事）", None),
        ({"a": "総務（庶務）", "b": "総務"}, "総務", "b"),
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
        without_gloss = re.sub(r"[(（][^()（）]*[)）]\W*$", "", written)
        said = re.sub(
            r"^(?:the|final|correct)*(?:category|label|answer|class|カテゴリー?|分類|回答)(?:is|は)?",
            "",
            letters(written if letters(written).endswith(letters(found.name)) else without_gloss),
        )
        names = {found.name, found.id, re.sub(r"\(.*\)", "", found.name)}
        assert said.lstrip("0123456789") in set(map(letters, names))


@pytest.mark.parametrize(
    ("written", "category"),
    [
        ("HR - because it is about pay", "hr"),
        ("HR — it is about hiring", "hr"),
        ("HR: the question is about pay.", "hr"),
        ("HR, because it is about pay", "hr"),
        ("HR because no one else hires", "hr"),
        ("HR. The asker wants to hire somebody.", "hr"),
        ("**HR**\n\nThe asker wants to hire somebody.", "hr"),
        ("HR (人事) - because it is about hiring", "hr"),
        ("The category is HR because it is about hiring.", "hr"),
        ("経理。交通費の精算だからです。", "keiri"),
        ("経理：交通費の精算のため", "keiri"),
        ("経理 なぜなら交通費の話だから", "keiri"),
        ("IT (PC) - the laptop is broken", "it"),
        ("HR - or Labor", None),
        ("HR - because it is not about Labor", None),
        ("HR - not quite", None),
        ("HR - maybe", None),
        ("HR. Or is it?", None),
        ("HR: no, wait", None),
        ("HR - Labor", None),
        ("経理 - 労務かもしれない", "keiri"),
        ("経理 - または HR", None),
        ("Legal - because it is about contracts", None),
        ("HR partner - because it is about hiring", None),
        ("I think HR - because", None),
        ("HR -", None),
        ("HR", None),
    ],
)
def test_explanation_behind_a_label_is_told_apart(written: str, category: str | None) -> None:
    found = PROMPT.explained(written)
    meant_category = PROMPT.meant(found[0]) if found else None
    assert (meant_category.id if meant_category else None) == category


@given(st.lists(PIECES | st.sampled_from([" - ", ": ", "because ", "\n", "(", ")", "or "]), max_size=8).map("".join))
def test_explained_text_begins_with_its_label(written: str) -> None:
    found = PROMPT.explained(written)
    if found:
        assert written.strip().startswith(found[0])
        assert PROMPT.meant(found[0])


@given(
    st.text(max_size=12), st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=6), max_size=2), max_size=4)
)
def test_exact_label_of_one_key_is_found(written: str, labels: dict[str, list[str]]) -> None:
    found = meant(written, labels)
    assert found is None or found in labels
