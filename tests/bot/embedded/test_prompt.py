"""Assignment of a prompt's texts to labels in many layouts."""

import pytest

from bot.embedded.prompt import catch_all_label, guess_labels, texts_of_labels
from tests.bot.embedded.kit import LABELS, PROMPT


def test_heading_sections_hold_rule_and_examples() -> None:
    found = texts_of_labels(PROMPT, LABELS)
    assert found["労務"] == [
        "有給や休暇などの就業規則に関わる質問は労務として扱う",
        "有給は何日前までに申請すればいいですか?",
        "残業時間の上限を教えてください",
    ]
    assert found["その他"] == ["どれにも当てはまらない質問"]


@pytest.mark.parametrize(
    "prompt",
    [
        "Categories:\n- leave: days off and holidays\n- it: laptops and passwords\n\nAnswer in JSON.",
        "leave: days off and holidays\nit: laptops and passwords",
        "1. **leave** – days off and holidays\n2. **it** – laptops and passwords",
        "| category | rule |\n|---|---|\n| leave | days off and holidays |\n| it | laptops and passwords |",
        "# Task\nChoose.\n# 1. Leave\ndays off and holidays\n# 2. IT\nlaptops and passwords\n# Output\nJSON",
        "leave:\n  days off and holidays\n\nit:\n  laptops and passwords\n",
        "days off and holidays → leave\nlaptops and passwords → it",
        "【leave】\ndays off and holidays\n【it】\nlaptops and passwords",
    ],
)
def test_hand_written_prompt_layouts_are_read(prompt: str) -> None:
    found = texts_of_labels(prompt, ["leave", "it"])
    assert found == {"leave": ["days off and holidays"], "it": ["laptops and passwords"]}


def test_line_that_names_one_label_belongs_to_it() -> None:
    rule = "有給や休暇などの就業規則に関わる質問は労務として扱う"
    assert texts_of_labels(f"社内の質問を労務か人事に分類します。\n{rule}", ["労務", "人事"]) == {
        "労務": [rule],
        "人事": [],
    }


def test_overlapping_labels_are_kept_apart() -> None:
    prompt = "## 経理\n\n精算\n\n## 経理（海外）\n\n送金\n\n## hr\n\npay\n\n## hr_ops\n\nforms for three"
    found = texts_of_labels(prompt, ["経理", "経理（海外）", "hr", "hr_ops", "three_way"])
    assert found == {
        "経理": ["精算"],
        "経理（海外）": ["送金"],
        "hr": ["pay"],
        "hr_ops": ["forms for three"],
        "three_way": [],
    }


def test_pronoun_is_not_read_as_label() -> None:
    prompt = (
        "# How it works\n\nRead it and answer.\n\n- If it is unclear, say so.\n\n## IT\n\nlaptops\n\n## Pay\n\nmoney"
    )
    assert texts_of_labels(prompt, ["IT", "Pay"]) == {"IT": ["laptops"], "Pay": ["money"]}
    assert texts_of_labels(prompt, ["it", "pay"]) == {"it": ["laptops"], "pay": ["money"]}


def test_only_heading_of_same_level_ends_section() -> None:
    prompt = "## leave\n\nrule\n\n### Examples\n\n- can i go\n\n## Output\n\nWrite JSON."
    assert texts_of_labels(prompt, ["leave", "it"]) == {"leave": ["rule", "can i go"], "it": []}


@pytest.mark.parametrize(
    ("documents", "label"),
    [
        ([("other", "other"), ("it", "it")], "other"),
        ([("general", "general"), ("questions that fit none of the above", "general"), ("it", "it")], "general"),
        ([("総合", "総合"), ("どれにも当てはまらない質問", "総合"), ("経理", "経理")], "総合"),
        ([("general affairs", "general affairs"), ("it", "it")], None),
    ],
)
def test_catch_all_is_recognized_by_name_or_rule(documents: list[tuple[str, str]], label: str | None) -> None:
    assert catch_all_label(documents) == label


def test_labels_are_guessed_from_headings_or_bullets() -> None:
    assert guess_labels(PROMPT) == LABELS
    assert guess_labels("Choose:\n- leave: days off\n- it: laptops\n") == ["leave", "it"]
    assert guess_labels("# Task\n\n## A\n\n### Examples\n\n- x\n\n## B\n\n### Examples\n\n- y") == ["A", "B"]
    assert guess_labels("Hello") == []
