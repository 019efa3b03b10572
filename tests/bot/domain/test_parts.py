"""A message that clearly asks two questions is told apart; everything else stays one question."""

import csv
import itertools
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.parts import asks_several, parts_of

REPORTS = tomllib.loads(Path(__file__).with_name("reports.toml").read_text(encoding="utf-8"))
HISTORIES = Path(__file__).parents[3] / "prompts"
ENGLISH = (
    "How do I apply for paid leave?",
    "Where do I order business cards?",
    "My laptop does not start. Who can fix it?",
    "Could you tell me how to book a meeting room?",
    "who unlocks my SAP account",
)
JAPANESE = (
    "有給の残り日数はどこで見られますか？",
    "名刺の注文方法を教えてください。",
    "VPNにつながりません。どうすればいいですか？",
    "交通費の精算はいつまでにすればいいですか。",
    "健康診断の予約を変えたいのですが、どこに連絡すればいいですか",
)
JOINTS = {
    "en": ("\nAlso, ", "\nand also, ", "\nOne more thing: ", "\n\nAnother question: ", "\nBy the way, "),
    "ja": ("\nあと、", "\nそれと、", "\nまた、", "\n別件ですが、", "\nもう一点、", "\nそれから、"),
}
TWO = {
    "名刺はどこで注文できますか？年末調整の書類はいつ届きますか？": ("名刺は", "年末調整"),
    "Where can I get a new badge? How do I claim travel expenses?": ("Where can", "How do I claim"),
    "有給の残り日数はどこで見られますか？名刺の注文方法も教えてください。": ("有給の", "名刺の"),
    "Two questions:\n1. How do I reset my VPN password?\n2. Who orders business cards?": ("How do I", "Who orders"),
    "質問が2点あります。\n・有給は何日前までに申請しますか\n・VPNにつながりません。どうすればいいですか": (
        "有給は",
        "VPN",
    ),
    "①健康診断の予約はどこでしますか？②出張の新幹線はどう手配しますか？": ("健康診断", "出張の"),
    "1) how do i request vacation 2) my monitor is broken, can someone replace it?": ("how do i", "my monitor"),
    "How do I get a parking permit, and also how do I change my bank account?": ("How do I get", "How do I change"),
    "名刺を注文したいのですがどこに頼めますか、あと有給の残りも知りたいです": ("名刺を", "有給の"),
    "住民票の住所が変わりました。どこに届け出ればいいですか？あと、社員証の写真も変えられますか？": (
        "住民票",
        "社員証",
    ),
}
ONE = (
    "How do I apply for paid leave? Do I need my manager's approval?",
    "How do I apply for leave? Also, how long does it take?",
    "有給は何日前までに申請すればいいですか？上司の承認は必要ですか？",
    "経費の精算の締め切りはいつですか？あと、必要な書類は何ですか？",
    "My laptop is broken. Who can help? Where do I go?",
    "パソコンが遅いです。再起動もしました。どこに聞けばいいですか？",
    "VPNにつながりません。どうすればいいですか？対応をお願いできますか？",
    'He asked me "Where do I get a badge? How do I claim expenses?" What should I answer?',
    "「有給はどこ？名刺はどこ？」と聞かれたのですが、どう案内すればいいですか？",
    "> Where do I get a badge?\n> Also, how do I claim expenses?\nWhat shall I tell her?",
    "I tried:\n1. restarting\n2. reinstalling\nHow do I fix my VPN?",
    "1. 有給の申請\n2. 経費の精算\n3. 名刺の発注",
    "How do I book a room? What about for external guests?",
    "How do I get a monitor? Also business cards?",
    "また会議室の予約が取れません。どうすればいいですか？",
    "あと3日で締め切りですが、間に合いますか？",
    "請求書の宛名を間違えました。再発行をお願いすべきですか？それとも手書きで直していいですか？",
    "ありがとうございます。助かりました。あと、よろしくお願いします。",
    "Also, how do I book a room?",
    "https://example.com/?a=1 https://example.com/?b=2 どちらの申請書を使いますか？",
    "Can I work from Spain for two weeks? Do I have to tell payroll?",
    "How do I add my newborn to the insurance? Will premiums go up?",
    "When is the next payday? I started on the 15th, will I be paid pro rata?",
    "退職したら有給はどうなりますか？買い取ってもらえますか？",
    "出張の宿泊費はいくらまでですか？朝食代は含まれますか？",
    "残業時間の上限は何時間ですか？超えたら誰に報告しますか？",
    "採用面接の日程は誰が組みますか？面接官の評価シートはどこですか？",
    "休職中の部下が来月戻ります。午前だけの慣らし勤務は認められますか。産業医との面談も先に入れるべきか知りたいです。",
)
SEVERAL = (
    "1. How do I apply for leave?\n2. Where are business cards ordered?\n3. Who fixes my VPN?",
    "How do I apply for leave? Also, where do I order business cards? One more thing: who fixes my VPN?",
    "・有給の残りはどこで見られますか\n・名刺はどこで注文しますか\n・VPNはどうつなぎますか",
)


@pytest.mark.parametrize(("text", "begins"), TWO.items())
def test_two_clear_questions_are_told_apart(text: str, begins: tuple[str, str]) -> None:
    parts = parts_of(text)
    assert len(parts) == len(begins), parts
    assert all(part.startswith(begin) for part, begin in zip(parts, begins, strict=True)), parts


@pytest.mark.parametrize("text", ONE)
def test_one_question_stays_whole(text: str) -> None:
    assert parts_of(text) == (text,)


@pytest.mark.parametrize("language", REPORTS)
def test_report_beside_a_question_is_one(language: str) -> None:
    two, one = REPORTS[language]["two"], REPORTS[language]["one"]
    assert [text for text in two if len(parts_of(text)) != 2] == []
    assert [text for text in one if len(parts_of(text)) != 1] == []


@pytest.mark.parametrize("text", SEVERAL)
def test_more_than_two_are_answered_as_one(text: str) -> None:
    assert (parts_of(text), asks_several(text)) == ((text,), True)


@pytest.mark.parametrize(
    ("first", "joint", "second"),
    [
        (first, joint, second)
        for language, questions in (("en", ENGLISH), ("ja", JAPANESE))
        for (first, second), joint in itertools.product(itertools.permutations(questions, 2), JOINTS[language])
    ],
)
def test_joined_questions_are_found_as_they_were(first: str, joint: str, second: str) -> None:
    found, other = parts_of(f"{first}{joint}{second}")
    assert (found.casefold(), other.casefold()) == (first.casefold(), second.casefold())


@pytest.mark.parametrize("text", [*ENGLISH, *JAPANESE])
@pytest.mark.parametrize("before", ["Hi team,\n", "お疲れ様です。\n", ""])
@pytest.mark.parametrize("after", ["\nThanks!", "\nよろしくお願いします。", ""])
def test_courtesy_splits_nothing(text: str, before: str, after: str) -> None:
    assert len(parts_of(f"{before}{text}{after}")) == 1


@given(st.text(alphabet=st.sampled_from("あと、また。？?.!\n・1)2①② also how do I 有給VPN「」\"'>"), max_size=80))
def test_parts_are_words_of_the_text(text: str) -> None:
    parts = parts_of(text)
    assert len(parts) in {1, 2}
    letters = "".join(text.split()).casefold()
    assert all("".join(part.split()).casefold() in letters for part in parts)
    assert len(parts) == 1 or all(parts)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_single_question_of_the_samples_is_split(language: str) -> None:
    with (HISTORIES / language / "history.csv").open(encoding="utf-8") as file:
        texts = [line["text"] for line in csv.DictReader(file)]
    assert len(texts) > 200
    assert [text for text in texts if len(parts_of(text)) > 1 or asks_several(text)] == []
