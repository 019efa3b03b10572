"""Reasons quote the deciding words in the question's language."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.answers import classify
from bot.embedded.features import normalized
from bot.embedded.reasons import deciding_words, reason_for
from bot.embedded.trained import TrainedModel
from tests.bot.embedded.kit import LABELS, PROMPT

_ENGLISH = "## leave\n\nDays off.\n- how many vacation days are left\n\n## it\n\nComputers.\n- my laptop has no wifi"


def test_japanese_reason_quotes_whole_words() -> None:
    answer = classify(TrainedModel(), PROMPT, LABELS, "来月の有給の申請について")
    assert answer.label == "労務"
    assert "「有給」" in answer.reason
    assert answer.reason.endswith("が決め手です")


def test_english_reason_quotes_whole_words() -> None:
    answer = classify(TrainedModel(), _ENGLISH, ["leave", "it"], "I need a Vacation in June")
    assert answer.label == "leave"
    assert answer.reason.startswith('Decided by "Vacation"')


@pytest.mark.parametrize(
    ("question", "words"),
    [("xyzzy", "No word"), ("ぺぽ", "決め手になる言葉はなく"), ("!?", "No word"), ("", "No word")],
)
def test_reason_says_when_no_word_decided(question: str, words: str) -> None:
    assert classify(TrainedModel(), PROMPT, LABELS, question).reason.startswith(words)


@given(st.text(max_size=300), st.integers(0, 99))
def test_reason_is_never_empty_or_too_long(question: str, seed: int) -> None:
    evidence = np.random.default_rng(seed).normal(size=len(normalized(question))).astype(np.float32)
    assert 0 < len(reason_for(question, evidence)) <= 200


@pytest.mark.parametrize(
    ("question", "label", "word"),
    [
        ("来月の有給の申請について", "労務", "有給"),
        ("面接と有給について", "人事", "面接"),
        ("有給の申請", "人事", "申請"),
    ],
)
def test_reason_for_given_label_quotes_supporting_words(question: str, label: str, word: str) -> None:
    """A reason is given even if no word supports the label: people who set it know more than the model."""
    answer = classify(TrainedModel(), PROMPT, [label], question)
    assert (answer.label, answer.confidence) == (label, 1.0)
    assert f"「{word}」" in answer.reason
    assert answer.reason.endswith("が決め手です")


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
    evidence = np.zeros(len(normalized(question)), dtype=np.float32)
    evidence[question.index(word)] = 1.0
    assert deciding_words(question, evidence) == [word]
