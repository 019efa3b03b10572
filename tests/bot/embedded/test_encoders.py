"""Optional sentence encoders."""

from collections.abc import Sequence

import numpy as np
import pytest

from bot.embedded import FolderShelf, LocalModel, encoders
from bot.embedded.encoders import VECTOR_SECONDS, PackagedEncoder, Vectors
from tests.bot.embedded.kit import ROWS, ask, client_of, jsonl, trained
from tests.kits.fakes import ManualTimer
from tests.kits.tiny_encoder import TINY_ENCODER

pytestmark = pytest.mark.usefixtures("fast_training")


async def test_encoder_finds_meaning_that_characters_miss(shelf: FolderShelf) -> None:
    async with LocalModel(shelf, encoder=TINY_ENCODER) as model, client_of(model) as client:
        base = await ask(client, "バカンス")
        assert '"category":"労務"' in base.choices[0].message.content
        job = await trained(client, jsonl([(question.replace("有給", "バカンス"), label) for question, label in ROWS]))
        learnt = await ask(client, "interview", model=str(job.fine_tuned_model))
        assert '"category":"人事"' in learnt.choices[0].message.content
    async with LocalModel(shelf) as model, client_of(model) as client:
        with pytest.raises(Exception, match=r"trained with the encoder .*tiny"):
            await ask(client, "interview", model=str(job.fine_tuned_model))


@pytest.mark.parametrize("spec", ["no_such_module:make", "json:no_such_factory", "json"])
def test_missing_encoder_is_refused_at_construction(shelf: FolderShelf, spec: str) -> None:
    with pytest.raises(ValueError, match="can't be loaded"):
        LocalModel(shelf, encoder=spec)


async def test_vectors_in_use_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "VECTORS_KEPT", 3)
    monkeypatch.setattr(encoders, "MOST_VECTORS_KEPT", 6)
    encoded: list[str] = []

    def encode(texts: Sequence[str]) -> Vectors:
        encoded.extend(texts)
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    def encoded_anew(*texts: str) -> list[str]:
        encoded.clear()
        encoder.encode(texts)
        return [*encoded]

    time = ManualTimer()
    encoder = PackagedEncoder("lengths", lambda: encode, time)
    five = ["a", "bb", "ccc", "dddd", "eeeee"]
    assert encoded_anew(*five) == five
    assert encoded_anew(*five) == [], "more than usual stay while they are in use"
    more = ["ffffff", "ggggggg"]
    assert encoded_anew(*more) == more
    assert encoded_anew(*five[1:], *more) == [], "up to the most, without the oldest"
    time.seconds += VECTOR_SECONDS
    assert encoded_anew("eeeee") == []
    assert encoded_anew("a", *more, "eeeee") == ["a"], "later no more than usual"
    assert encoded_anew("dddd") == ["dddd"]
