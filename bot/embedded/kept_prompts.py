"""The models of the last prompts, kept on the shelf from one start to the next."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from bot.embedded.encoders import Encoder
from bot.embedded.features import TextSpace, Vocabulary
from bot.embedded.linear import LinearModel, PromptKey, prompt_models
from bot.embedded.shelf import ArtifactShelf

_log = logging.getLogger(__name__)
_FILE = "prompts/last.npz"
_MOST_KEPT = 16
_WEIGHTS = ("rarity", "character_weights", "meaning_weights", "bias")


class KeptPrompts:
    """The kept models of prompts. To read a prompt anew loads 50 MB of scipy, which no answer needs.

    Args:
        shelf: Where they are kept, in one file.
        revision: The revision of the learner and the encoder. Models of another one are not taken over.
        encoder: The encoder of the models.
    """

    def __init__(self, shelf: ArtifactShelf, revision: str, encoder: Encoder | None) -> None:
        self._shelf = shelf
        self._revision = revision
        self._encoder = encoder
        self._kept: set[PromptKey] = set()
        self._others = frozenset(prompt_models)
        """Prompts that another server of this process has read before."""

    async def load(self) -> None:
        """Take over what was kept."""
        with suppress(KeyError):
            data = await self._shelf.get(_FILE)
            try:
                found = await asyncio.to_thread(lambda: [*self._from_bytes(data)])
            except Exception as error:  # noqa: BLE001 - what cannot be read is read from the prompts
                _log.info("what prompts were read as cannot be taken over: %s", type(error).__name__)
                return
            self._kept = {key for key, _ in found}
            for key, model in found:
                prompt_models.setdefault(key, model)

    async def keep(self) -> None:
        """Keep the last models if one of them is new. Never raises: an answer does not depend on it."""
        encoders = {self._encoder, None}
        own = [one for one in prompt_models.copy().items() if one[0] not in self._others and one[0][2] in encoders]
        last = dict(own[-_MOST_KEPT:])
        if not self._kept.issuperset(last):
            self._kept = {*last}
            try:
                await self._shelf.put(_FILE, await asyncio.to_thread(self._to_bytes, last))
            except Exception as error:  # noqa: BLE001 - the next new one tries again
                _log.warning("what prompts were read as is not kept: %s", type(error).__name__)

    def _to_bytes(self, models: dict[PromptKey, LinearModel]) -> bytes:
        arrays: dict[str, np.ndarray] = {}
        about = []
        for at, ((prompt, labels, encoder), model) in enumerate(models.items()):
            space = model.space
            values = (space.vocabulary.rarity, model.character_weights, model.meaning_weights, model.bias)
            arrays |= {f"{name}{at}": value for name, value in zip(_WEIGHTS, values, strict=True)}
            if space.centre is not None:
                arrays[f"centre{at}"] = space.centre
            about.append({"prompt": prompt, "labels": labels, "encoded": encoder is not None})
            about[-1]["grams"] = [*space.vocabulary.columns]
        arrays["about"] = np.frombuffer(
            json.dumps({"revision": self._revision, "models": about}).encode(), dtype=np.uint8
        )
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **arrays)
        return out.getvalue()

    def _from_bytes(self, data: bytes) -> Iterator[tuple[PromptKey, LinearModel]]:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            if about["revision"] != self._revision:
                return
            for at, one in enumerate(about["models"]):
                rarity, *weights = (arrays[f"{name}{at}"] for name in _WEIGHTS)
                vocabulary = Vocabulary({gram: column for column, gram in enumerate(one["grams"])}, rarity)
                own = self._encoder if one["encoded"] else None
                space = TextSpace(vocabulary, own, arrays[f"centre{at}"] if own else None)
                labels = tuple(one["labels"])
                yield (one["prompt"], labels, own), LinearModel(labels, space, *weights)
