"""Groups, the split that never moves, and the training file."""

import hashlib
import json
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.domain.dataset import FORBIDDEN, Row, Split, export, group_of, newest_per_group, normalised, split_of
from tests.bot.things import CATEGORIES, PROMPT, row

LETTERS = "abcxyzABCXYZ0189あいうガギがアイウ有給休暇労務表ー"
WIDE = {ord(ch): chr(ord(ch) + 0xFEE0) for ch in "abcxyzABCXYZ0189?!,.()~-"}
HALF_KANA = str.maketrans({"ア": "ｱ", "イ": "ｲ", "ウ": "ｳ", "ガ": "ｶﾞ", "ギ": "ｷﾞ"})
NOISE = [
    "",
    " ",
    "  ",
    "\n",
    "\t",
    "\u3000",
    "\u200b",
    "\u00a0",
    "、",
    "。",
    "?",
    "？",
    "！",
    "…",
    "「",
    "~",
    "〜",
    "-",
    "−",
    "–",
]

some = settings(max_examples=40)
meanings = st.text(LETTERS, min_size=1, max_size=20)
WIDTHS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.lower,
    lambda t: t.translate(WIDE),
    lambda t: t.translate(HALF_KANA),
]


@st.composite
def variant(draw: st.DrawFn, text: str) -> str:
    """The same question as somebody else writes it."""
    noisy = "".join(ch + draw(st.sampled_from(NOISE)) for ch in text)
    return draw(st.sampled_from(NOISE)) + draw(st.sampled_from(WIDTHS))(noisy)


@given(meanings, st.data())
def test_all_ways_to_write_a_question_are_one_group_on_one_side(text: str, data: st.DataObject) -> None:
    one, two = data.draw(variant(text)), data.draw(variant(text))
    assert normalised(one) == normalised(two)
    assert group_of(one) == group_of(two)
    assert split_of(group_of(one)) is split_of(group_of(two))


@given(st.text(LETTERS + "".join(NOISE), max_size=30))
@example("!?")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_what_has_a_meaning_stays_apart() -> None:
    texts = ["C を学ぶ", "C++ を学ぶ", "C# を学ぶ", "10% 引き", "10 引き", "は", "ば", "ぱ", "!", "?", "1", "2"]
    apart = ["C を学ぶ", "C++ を学ぶ", "は", "ば", "ぱ", "!", "?", "1", "2"]
    assert len({group_of(text) for text in apart}) == len(apart)
    assert all(normalised(text) for text in texts)


def test_about_a_fifth_is_held_out() -> None:
    held_out = sum(split_of(group_of(f"質問 {n}")) is Split.HELD_OUT for n in range(5_000))
    assert 900 <= held_out <= 1_100  # 1000 ± 3.5 standard deviations


texts = st.sampled_from(
    [
        "有給は？",
        "有給は?",
        "PC が遅い",
        "ｐｃが遅い！",
        "鍵をなくした",
        "経費",
        "line\u2028end\u0085\u2029",
        *FORBIDDEN[:2],
    ]
)
reasons = st.none() | st.sampled_from(["就業規則だから", "", 'say "it"', FORBIDDEN[3]])


@st.composite
def row_lists(draw: st.DrawFn) -> list[Row]:
    made = [
        row(
            draw(texts | meanings),
            draw(st.sampled_from([*CATEGORIES, "gone"])),
            at=draw(st.integers(0, 3)),
            row_id=f"q{n}",
            reason=draw(reasons),
        )
        for n in range(draw(st.integers(0, 12)))
    ]
    return draw(st.permutations(made))


@some
@given(row_lists(), st.data())
def test_the_order_of_rows_does_not_matter(rows: list[Row], data: st.DataObject) -> None:
    assert export(rows, PROMPT) == export(data.draw(st.permutations(rows)), PROMPT)


@some
@given(row_lists())
def test_each_line_is_an_example_that_a_provider_takes(rows: list[Row]) -> None:
    frozen = export(rows, PROMPT)
    text = frozen.data.decode()
    lines = text.splitlines()  # at every kind of line end, not only at line feeds
    assert len(lines) == text.count("\n") == frozen.manifest.rows
    by_id = {one.id: one for one in rows}
    for line, row_id in zip(lines, frozen.row_ids, strict=True):
        record = json.loads(line)
        assert list(record) == ["messages"]
        system, user, assistant = record["messages"]
        assert [list(message) for message in record["messages"]] == [["role", "content"]] * 3
        assert (system["role"], user["role"], assistant["role"]) == ("system", "user", "assistant")
        assert system["content"] == PROMPT.text
        assert user["content"] == by_id[row_id].text
        answer = json.loads(assistant["content"])
        assert list(answer) == ["reason", "category"]
        category = PROMPT.named(answer["category"])
        assert category is not None
        assert category.id == by_id[row_id].category
        assert answer["reason"].strip()
        assert "労務" in line
        assert not any(token in line for token in FORBIDDEN)


@some
@given(row_lists())
def test_only_the_newest_training_row_of_each_group_is_in_the_file(rows: list[Row]) -> None:
    frozen = export(rows, PROMPT)
    exported = [one for one in rows if one.id in frozen.row_ids]
    assert len(exported) == len(frozen.row_ids) == len({one.group for one in exported})
    for one in exported:
        assert one.split is Split.TRAIN
        rivals = [other for other in rows if other.group == one.group]
        assert one == max(rivals, key=lambda other: (other.settled_at, other.id))
    held_out = {one.group for one in rows if one.split is Split.HELD_OUT}
    assert not held_out & {one.group for one in exported}


@some
@given(row_lists())
def test_the_manifest_accounts_for_every_row(rows: list[Row]) -> None:
    frozen = export(rows, PROMPT)
    manifest = frozen.manifest
    assert manifest.rows + manifest.held_out + sum(manifest.left_out.values()) == len(rows)
    assert sum(manifest.per_category.values()) == sum(manifest.sources.values()) == manifest.rows
    assert manifest.id == hashlib.sha256(frozen.data).hexdigest()
    assert manifest.bytes == len(frozen.data)
    assert manifest.prompt_id == PROMPT.id


@some
@given(row_lists())
def test_one_row_a_group_is_kept_whatever_was_there(rows: list[Row]) -> None:
    kept = newest_per_group(rows)
    assert {one.group for one in kept} == {one.group for one in rows}
    assert newest_per_group(kept) == kept


def test_a_row_without_a_reason_argues_with_its_categorys_rule_or_name() -> None:
    def reason(one: Row, language: str = "ja") -> str:
        data = export([one], PROMPT.model_copy(update={"language": language})).data
        return str(json.loads(json.loads(data)["messages"][2]["content"])["reason"])

    texts = (f"質問 {n}" for n in range(100))
    text = next(text for text in texts if split_of(group_of(text)) is Split.TRAIN)
    assert reason(row(text, "labor")) == "有給や休暇は 労務として扱う"
    assert reason(row(text, "it")) == "情シスに関する質問です。"
    assert reason(row(text, "it"), "en") == "This is a question for 情シス."
    assert reason(row(text, "it", reason="PC だから")) == "PC だから"
