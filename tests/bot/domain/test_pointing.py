"""Messages that only point at another one, and messages with a topic of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.pointing import ENGLISH, LONGEST_POINTER, NOUNS, only_points

POINTS = """
who handles this?
Who should I ask about this?
can anyone help here?
Who's responsible for this one?
Which team does this belong to?
Could you take a look at this, please?
Is there a procedure for this?
^ this
Hi! Do you know who I should talk to?
@user who is in charge of that kind of thing?
can you route this to the right team?
:point_up: who knows this?
これ who?
これ誰に聞けばいい？
誰が担当ですか？
この件、どこに聞けばいいですか
担当部署はどこですか？
これはどこに問い合わせればよいでしょうか
上の件、誰に相談すればいいでしょうか
ｺﾚ誰？
教えてください
対応お願いします！
誰か答えられる？
こちらの件よろしくお願いいたします
すみません、こちらどなたに伺えばよいでしょうか？
これはどこの管轄になりますか？
どなたか教えていただけないでしょうか。
これ、どこに投げればいい？
お手数ですが、ご対応お願いいたします
この件誰に聞けばいいですか
""".strip().split("\n")
OWN_WORDS = """
How do I apply for leave?
who handles parental leave?
who handles this laptop?
who handles VPN?
I can't come in today
where is room 5?
有給の申請方法は？
ノートPCが壊れました。誰に聞けばいい？
パスワード忘れた
これ経費で落ちますか？
はんこはどこでもらえますか
おやすみはどうやってとるの
健康診断の担当は誰ですか
VPNにつながりません
かばんはどこですか
行事の担当は誰ですか
人事部はどこですか
物件の相談先は？
Кто это?
누구
""".strip().split("\n")
ABOUT_CATEGORIES = """
is this HR?
Is this for General Affairs or HR?
これは人事ですか？
これって総務？それとも人事？
""".strip().split("\n")
NAMED = ("HR", "General Affairs 総務", "人事")
TOPICS = ("laptop", "leave", "payslip", "VPN", "有給", "ノートPC", "名刺", "はんこ", "パスワード")


@pytest.mark.parametrize("text", ["", " ", "?!", *POINTS])
def test_nothing_remains_of_a_pointing_text(text: str) -> None:
    assert only_points(text)


@pytest.mark.parametrize("text", OWN_WORDS)
def test_topic_remains_of_an_own_question(text: str) -> None:
    assert not only_points(text)


@pytest.mark.parametrize("text", ABOUT_CATEGORIES)
def test_category_beside_pointer_is_no_topic(text: str) -> None:
    assert only_points(text, NAMED)
    assert not only_points(text)


@pytest.mark.parametrize("text", ["who is in HR?", "人事の場所は？", "人事の担当は誰ですか", "is this HR's printer?"])
def test_category_without_pointer_is_a_topic(text: str) -> None:
    assert not only_points(text, NAMED)


@given(st.lists(st.sampled_from(sorted(ENGLISH) + NOUNS), max_size=6), st.sampled_from(TOPICS), st.integers(0, 6))
def test_topic_is_found_among_pointing_words(words: list[str], topic: str, at: int) -> None:
    assert only_points(" ".join(words))
    assert not only_points(" ".join([*words[:at], topic, *words[at:]]))


@given(st.text(max_size=200))
def test_any_text_is_judged_and_long_ones_speak(text: str) -> None:
    assert isinstance(only_points(text), bool)
    assert not only_points("これ" * LONGEST_POINTER + text)
