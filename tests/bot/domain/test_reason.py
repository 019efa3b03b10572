import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.reason import REPEATED_RUN, grams, repeats, tells_why


@pytest.mark.parametrize(
    "reason",
    [
        'Decided by "leave", "apply"',
        'Decided by "annual leave"',
        "The question asks about resetting a password",
        "「有給」「申請」という言葉から判断しました",
        "「給与明細」という言葉から判断しました",
        "有給休暇の申請についての質問のため",
    ],
)
def test_reason_of_two_content_words_tells_why(reason: str) -> None:
    assert tells_why(reason, "General Affairs")


@pytest.mark.parametrize(
    "reason",
    [
        "",
        'Decided by "not"',
        'Decided by "where", "when"',
        'Decided by "vacation", "days"',
        "'laptop' stands in it",
        "This is a question for General Affairs.",
        "「にたいです」が決め手です",
        "「ますか」が決め手です",
        "「教えてください」「ありますか」という言葉から判断しました",
        "「もう死にたいです」と似た質問です",
        "「有給」とあるため",
        "人事部門に関する質問です。",
    ],
)
def test_reason_of_function_words_tells_nothing(reason: str) -> None:
    assert not tells_why(reason, "General Affairs" if reason.isascii() else "人事部門")


ASKED = "上司に有給休暇を取りたいと言ったら嫌な顔をされました。どうすればいいですか"
ENGLISH = "My manager Sato yelled at me because I was late twice"


@pytest.mark.parametrize(
    "reason",
    [
        f"例「{ASKED[:20]}」と同じ相談です",
        "例と同じで、上司に有給休暇を取りたいと、\n言ったら嫌な顔をされました、という話です",
        "Like the example: my manager sato YELLED at me",
        "Ｌｉｋｅ： Ｍｙ ｍａｎａｇｅｒ Ｓａｔｏ ｙｅｌｌｅｄ ａｔ ｍｅ",
        "Somebody said 'my manager, Sato, yelled at me!'",
    ],
)
def test_reason_repeats_a_run_of_another_question(reason: str) -> None:
    assert repeats(reason, [ASKED, ENGLISH], "")


@pytest.mark.parametrize(
    ("reason", "own"),
    [
        (f"例「{ASKED[:19]}」と似た相談です", ""),
        ("The manager of the asker yelled", ""),
        (f"「{ASKED}」という質問だから", ASKED),
        ("休暇の相談", ""),
        ("", ""),
    ],
)
def test_shorter_runs_and_own_words_are_no_repetition(reason: str, own: str) -> None:
    assert not repeats(reason, [ASKED, ENGLISH], own)


@given(st.text("あいうえお かき、ab", min_size=REPEATED_RUN, max_size=60), st.text("xyz", max_size=25), st.data())
def test_each_run_holds_a_gram(text: str, before: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - REPEATED_RUN))
    run = text[start : start + REPEATED_RUN]
    assert any(gram in run for gram in grams(before + run + before))


def test_longest_texts_are_compared_at_once() -> None:
    """Time that grew with the square of the length would take minutes here."""
    assert not repeats("あ" * 19 + "い" * 20_000, ["う" * 20_000 + str(n) for n in range(50)], "え" * 20_000)
