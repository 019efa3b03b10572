"""The models that can be asked: `base`, and the fine-tuned ones on the shelf."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.embedded.encoders import load
from bot.embedded.errors import RequestRefused, no_such_model
from bot.embedded.shelf import ArtifactShelf
from bot.embedded.trained import Trained, from_bytes

BASE = "base"
_SURE_FOR = 5.0  # seconds that a model which another process deletes may still answer here
_BORN = 1_767_225_600  # 2026-01-01: the base model is part of the program, so all servers tell the same


@dataclass
class _Loaded:
    model: Trained
    checked: float


class Models:
    """Finds, loads, lists and deletes models; a trained one is read once and then kept in memory."""

    def __init__(self, shelf: ArtifactShelf, clock: Callable[[], float], encoder: str = "") -> None:
        self.encoder = encoder
        self._shelf = shelf
        self._clock = clock
        self._loaded: dict[str, _Loaded] = {}

    async def get(self, name: str) -> Trained:
        """Return the model. Raises Refused (404) if there is none of this name."""
        if name == BASE:
            return Trained(encoder=load(self.encoder))
        held = self._loaded.get(name)
        if held and 0 <= self._clock() - held.checked < _SURE_FOR:
            return held.model
        await self.about(name)
        if not held:
            data = await self._shelf.get(f"models/{_short(name)}.npz")
            try:
                held = _Loaded(await asyncio.to_thread(from_bytes, data, self.encoder), 0)
            except ValueError as unfit:
                raise RequestRefused(str(unfit), param="model", code="model_not_servable") from unfit
        held.checked = self._clock()
        self._loaded[name] = held
        return held.model

    async def data(self, name: str) -> bytes | None:
        """Return a fine-tuned model's file, None for the base model. Raises Refused (404) for an unknown one."""
        if name == BASE:
            return None
        await self.about(name)
        return await self._shelf.get(f"models/{_short(name)}.npz")

    async def about(self, name: str) -> dict[str, Any]:
        """Return OpenAI's model object. Raises Refused (404) for an unknown one."""
        if name == BASE:
            return _object(BASE, _BORN)
        try:
            found: dict[str, Any] = json.loads(await self._shelf.get(f"models/{_short(name)}.json"))
        except (KeyError, ValueError):
            found = {}
        if found.get("id") != name:
            self._loaded.pop(name, None)
            raise no_such_model(name)
        return found

    async def all(self) -> list[dict[str, Any]]:
        """Return every model object, the base first."""
        names = [name for name in await self._shelf.names("models/") if name.endswith(".json")]
        found = [json.loads(await self._shelf.get(name)) for name in names]
        return [_object(BASE, _BORN), *sorted(found, key=lambda one: (one["created"], one["id"]))]

    async def add(self, name: str, data: bytes) -> None:
        """Keep a trained model; it can be asked as soon as its record stands."""
        await self._shelf.put(f"models/{_short(name)}.npz", data)
        record = json.dumps(_object(name, int(self._clock())), ensure_ascii=False)
        await self._shelf.put(f"models/{_short(name)}.json", record.encode())

    async def delete(self, name: str) -> None:
        """Delete a fine-tuned model. Raises Refused: 404 if unknown, 403 for the base model."""
        await self.about(name)
        if name == BASE:
            raise RequestRefused("Only fine-tuned models can be deleted.", status=403, param="model")
        await self._shelf.delete(f"models/{_short(name)}.json")
        await self._shelf.delete(f"models/{_short(name)}.npz")
        self._loaded.pop(name, None)


def name_of(suffix: str | None, job: str) -> str:
    """Return the name of the model that a job makes; the same job always makes the same name."""
    return f"ft:{BASE}:{suffix or 'local'}::{job[-8:]}"


def _short(name: str) -> str:
    return name.rpartition("::")[2]


def _object(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "local"}
