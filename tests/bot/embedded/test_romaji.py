"""A question in romaji is read as Japanese, whichever romanisation it is in; other questions stay as they are."""

import pytest

from bot.embedded.answers import classify
from bot.embedded.features import grams
from bot.embedded.romaji import in_kanji
from bot.embedded.trained import TrainedModel

_KNOWN = {gram for text in ("有給の申請", "経費の精算", "プリンター") for gram, _, _ in grams(text)}
_PROMPT = "質問を分類してください。\n- 労務: 有給や休暇の申請\n- 情報システム: 印刷や複合機の故障"
_LEAVE = "有給は何日前までに申請すればいいですか"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yuukyuu wa nannichi mae made ni shinsei sureba ii desu ka", _LEAVE),
        ("yūkyū wa nannichimae made ni shinsei sureba iidesuka", _LEAVE),
        ("YUUKYUU HA NANNNITI MAE MADE NI SINNSEI SUREBA II DESUKA", _LEAVE),
        ("yukyu wa nannichi mae made ni shinsei sureba ii desu ka", _LEAVE),
        ("keihi no seisan o oshiete", "経費の精算を教えて"),
        ("VPN ni setsuzoku dekimasen.", "vpnに接続できません."),
        ("How do I ask for leave?", "How do I ask for leave?"),
        ("i made a note to use", "i made a note to use"),
        ("go home", "go home"),
        ("有給 shinsei", "有給 shinsei"),
        ("", ""),
    ],
)
def test_romaji_is_read_in_kanji(written: str, read: str) -> None:
    assert in_kanji(written, _KNOWN) == read


def test_romaji_stays_where_nothing_is_japanese() -> None:
    known = {gram for gram, _, _ in grams("ask for leave")}
    assert in_kanji("yuukyuu no shinsei wa dou shimasuka", known) == "yuukyuu no shinsei wa dou shimasuka"


def test_long_romaji_is_read_in_its_beginning() -> None:
    read = in_kanji("yuukyuu no shinsei " * 300, _KNOWN)
    assert read.startswith("有給の申請")
    assert read.endswith("yuukyuu no shinsei")


def test_word_without_end_is_not_read() -> None:
    assert in_kanji("kya" * 2000, _KNOWN) == "kya" * 2000


def test_question_in_romaji_is_answered_and_explained() -> None:
    found = classify(TrainedModel(), _PROMPT, ("労務", "情報システム"), "fukugouki de insatsu dekimasen")
    assert found.label == "情報システム"
    assert "印刷" in found.reason
