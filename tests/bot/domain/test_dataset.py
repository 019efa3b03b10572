"""Groups, the split that never moves, and the training file."""

import hashlib
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.domain.dataset import (
    SPECIAL_TOKENS,
    Row,
    Split,
    distinct,
    group_of,
    normalised,
    questions_of,
    split_of,
    usable_rows,
)
from tests.bot.things import CATEGORIES, PROMPT, row
from tests.kits.plain_export import export

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

fewer_examples = settings(max_examples=40)
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
    """Return the text in another width or case, with noise that carries no meaning."""
    noisy = "".join(ch + draw(st.sampled_from(NOISE)) for ch in text)
    return draw(st.sampled_from(NOISE)) + draw(st.sampled_from(WIDTHS))(noisy)


@given(meanings, st.data())
def test_spelling_variants_share_group_and_split(text: str, data: st.DataObject) -> None:
    one, two = data.draw(variant(text)), data.draw(variant(text))
    assert normalised(one) == normalised(two)
    assert group_of(one) == group_of(two)
    assert split_of(group_of(one)) is split_of(group_of(two))


@given(st.text(LETTERS + "".join(NOISE), max_size=30))
@example("!?")
def test_normalised_is_idempotent(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_texts_with_different_meanings_get_different_groups() -> None:
    texts = ["C を学ぶ", "C++ を学ぶ", "C# を学ぶ", "10% 引き", "10 引き", "は", "ば", "ぱ", "!", "?", "1", "2"]
    apart = ["C を学ぶ", "C++ を学ぶ", "は", "ば", "ぱ", "!", "?", "1", "2"]
    assert len({group_of(text) for text in apart}) == len(apart)
    assert all(normalised(text) for text in texts)


def test_known_groups_and_splits_never_change() -> None:
    """A different hash would move trained rows to the held-out side, so these values must never change."""
    known = {
        "有給は何日前までに申請すればいいですか？": ("82816d71", "train"),
        "経費": ("4fd4ef68", "train"),
        "How do I book a meeting room?": ("63515854", "train"),
        "給与明細": ("532a8e98", "held_out"),
    }
    assert {text: (group_of(text)[:8], split_of(group_of(text)).value) for text in known} == known


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
        *SPECIAL_TOKENS[:2],
    ]
)
reasons = st.none() | st.sampled_from(["就業規則だから", "", 'say "it"', SPECIAL_TOKENS[3]])


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


@fewer_examples
@given(row_lists(), st.data())
def test_export_ignores_the_order_of_rows(rows: list[Row], data: st.DataObject) -> None:
    assert export(rows, PROMPT) == export(data.draw(st.permutations(rows)), PROMPT)


@fewer_examples
@given(row_lists())
def test_each_exported_line_is_a_valid_example(rows: list[Row]) -> None:
    frozen = export(rows, PROMPT)
    text = frozen.data.decode()
    lines = text.splitlines()  # splits at every kind of line end, not only at line feeds
    assert len(lines) == text.count("\n") == frozen.manifest.rows
    by_id = {one.id: one for one in rows}
    for line, row_id in zip(lines, frozen.texts, strict=True):
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
        assert not any(token in line for token in SPECIAL_TOKENS)


@fewer_examples
@given(row_lists(), st.data())
def test_training_row_is_exported_unless_excluded(rows: list[Row], data: st.DataObject) -> None:
    near = data.draw(st.sets(st.sampled_from([one.id for one in rows]))) if rows else set()
    contested = data.draw(st.sets(st.sampled_from([one.group for one in rows]))) if rows else set()
    frozen = export(rows, PROMPT, contested=contested, near_held_out=near)
    for one in rows:
        repeats = [r for r in rows if (normalised(r.text), r.category) == (normalised(one.text), one.category)]
        reasons = [
            one.split is Split.HELD_OUT,
            one.id in near,
            one.group in contested,
            one != max(repeats, key=lambda other: (other.settled_at, other.id)),
            PROMPT.category(one.category) is None,
            any(token in one.text or token in (one.reason or "") for token in SPECIAL_TOKENS),
        ]
        assert (one.id in frozen.texts) is not any(reasons)
    assert len(frozen.texts) == frozen.manifest.rows


def test_lines_are_unpacked_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = export([row(f"鍵 {n}", row_id=f"q{n}") for n in range(50)], PROMPT)
    monkeypatch.setattr("bot.domain.dataset.CHUNK_BYTES", 100)
    assert len(frozen.packed) < len(frozen.data) / 5
    assert [line + b"\n" for line in frozen.lines()] == list(io.BytesIO(frozen.data))
    assert not list(export([], PROMPT).lines())


def test_different_wordings_of_a_group_are_exported() -> None:
    first = next(one for one in (row(f"鍵 {n}") for n in range(100)) if one.split is Split.TRAIN)
    second = row("鍵のほかの言い方", row_id="q2").model_copy(update={"group": first.group})
    repeated = row(first.text + "？", row_id="q3", at=5)
    frozen = export([first, second, repeated], PROMPT)
    assert set(frozen.texts) == {"q2", "q3"}
    assert questions_of(frozen.lines()) == [{"q2": second.text, "q3": repeated.text}[row_id] for row_id in frozen.texts]
    assert frozen.manifest.left_out == {"duplicate": 1}


@pytest.mark.parametrize("split", Split)
def test_conflict_is_left_out_until_settled(split: Split) -> None:
    texts = (f"鍵 {n}" for n in range(100))
    first = row(next(text for text in texts if split_of(group_of(text)) is split))
    other = row("鍵のほかの言い方", "it", row_id="q2").model_copy(update={"group": first.group, "split": split})
    frozen = export([first, other], PROMPT, contested={first.group})
    assert (frozen.texts, frozen.manifest.held_out, frozen.manifest.left_out) == ({}, 0, {"conflict": 2})
    assert usable_rows([first, other], {first.group}) == []
    settled = other.model_copy(update={"category": first.category})
    assert len(usable_rows([first, settled], ())) == 2
    assert "conflict" not in export([first, settled], PROMPT).manifest.left_out


@fewer_examples
@given(row_lists())
def test_manifest_accounts_for_every_row(rows: list[Row]) -> None:
    frozen = export(rows, PROMPT)
    manifest = frozen.manifest
    assert manifest.rows + manifest.held_out + sum(manifest.left_out.values()) == len(rows)
    assert sum(manifest.per_category.values()) == sum(manifest.sources.values()) == manifest.rows
    assert manifest.id == hashlib.sha256(frozen.data).hexdigest()
    assert manifest.bytes == len(frozen.data)
    assert manifest.prompt_id == PROMPT.id


@fewer_examples
@given(row_lists())
def test_distinct_keeps_one_row_per_text_and_category(rows: list[Row]) -> None:
    unique = distinct(rows)
    assert {(normalised(one.text), one.category) for one in unique} == {(normalised(r.text), r.category) for r in rows}
    assert len({(normalised(one.text), one.category) for one in unique}) == len(unique)
    assert distinct(unique) == unique


def test_neutral_reason_comes_from_rule_or_name() -> None:
    def reason(one: Row, language: str = "ja") -> str:
        data = export([one], PROMPT.model_copy(update={"language": language})).data
        return str(json.loads(json.loads(data)["messages"][2]["content"])["reason"])

    texts = (f"質問 {n}" for n in range(100))
    text = next(text for text in texts if split_of(group_of(text)) is Split.TRAIN)
    assert reason(row(text, "labor")) == "有給や休暇は 労務として扱う"
    assert reason(row(text, "it")) == "情シスに関する質問です。"
    assert reason(row(text, "it"), "en") == "This is a question for 情シス."
    assert reason(row(text, "it", reason="PC だから")) == "PC だから"
