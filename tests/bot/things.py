"""Test data for the acts: a prompt with three categories, and rows and arrivals for it."""

import itertools
from datetime import UTC, datetime, timedelta

from bot.domain.attack import Attack
from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source, Split, group_of, split_of
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Arrival, Place, Via
from bot.domain.release import ModelName

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BASE = ModelName(provider="local", model="base")
PROMPT = Prompt(
    language="ja",
    template="担当を選び、理由を書いてください。",
    categories=(
        Category(id="labor", name="労務", rule="有給や休暇は\n労務として扱う", examples=("有給は何日前？",)),
        Category(id="it", name="情シス"),
        Category(id="other", name="その他", other=True),
    ),
)
CATEGORIES = [category.id for category in PROMPT.categories]


def row(
    text: str, category: str = "labor", *, at: int = 0, row_id: str | None = None, reason: str | None = None
) -> Row:
    """Return a row that was settled `at` seconds after `START`."""
    group = group_of(text)
    return Row(
        id=row_id or group,
        text=text,
        group=group,
        category=category,
        reason=reason,
        split=split_of(group),
        source=Source.CHANGE,
        by="U2",
        settled_at=START + timedelta(seconds=at),
        audience=Audience.PUBLIC,
    )


def rows_of(split: Split, category: str, count: int) -> list[Row]:
    """Return `count` rows of a category that all belong to this split."""
    found = (row(f"{category} の質問 {n}", category) for n in itertools.count())
    return list(itertools.islice((one for one in found if one.split is split), count))


def arrival(text: str = "有給は何日前？", n: int = 1, via: Via = Via.MENTION) -> Arrival:
    place = Place(team="T1", channel="C1", ts=f"{n}.000100")
    return Arrival(event_id=f"Ev{n}", via=via, place=place, asker="U1", text=text, language="ja", said=place.ts)


def no_attacks(_prompt: Prompt) -> list[Attack]:
    """Return nothing, so that a test counts only the questions of its rows."""
    return []
