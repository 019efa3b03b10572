"""Likeness by meaning, beside words."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.domain.audience import Audience
from bot.similarity import meanings as meanings_module
from bot.similarity.kept import KEPT_FROM
from bot.similarity.meanings import MEANING_SHARE, Likeness, Meanings
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import row

DAY = timedelta(days=1)
_MEANINGS = ("休み|leave|vacation", "パスワード|password|ログイン")


class MeaningEncoder:
    """An encoder that knows two meanings in two languages, and counts what it encodes; it may be out of reach."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.reachable = True

    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        if not self.reachable:
            return None
        self.encoded += texts
        known = [[float(any(word in text for word in one.split("|"))) for one in _MEANINGS] for text in texts]
        found = np.array(known, dtype=np.float32) + 0.01
        unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit


@pytest.fixture
def encoder() -> MeaningEncoder:
    return MeaningEncoder()


async def joined_of(meanings: Meanings, text: str, by_words: Likeness) -> Likeness:
    (vector,) = await meanings.searched([text])
    return meanings.joined(vector, by_words)


async def put(store: SqlStore, *texts: str) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(*(row(text, row_id=f"r{n}") for n, text in enumerate(texts)))


async def test_nearest_finds_same_meaning_in_other_words(store: SqlStore, encoder: MeaningEncoder) -> None:
    await put(store, "休みを取りたい", "ログインできない")
    neighbours = RowNeighbours(store, encoder=encoder)
    (first, *_) = await neighbours.nearest("vacation request", 2)
    assert first.text == "休みを取りたい"
    assert await RowNeighbours(store).nearest("vacation request", 2) == []


async def test_encoder_elsewhere_reads_no_private_rows(store: SqlStore, encoder: MeaningEncoder) -> None:
    secret = row("休みを取りたい", row_id="r0").model_copy(update={"audience": Audience.PRIVATE})
    async with store.transaction() as tx:
        await tx.rows.put(secret, row("ログインできない", row_id="r1"))
    neighbours = RowNeighbours(store, encoder=encoder, private=False)
    assert [one.text for one in await neighbours.nearest("vacation or password", 2)] == ["ログインできない"]
    await neighbours.likenesses(["退職したい", "vacation"], [False, True])
    assert sorted(encoder.encoded) == ["vacation", "vacation or password", "ログインできない"]
    later = secret.model_copy(update={"id": "r2", "audience": Audience.PUBLIC, "settled_at": secret.settled_at + DAY})
    async with store.transaction() as tx:
        await tx.rows.put(later)
    (first, *_) = await neighbours.nearest("vacation request", 2)
    assert first.text == "休みを取りたい", "the same words were asked in public since"


async def test_kept_index_hides_private_rows_from_new_encoder(store: SqlStore, encoder: MeaningEncoder) -> None:
    secret = row("休みを取りたい", row_id="r0").model_copy(update={"audience": Audience.PRIVATE})
    async with store.transaction() as tx:
        await tx.rows.put(secret, *(row(f"ログインできない {n}", row_id=f"p{n}") for n in range(KEPT_FROM)))
    before = RowNeighbours(store, encoder=MeaningEncoder(), encoder_name="here")
    await before.refresh()
    await before.encode()
    await before.keep()
    for name in ("elsewhere", "here"):
        after = RowNeighbours(store, encoder=encoder, encoder_name=name, private=False)
        await after.refresh()
        await after.encode()
    assert secret.text not in encoder.encoded


async def test_likeness_follows_presses_undos_and_conflicts(store: SqlStore, encoder: MeaningEncoder) -> None:
    neighbours = RowNeighbours(store, encoder=encoder)
    asked = ["vacation request", "password please", "休みの日", "ランチ", "vacation"]

    async def check() -> NDArray[np.float64]:
        kept, rebuilt = (
            await neighbours.likenesses(asked, [True] * len(asked)),
            await RowNeighbours(store, encoder=encoder).likenesses(asked, [True] * len(asked)),
        )
        np.testing.assert_allclose(kept.settled, rebuilt.settled, atol=1e-3)
        np.testing.assert_allclose(kept.between, rebuilt.between, atol=1e-3)
        return kept.settled

    assert not (await check()).any()
    leave = row("休みを取りたい", "labor", row_id="r1")
    await put(store, "ランチの場所")
    async with store.transaction() as tx:
        await tx.rows.put(leave)
    assert (await check())[0] > 0.6
    async with store.transaction() as tx:
        await tx.rows.withdraw("r1", leave.settled_at)
    assert (await check())[0] < 0.6
    contradicting = row("休みを取りたい！", "it", row_id="r2")
    async with store.transaction() as tx:
        await tx.rows.put(leave, contradicting)
    assert (await check())[0] < 0.6, "of a conflict nothing is known"
    async with store.transaction() as tx:
        await tx.rows.put(contradicting.model_copy(update={"category": "labor"}))
    assert (await check())[0] > 0.6


async def test_likeness_is_by_words_until_encoder_answers(store: SqlStore, encoder: MeaningEncoder) -> None:
    await put(store, "休みを取りたい", "パスワード")
    neighbours = RowNeighbours(store, encoder=encoder)
    encoder.reachable = False
    by_words = await neighbours.likenesses(["vacation", "パスワード"], [True, True])
    assert by_words.settled.tolist() == [0.0, 1.0]
    assert by_words.between[0, 1] == 0.0
    encoder.reachable = True
    assert (await neighbours.likenesses(["vacation", "パスワード"], [True, True])).settled[0] > MEANING_SHARE / 2
    assert (await neighbours.likenesses([], [])).settled.tolist() == []


async def test_each_text_is_encoded_once(store: SqlStore, encoder: MeaningEncoder) -> None:
    await put(store, "休みを取りたい", "ログインできない")
    neighbours = RowNeighbours(store, encoder=encoder)
    for _ in range(3):
        await neighbours.nearest("vacation", 1)
    assert sorted(encoder.encoded) == sorted(["休みを取りたい", "ログインできない", *["vacation"] * 3])


async def test_words_count_while_encoder_is_unreachable(store: SqlStore, encoder: MeaningEncoder) -> None:
    encoder.reachable = False
    await put(store, "休みを取りたい", "ログインできない")
    neighbours = RowNeighbours(store, encoder=encoder)
    assert [one.text for one in await neighbours.nearest("ログインの方法", 1)] == ["ログインできない"]
    encoder.reachable = True
    assert [one.text for one in await neighbours.nearest("password", 1)] == ["ログインできない"]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
async def test_oldest_texts_make_room(slots: list[int]) -> None:
    """With room for five, the last five texts are known by meaning and the others by words."""
    encoder, known = MeaningEncoder(), list(dict.fromkeys(slots))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meanings_module, "ROOM", 5)
        meanings = Meanings(encoder)
        for slot in known:
            meanings.add(slot, "leave")
            await meanings.encode_waiting()
        joined = await joined_of(meanings, "vacation", np.zeros(31))
    assert np.flatnonzero(joined).tolist() == sorted(known[-5:])
    assert joined.max() == pytest.approx(MEANING_SHARE, abs=0.01)


class DrawnEncoder:
    """An encoder that puts each text near one of forty themes; the same text has the same vector."""

    def __init__(self) -> None:
        self._themes = np.random.default_rng(1).normal(size=(40, 96)) + 0.5

    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        drawn = [np.random.default_rng(int(text)) for text in texts]
        found = np.array(
            [self._themes[int(text) % 40] + one.normal(size=96) for text, one in zip(texts, drawn, strict=True)]
        )
        unit: NDArray[np.float32] = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
        return unit


async def encoded(count: int) -> Meanings:
    meanings = Meanings(DrawnEncoder())
    for slot in range(count):
        meanings.add(slot, str(slot))
    while await meanings.encode_waiting():
        pass
    return meanings


async def recall_at_3(meanings: Meanings, slots: range) -> float:
    """Return which share of the truly nearest three of 40 new texts is found."""
    encoder, found = DrawnEncoder(), 0
    stored = await encoder.vectors([str(slot) for slot in slots])
    for asked in range(10_000, 10_040):
        joined = await joined_of(meanings, str(asked), np.zeros(slots.stop))
        vectors = await encoder.vectors([str(asked)])
        assert stored is not None
        assert vectors is not None
        exact = slots.start + np.argsort(-meanings.cosines(vectors, stored)[0])[:3]
        found += len({*exact.tolist()} & {*np.argsort(-joined)[:3].tolist()})
    return found / 120


async def test_nearest_of_many_are_found_by_codes() -> None:
    meanings = await encoded(3_000)
    assert await recall_at_3(meanings, range(3_000)) >= 0.95
    taken = Meanings(DrawnEncoder())
    taken.take(meanings.parts())
    joined = [await joined_of(one, "10000", np.zeros(3_000)) for one in (meanings, taken)]
    np.testing.assert_array_equal(np.argsort(-joined[0])[:3], np.argsort(-joined[1])[:3])


async def test_codes_of_oldest_texts_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings_module, "MOST_BYTES", 1_000 * 96)
    meanings = await encoded(1_900)
    joined = await joined_of(meanings, "10000", np.zeros(1_900))
    assert np.flatnonzero(joined).min() >= 900
    assert await recall_at_3(meanings, range(900, 1_900)) >= 0.95
