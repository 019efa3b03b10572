"""Texts of which some are near-duplicates, and rows with them."""

from bot.dataset.exporting import Exporting
from bot.domain.dataset import Row, Split
from bot.ports import Neighbours
from bot.similarity.index import Index
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import row
from tests.kits.fakes import StepClock

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


def make_exporting(store: SqlStore, database: Database, neighbours: Neighbours, clock: StepClock) -> Exporting:
    return Exporting(store, DatabaseShelf(database), neighbours, clock)


async def save(store: SqlStore, *rows: Row) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(*rows)
