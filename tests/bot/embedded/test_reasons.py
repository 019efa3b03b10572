"""Reasons quote the deciding words in the question's language."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.answers import classify
from bot.embedded.encoders import PackagedEncoder, Vectors
from bot.embedded.features import is_japanese
from bot.embedded.reasons import candidate_words, deciding_words, like_example, quoted_reason
from bot.embedded.trained import TrainedModel
from tests.bot.embedded.kit import LABELS, PROMPT

_ENGLISH = "## leave\n\nDays off.\n- how many vacation days are left\n\n## it\n\nComputers.\n- my laptop has no wifi"
# fmt: off
_CLOSED_CLASSES = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves one oneself each other another what which who whom whose whatever
whichever whoever this that these those here there somebody someone something anybody anyone anything nobody none
nothing everybody everyone everything where when why how wherever whenever
a an the and but or nor so yet for if unless because since although though while whereas until till than whether as
at by with without within about above across after against along amid among around before behind below beneath beside
besides between beyond despite down during except from in inside into like near of off on onto out outside over past per
through throughout to toward towards under up upon via
am is are was were be been being have has had having do does did doing done will would shall should can could may might
must ought need not no
all any both few more most much many some such same own only just too very quite rather also again once then now soon
ever never always often sometimes usually already still almost perhaps maybe however therefore otherwise instead anyway
further even else
i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'll we're we've we'd we'll
they're they've they'd they'll that's that'll there's here's what's who's where's when's why's how's let's isn't aren't
wasn't weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't couldn't mustn't
mightn't needn't oughtn't
today tomorrow yesterday tonight morning afternoon evening week month year day days monday friday january december
please thanks hello hi hey ok yes
これ それ あれ どれ ここ そこ どこ こちら そちら どちら 誰 何 私 僕 自分 いつ なぜ どう どうして どのように どんな
について に関して という ところ ため とき こと もの よう ので のに けれど しかし そして また または および
です ます でした ました ません ください でしょうか ますか ですか たいです ありますか でしょう
今日 明日 昨日 先日 本日 来週 今週 先週 来月 今月 先月 来年 今年 去年 毎日 毎月 月曜日 金曜 午前 午後 最近 現在
本当 至急 皆さん 弊社 以下 色々 お願いします よろしくお願いします ありがとうございます お疲れ様です 了解しました
"""
# fmt: on
"""Words that say nothing about a subject, by the grammar of each language; the code has lists of its own."""


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
    assert not {*_CLOSED_CLASSES.split()} & {word.casefold() for word in words}
    assert not any(word.isdecimal() for word in words)
    reason = quoted_reason(question, words)
    assert len(reason) < 60 if is_japanese(question) else len(reason.split()) <= 12


@pytest.mark.parametrize("write", [str, str.upper, str.capitalize, lambda word: word.replace("'", "’")])
def test_no_function_word_is_quoted(write: Callable[[str], str]) -> None:
    assert [word for word in map(write, _CLOSED_CLASSES.split()) if candidate_words(word)] == []


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("See https://intra.example.com/a?b=1&id=42, my invoice", ["invoice"]),
        ("user@example.com has no invoice on www.example.co.jp", ["invoice"]),
        ("<@U0ABC123> is in <#C0HELP|help>: :tada: invoice", ["invoice"]),
        ("https://example.com/abcの請求書が見えない", ["請求書", "見え"]),
        ("ゆうきゅうはいつまでにしんせいすればいいですか", []),
        ("ゆうきゅうはいつですか", []),
        ("ひっこし", ["ひっこし"]),
        ("先日の件で本当に困っています。二週間前の請求書です", ["請求書"]),
    ],
)
def test_only_words_of_the_subject_are_quoted(question: str, words: list[str]) -> None:
    assert [question[slice(*span)] for span in candidate_words(question)] == words


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
