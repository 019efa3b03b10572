"""Which near-duplicates ask the same, so that the answer to one is the answer to the other."""

import csv
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from bot.domain import similar
from bot.domain.similar import is_same_question, tells
from bot.similarity.neighbours import RowNeighbours
from bot.similarity.typos import is_typo
from storage.store import SqlStore
from tests.bot.things import row
from tests.kits.near_texts import DIFFERENT, NEARLY_SAME, save

PROMPTS = Path(__file__).resolve().parents[3] / "prompts"
SAME = [
    *NEARLY_SAME,
    ("有給の申請方法を教えてもらえませんか", "有給の申請方法"),
    ("有給は取れませんか", "有給は取れますか"),
    ("パスワードのリセットがわかりません", "パスワードのリセットを教えてください"),
    ("パスワードのリセットがわからん", "パスワードのリセットを教えてください"),
    ("喫煙所を閉鎖したんですか", "喫煙所は閉鎖しましたか"),
    ("May I bring a guest?", "Can I bring a guest?"),
    ("パスワードを忘れた", "パスワートを忘れた"),
    ("ソフトウェアの更新", "ソフトウエアの更新"),
    ("インターフェースの設定", "インタフェースの設定"),
    ("アンケートの締め切り", "アンゲートの締め切り"),
    ("HOW DO I RESET MY PASSWORD", "how can i reset my password?"),
    ("When is the reimbursement paid?", "when is the reimbursment paid"),
    ("Where is the microwave?", "where is the micrawave"),
    ("Who orders the headphones?", "who orders the haedphones"),
    ("How do I log in to Kintoro?", "how do I log in to kinntoro"),
    ("Who is my HR contact at IT?", "who is the HR contact at IT"),
]
DECIDED_BY_ONE_WORD = [
    *DIFFERENT,
    ("How do I apply for paid leave", "How do I apply for parental leave"),
    ("有給の申請方法", "育休の申請方法"),
    # Nearly the same by decision 14, which forgives one letter and leaves negations and function words out.
    ("How do I apply for paternity leave?", "How do I apply for maternity leave?"),
    ("Who pays the trainee?", "Who pays the trainer?"),
    ("Who looks after the lamp of team yxfyx?", "Who looks after the lamp of team yxgyx?"),
    # The other word is a word, too, though no row and no prompt has it.
    ("Where do I hand in the diary?", "Where do I hand in the dairy?"),
    ("Who files the complaint form?", "Who files the compliant form?"),
    ("How do I plan my vacation?", "How do I plan my vocation?"),
    ("Where is the dinner room?", "Where is the diner room?"),
    ("Who pays the blender?", "Who pays the blinder?"),
    ("Who keeps the carbon copies?", "Who keeps the carton copies?"),
    ("キャンバスの注文", "キャンパスの注文"),
    ("コーティングの担当", "コーディングの担当"),
    # Nobody knows which of two names was meant.
    ("Where does Yamaoka sit?", "Where does Yamaeka sit?"),
    ("ハイキングの申込", "バイキングの申込"),
    ("ロビーコードの変更", "ロビーコートの変更"),
    ("インターンの担当", "インターホンの担当"),
    ("しゅっちょうの届け", "しゅっしょうの届け"),
    ("領収書がない場合の精算", "領収書がある場合の精算"),
    ("ログインできません", "ログインできるのですか"),
    ("今年の私の誕生日は何曜日ですか", "今年の誕生日は何曜日になりますか"),
    ("PCが動く", "PCが動かへん"),
    ("PCが動く", "PCが動かん。"),
    ("会社に行って働きたい", "会社に行かずに働きたい"),
    ("懇親会に参加できます", "懇親会に参加できかねます"),
    ("個人のメールを使う", "個人のメールを使うな！"),
    ("家賃を払える", "家賃を払えぬ"),
    ("Can I bring a guest in May?", "Can I bring a guest?"),
    ("ITの連絡先を教えて", "USの連絡先を教えて"),
    ("I need a new ID", "What's new?"),
    ("Where do I get my ID?", "Where do I go?"),
    (
        "I lost my badge and my key yesterday evening near the north gate, who pays for a taxi home?",
        "I lost my badge and my key yesterday evening near the north gate, who pays for a hotel home?",
    ),
]


def same(one: str, other: str) -> bool:
    return is_same_question(one, other, is_typo)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_rewording_asks_the_same(one: str, other: str) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), DECIDED_BY_ONE_WORD)
def test_one_decisive_word_asks_another_thing(one: str, other: str) -> None:
    assert not same(one, other)
    assert not same(other, one)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_two_sample_questions_ask_the_same(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("content", "tells", "normalised", "_deciding"):  # each text meets 239 others
        monkeypatch.setattr(similar, name, cache(getattr(similar, name)))
    with (PROMPTS / language / "history.csv").open(encoding="utf-8", newline="") as file:
        records = [(record["text"], record["category"]) for record in csv.DictReader(file)]
    wrong = [(a, b) for (a, one), (b, other) in combinations(records, 2) if one != other and same(a, b)]
    assert wrong == []


@pytest.mark.parametrize("text", ["これはどこ？", "Where is this?", "help!", "お願いします"])
def test_pointing_words_alone_tell_nothing(text: str) -> None:
    assert not tells(text)
    assert same(text, text.upper())


async def test_known_word_is_no_typo(store: SqlStore) -> None:
    neighbours = RowNeighbours(store)
    await save(store, row("Where is the contact list?", row_id="a"))
    asked = "where is the contakt list"
    assert await neighbours.same(asked, ()) is not None
    assert await neighbours.same("where is the contract list", ()) is None, "a word, whether anybody wrote it or not"
    assert await neighbours.same(asked, {"contakt"}) is None
    await save(store, row("Who calls Contakt?", row_id="b"))
    assert await neighbours.same(asked, ()) is None


async def test_same_question_names_rows_and_clusters(store: SqlStore) -> None:
    neighbours = RowNeighbours(store)
    words = "alpha bravo charlie delta echo foxtrot golf hotel india juliet"
    first, longer, longest = row(words), row(f"{words} kilo"), row(f"{words} kilo lima")
    await save(store, first, longer, longest)
    found = await neighbours.same(words.upper(), ())
    assert found is not None
    assert found.texts == {first.id: words}
    assert {*found.groups} == {first.group, longer.group, longest.group}
    async with store.transaction() as tx:
        await tx.rows.withdraw(first.id, first.settled_at)
    assert await neighbours.same(words, ()) is None
