"""Texts of which some are near-duplicates, and rows with them."""

from collections.abc import Sequence

import numpy as np

from bot.domain.dataset import Row, Split
from bot.similarity.index import Index
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import row

NEARLY_SAME = [
    ("有給は何日前に申請？", "有給は何日前までに申請ですか"),
    ("有給は何日前までに申請すればいいですか？", "すみません、有給は何日前までに申請したらよいでしょうか。"),
    ("パスワードを忘れてログインできません", "ﾊﾟｽﾜｰﾄﾞ を 忘れたのでログインできない！"),
    ("在宅からVPNにつながりません", "在宅からＶＰＮにつながらないのですが"),
    ("経費精算の締め切りはいつですか", "経費の精算の締切っていつでしたっけ"),
    ("残業の申請方法を教えてください", "残業はどうやって申請しますか"),
    ("プリンターが動きません", "プリンタが動かない"),
    ("オフィスの空調が寒すぎます", "オフィスの空調が寒すぎる"),
    ("How do I reset my password?", "how can i reset my password"),
    ("What is the deadline for expense reports?", "what's the expense report deadline"),
    ("My laptop does not start this morning.", "my laptop doesn't start this morning"),
    ("I forgot my passwrod", "I FORGOT MY PASSWORD!!"),
    ("Hi! Could you tell me how many vacation days I have left? Thanks", "how many vacation days do i have left"),
    ("Where can I download my pay slip?", "where can i download my payslip"),
]
DIFFERENT = [
    ("有給は何日前", "産休は何日前"),
    ("有給は何日前までに申請すればいいですか", "産休は何日前までに申請すればいいですか"),
    ("育児休業はいつから取れますか", "介護休業はいつから取れますか"),
    ("有給はいつ", "有給はどこ"),
    ("給与の振込日", "賞与の振込日"),
    ("社員の登録", "社員証の登録"),
    ("会議の予約", "会議室の予約"),
    ("ごみの捨て方", "たばこの捨て方"),
    ("質問 1", "質問 12"),
    ("reset my password", "reset my VPN token"),
    ("How do I change my password?", "How do I reset my password?"),
    ("How do I get a new badge?", "How do I get a new laptop?"),
    ("turn on the lights", "turn off the lights"),
    ("what is my name", "what is your name"),
    ("when is payday", "where is payday"),
    (
        "Where do I get form 1040 for my taxes of the last year?",
        "Where do I get form 1099 for my taxes of the last year?",
    ),
]
SUBJECTS = ["有給の申請", "VPNの設定", "laptop order", "parental leave start date", "鍵の紛失 1", "鍵の紛失 2"]
FRAMES = ["{}は？", "{}について教えてください", "How do I {}", "please help with {}", "{}…急ぎ", "{}の期限"]
# Long questions; some are near to two others that are not near to each other.
LONG = ["朝 昼 夜 春 夏 秋", "朝 昼 夜 春 夏 秋 冬", "昼 夜 春 夏 秋 冬", "夜 春 夏 秋 冬 雨", "夜 春 夏 秋 冬 雨 雪"]
TEXTS = [frame.format(subject) for subject in SUBJECTS for frame in FRAMES] + LONG
TRAINED, BRIDGE, HELD_OUT = "朝 昼 夜 春 夏", "朝 昼 夜 春 夏 秋", "朝 昼 夜 春 夏 秋 冬"
"""The bridge is near to both others, which are not near to each other."""


def near(one: str, other: str) -> bool:
    """Return whether the index takes two texts for near-duplicates."""
    index = Index()
    index.slot(one)
    return bool(index.near(other))


def row_in(text: str, split: Split, group: str = "", category: str = "labor") -> Row:
    """Return a row of this split. Its id is the text, and so is its group if none is given."""
    return row(text, category, row_id=text).model_copy(update={"group": group or text, "split": split})


async def save(store: SqlStore, *rows: Row) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(*rows)


async def assert_same_looks(one: RowNeighbours, other: RowNeighbours, texts: Sequence[str]) -> None:
    """Check that two indexes of the same rows answer every look for these texts alike."""
    rows = [row(text) for text in texts]
    assert await one.near_each(texts) == await other.near_each(texts)
    assert await one.same(texts[0], ()) == await other.same(texts[0], ())
    assert await one.groups(texts[:1]) == await other.groups(texts[:1])
    assert set(await one.repeated(texts[0])) == set(await other.repeated(texts[0]))
    # Equally like texts come in the order in which they were added.
    nearest = [await each.nearest_apart(rows, 3) for each in (one, other)]
    alike = [[[neighbour.similarity for neighbour in found] for found in each] for each in nearest]
    assert alike[0] == alike[1]
    assert await one.conflicts() == await other.conflicts()
    assert one.pairs(texts, texts) == other.pairs(texts, texts)
    likenesses = [await each.likenesses(texts, [True] * len(texts)) for each in (one, other)]
    assert np.array_equal(likenesses[0].settled, likenesses[1].settled)
    assert np.array_equal(likenesses[0].between, likenesses[1].between)
    assert await _near_halves(one, texts) == await _near_halves(other, texts)


async def _near_halves(neighbours: RowNeighbours, texts: Sequence[str]) -> list[bool]:
    """Return what the proof of an export finds: which texts are near to one of every second text."""
    numbers = await neighbours.numbered()
    await numbers.add(texts)
    every = np.ones(len(texts), np.bool_)
    second = np.arange(len(texts)) % 2 == 0
    found: list[bool] = (await numbers.near(every & ~second, numbers, second)).tolist()
    return found
