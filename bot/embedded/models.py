"""The models that clients can use: `base`, `characters`, and the fine-tuned models on the shelf."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.embedded.encoders import Encoder
from bot.embedded.errors import OTHER_ENCODER, RequestRefused, no_such_model
from bot.embedded.kept_prompts import KeptPrompts
from bot.embedded.shelf import ArtifactShelf
from bot.embedded.trained import (
    LEARNER,
    TrainedElsewhere,
    TrainedModel,
    encoder_of_bytes,
    from_bytes,
    with_centres,
    without_texts,
)

BASE = "base"
CHARACTERS = "characters"
"""The base model without the encoder. It knows less, and answers while the encoder's service gives no vectors."""
_BUILT_IN = (BASE, CHARACTERS)
_CACHE_SECONDS = 5.0  # a model that another process deleted may still answer here for this long
_KEEPS = {"keeps": "centres"}
"""Fields in the record of a model whose file holds centres instead of single texts; learners up to 4 wrote none."""
_BASE_CREATED = 1_767_225_600  # 2026-01-01: these models are part of the program, so their date is fixed


@dataclass
class _CachedModel:
    model: TrainedModel
    checked_at: float
    record: dict[str, Any]


class Models:
    """Registry of all models; a fine-tuned model is loaded once and then cached in memory."""

    def __init__(self, shelf: ArtifactShelf, clock: Callable[[], float], encoder: Encoder | None = None) -> None:
        self.encoder = encoder
        self._shelf = shelf
        self._clock = clock
        self._cache: dict[str, _CachedModel] = {}
        self._encoders: dict[str, str] = {}
        self._rewriting = asyncio.Lock()
        self.prompts = KeptPrompts(shelf, self.revision(BASE), encoder)

    def revision(self, name: str) -> str:
        """Return what changes when the same model and question may get another answer than before.

        It is made of the learner's revision and the encoder's name.
        """
        encoder = self.encoder if name != CHARACTERS else None
        return f"fp_{LEARNER}_{encoder.name if encoder else 'none'}"

    async def get(self, name: str) -> TrainedModel:
        """Return the model.

        Raises:
            RequestRefused: No model has this name (404), or the model was trained with another encoder (400).
        """
        if name in _BUILT_IN:
            return TrainedModel(encoder=self.encoder if name == BASE else None)
        cached = self._cache.get(name)
        if cached and 0 <= self._clock() - cached.checked_at < _CACHE_SECONDS:
            return cached.model
        record = await self.describe(name)
        if not cached or cached.record != record:
            data = await self._shelf.get(f"models/{_artifact_key(name)}.npz")
            if not _KEEPS.items() <= record.items():
                data = await asyncio.to_thread(with_centres, data)
            try:
                cached = _CachedModel(await asyncio.to_thread(from_bytes, data, self.encoder), 0, record)
            except TrainedElsewhere as error:
                raise RequestRefused(str(error), param=error.needed, code=OTHER_ENCODER) from error
            except ValueError as error:
                raise RequestRefused(str(error), param="model", code="model_not_servable") from error
        cached.checked_at = self._clock()
        self._cache[name] = cached
        return cached.model

    async def other_encoder(self, name: str) -> str | None:
        """Return the encoder that a model needs if another one is set here; None if the model can answer.

        Raises:
            RequestRefused: No model has this name (404).
        """
        if name not in _BUILT_IN and name not in self._encoders:
            self._encoders[name] = await asyncio.to_thread(encoder_of_bytes, await self.data(name) or b"")
        needed = self._encoders.get(name, "")
        return needed if needed not in {"", self.encoder.name if self.encoder else ""} else None

    async def data(self, name: str) -> bytes | None:
        """Return the file of a fine-tuned model, or None for a model that is part of the program.

        Raises:
            RequestRefused: No model has this name (404).
        """
        if name in _BUILT_IN:
            return None
        await self.describe(name)
        return await self._shelf.get(f"models/{_artifact_key(name)}.npz")

    async def describe(self, name: str) -> dict[str, Any]:
        """Return the description of a model in OpenAI's format.

        Raises:
            RequestRefused: No model has this name (404).
        """
        if name in _BUILT_IN:
            return _model_object(name, _BASE_CREATED)
        try:
            found: dict[str, Any] = json.loads(await self._shelf.get(f"models/{_artifact_key(name)}.json"))
        except (KeyError, ValueError):
            found = {}
        if found.get("id") != name:
            self._cache.pop(name, None)
            raise no_such_model(name)
        return found

    async def all(self) -> list[dict[str, Any]]:
        """Return all model objects: those of the program, then the others with the oldest first."""
        names = [name for name in await self._shelf.names("models/") if name.endswith(".json")]
        found = [json.loads(await self._shelf.get(name)) for name in names]
        built_in = [_model_object(name, _BASE_CREATED) for name in _BUILT_IN]
        return [*built_in, *sorted(found, key=lambda one: (one["created"], one["id"]))]

    async def add(self, name: str, data: bytes) -> None:
        """Store a trained model; its record is written last, because the record makes the model available."""
        await self._shelf.put(f"models/{_artifact_key(name)}.npz", data)
        record = json.dumps(_model_object(name, int(self._clock())) | _KEEPS, ensure_ascii=False)
        await self._shelf.put(f"models/{_artifact_key(name)}.json", record.encode())

    async def forget_texts(self, name: str) -> None:
        """Remove from a fine-tuned model what it remembers of single texts; other processes load it anew.

        Raises:
            RequestRefused: No model has this name (404).
        """
        record, data = await self.describe(name), await self.data(name)
        if data is None:
            return
        without = await asyncio.to_thread(without_texts, data)
        async with self._rewriting:
            await self._shelf.put(f"models/{_artifact_key(name)}.npz", without)
            record |= _KEEPS | {"texts_forgotten_at": int(self._clock())}
            await self._shelf.put(f"models/{_artifact_key(name)}.json", json.dumps(record, ensure_ascii=False).encode())
        self._cache.pop(name, None)

    async def renew(self) -> None:
        """Take the vectors of single texts out of models that an earlier learner trained."""
        for one in await self.all():
            if one["id"] not in _BUILT_IN and not _KEEPS.items() <= one.items():
                await self._renew(one["id"])

    async def _renew(self, name: str) -> None:
        path = f"models/{_artifact_key(name)}"
        try:
            record, data = await self.describe(name), await self._shelf.get(f"{path}.npz")
            renewed = await asyncio.to_thread(with_centres, data)
            async with self._rewriting:
                if await self.describe(name) != record:
                    return  # another process has renewed it, or has taken all texts out
                await self._shelf.put(f"{path}.npz", renewed)
                await self._shelf.put(f"{path}.json", json.dumps(record | _KEEPS, ensure_ascii=False).encode())
        except (KeyError, RequestRefused):
            return  # it was deleted meanwhile

    async def delete(self, name: str) -> None:
        """Delete a fine-tuned model.

        Raises:
            RequestRefused: No model has this name (404), or the model is part of the program (403).
        """
        await self.describe(name)
        if name in _BUILT_IN:
            raise RequestRefused("Only fine-tuned models can be deleted.", status=403, param="model")
        await self._shelf.delete(f"models/{_artifact_key(name)}.json")
        await self._shelf.delete(f"models/{_artifact_key(name)}.npz")
        self._cache.pop(name, None)


def model_name(suffix: str | None, job: str) -> str:
    """Return the name of the model that a job produces; the same job always gives the same name."""
    return f"ft:{BASE}:{suffix or 'local'}::{job[-8:]}"


def _artifact_key(name: str) -> str:
    return name.rpartition("::")[2]


def _model_object(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "local"}
