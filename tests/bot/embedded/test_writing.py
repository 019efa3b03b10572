"""Questions in capitals or in half-width kana are read as they are usually written."""

import pytest

from bot.embedded.features import grams
from bot.embedded.writing import usual_writing

_KNOWN = {gram for gram, _, _ in grams("プリンターが動きません")}


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("ﾌﾟﾘﾝﾀｰｶﾞ動ｷﾏｾﾝ", "プリンターが動きません"),
        ("ｶｲｷﾞｼﾂｦ予約ｼﾀｲﾃﾞｽ", "かいぎしつを予約したいです"),
        ("ﾌﾟﾚｾﾞﾝﾃｰｼｮﾝ", "ﾌﾟﾚｾﾞﾝﾃｰｼｮﾝ"),
        ("ﾌﾟﾘﾝﾀが動きません", "ﾌﾟﾘﾝﾀが動きません"),
        ("HOW DO I RESET MY PASSWORD?", "how do i reset my password?"),
        ("VPN AND SSO", "VPN AND SSO"),
        ("How do I reset the VPN?", "How do I reset the VPN?"),
        ("VPNに接続できません", "VPNに接続できません"),
    ],
)
def test_question_is_read_in_usual_writing(written: str, usual: str) -> None:
    assert usual_writing(written, _KNOWN) == usual
