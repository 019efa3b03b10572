"""Small talk: what only thanks, greets or agrees is no question; what asks anything is one."""

import pytest

from bot.domain.courtesy import is_small_talk


@pytest.mark.parametrize(
    "text",
    [
        "ありがとうございます！",
        "ありがとうございました。とても助かりました！",
        "承知しました、ありがとうございます :pray:",
        "お疲れ様です。よろしくお願いいたします。",
        "早速のご回答ありがとうございます",
        "@sato 解決しました！ ありがとうございました",
        "なるほど、わかりました",
        "ＯＫです",
        "Thank you so much!",
        "thanks :+1:",
        "Great, it works now. Thanks a lot, @priya!",
        "Good morning everyone",
        "ok, noted",
        "Thanks in advance",
    ],
)
def test_thanks_and_greetings_are_small_talk(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "ありがとうございます。有給はどうですか？",
        "お疲れ様です。経費の締め日を知りたいです",
        "承知しました、どこに送ればいいですか",
        "確認してください",
        "対応お願いします",
        "パソコンが直りました、でも遅いです",
        "Thanks! And where do I get a badge",
        "hello, my laptop is broken",
        "How are you?",
        "it works",
        "help",
        "休暇",
        "",
        ":pray:",
    ],
)
def test_what_asks_is_no_small_talk(text: str) -> None:
    assert not is_small_talk(text)
