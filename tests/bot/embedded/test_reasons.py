"""Reasons quote the deciding words in the question's language."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.answers import classify
from bot.embedded.encoders import PackagedEncoder, Vectors
from bot.embedded.features import FUNCTION_WORDS, is_japanese
from bot.embedded.reasons import candidate_words, deciding_words, like_example, quoted_reason
from bot.embedded.trained import TrainedModel
from tests.bot.embedded.kit import LABELS, PROMPT

_ENGLISH = "## leave\n\nDays off.\n- how many vacation days are left\n\n## it\n\nComputers.\n- my laptop has no wifi"


def _by_color(texts: Sequence[str]) -> Vectors:
    """Return one vector for texts with a colour, and another for all other texts."""
    colored = np.array([[float("青い" in text or "赤い" in text)] for text in texts], dtype=np.float32)
    return np.hstack([colored, 1 - colored])


ALIKE = PackagedEncoder("alike", lambda: _by_color)


def test_japanese_reason_quotes_whole_words() -> None:
    answer = classify(TrainedModel(), PROMPT, LABELS, "来月の有給の申請について")
    assert answer.label == "労務"
    assert "「有給」" in answer.reason
    assert answer.reason.endswith("という言葉から判断しました")


def test_english_reason_quotes_whole_words() -> None:
    answer = classify(TrainedModel(), _ENGLISH, ["leave", "it"], "I need a Vacation in June")
    assert answer.label == "leave"
    assert answer.reason.startswith('Decided by "Vacation"')


@pytest.mark.parametrize("question", ["xyzzy", "ぺぽ", "!?", "", "what is it", "それは何ですか", "10 or 8", "使った"])
def test_no_reason_where_no_word_decides(question: str) -> None:
    assert classify(TrainedModel(), PROMPT, LABELS, question).reason == ""


@given(st.text(max_size=300), st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_reason_is_short_and_names_no_function_word(question: str, effects: list[float]) -> None:
    spans = candidate_words(question)
    words = deciding_words(question, dict(zip(spans, effects, strict=False)))
    assert not FUNCTION_WORDS & {word.casefold() for word in words}
    assert not any(word.isdecimal() for word in words)
    reason = quoted_reason(question, words)
    assert len(reason) < 60 if is_japanese(question) else len(reason.split()) <= 12


@given(st.text(max_size=50), st.text(min_size=1, max_size=300))
def test_named_example_is_cut_to_length(question: str, example: str) -> None:
    reason = like_example(question, example)
    assert len(reason) < 60 if is_japanese(question) else len(reason.split()) <= 12


def test_reason_names_alike_example_without_deciding_word() -> None:
    shots = [("青いかばん", "人事")]
    answer = classify(TrainedModel(encoder=ALIKE), PROMPT, LABELS, "青い、赤い", shots)
    assert answer.label == "人事"
    assert answer.reason == "「青いかばん」と似た質問です"


@pytest.mark.parametrize(("label", "word"), [("労務", "有給"), ("人事", "面接")])
def test_reason_for_given_label_quotes_supporting_words(label: str, word: str) -> None:
    answer = classify(TrainedModel(), PROMPT, [label], "面接と有給について")
    assert (answer.label, answer.confidence) == (label, 1.0)
    assert answer.reason == f"「{word}」という言葉から判断しました"


def test_given_label_without_supporting_word_has_no_reason() -> None:
    assert classify(TrainedModel(), PROMPT, ["人事"], "有給").reason == ""


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("社宅の申し込みをしたい", "申し込み"),
        ("引っ越しの手当はありますか", "引っ越し"),
        ("働き方改革とは", "働き方改革"),
        ("荷物が届きません", "届き"),
        ("会議室の予約をしたい", "会議室"),
        ("有給いつ取れますか", "有給"),
    ],
)
def test_japanese_word_is_quoted_whole_without_particles(question: str, word: str) -> None:
    effects = {span: float(span[0] <= question.index(word) < span[1]) for span in candidate_words(question)}
    assert deciding_words(question, effects) == [word]
