import pytest

from bot.domain.reason import tells_why


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
