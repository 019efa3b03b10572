"""Optional sentence encoders."""

import pytest

from bot.embedded import FolderShelf, LocalModel
from tests.bot.embedded.kit import ROWS, ask, client_of, jsonl, trained
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
