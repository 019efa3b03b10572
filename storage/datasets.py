"""Manifests of frozen dataset versions."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.dataset import Manifest
from storage.tables import datasets
from storage.upserts import insert_new


class SqlDatasets:
    """The table `datasets`. Versions are frozen: the first manifest of an id is never replaced."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, manifest: Manifest, now: datetime) -> None:
        values = {
            "id": manifest.id,
            "prompt_id": manifest.prompt_id,
            "manifest": manifest.model_dump(mode="json"),
            "created_at": now,
        }
        await insert_new(self._connection, datasets, values, unique=["id"])

    async def get(self, dataset_id: str) -> Manifest | None:
        query = select(datasets.c.manifest).where(datasets.c.id == dataset_id)
        manifest = (await self._connection.execute(query)).scalar()
        return None if manifest is None else Manifest.kept(manifest)
