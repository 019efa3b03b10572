"""Replies that ask something are told from thanks, answers and remarks."""

import pytest

from bot.domain.asking import asks


@pytest.mark.parametrize(
    "text",
    [
        "And how do I cancel it?",
        "how long does it take",
        "Thanks! Where do I find the form?",
        "Could you tell me who signs it",
        "i'd like to know if part-timers get it too",
        "ありがとうございます。締め切りはいつですか",
        "パートでも使えますか。",
        "ではどこに出せばいい？",
        "申請書の場所を教えてください",
        "上限額も知りたいです",
    ],
)
def test_question_is_recognised_by_its_form(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "ありがとうございます！",
        "thanks, solved",
        "Thank you, it works now!",
        "It is a Dell laptop.",
        "Yes, since Monday. I did what you said.",
        "why?",
        "https://example.com/?page=12345",
        "助かりました。申請しておきます。",
        "はい、昨日からです",
        "できました",
    ],
)
def test_thanks_and_answers_ask_nothing(text: str) -> None:
    assert not asks(text)
