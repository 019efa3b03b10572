"""How good a release is, on rows that no fine-tune was trained on."""

import asyncio
import hashlib

from bot.domain.dataset import Row, Split, newest_per_group
from bot.domain.errors import ModelRefused
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import Scorecard
from bot.ports import Clock, Model, Store

AT_ONCE = 8
"""Classifications under way at the same time, so that live questions still get through."""


class Evaluating:
    """Scores releases on the held-out rows."""

    def __init__(self, store: Store, model: Model, clock: Clock) -> None:
        self._store = store
        self._model = model
        self._clock = clock

    async def score(self, release: Release) -> Scorecard:
        """The release's scorecard on the held-out rows of now; kept, so the same rows are never paid for twice.

        Raises:
            ModelDown, ModelRefused: from the model; a score of only some of the rows would not be comparable.
        """
        async with self._store.transaction() as tx:
            prompt = await tx.prompts.get(release.prompt_id)
            rows = newest_per_group([row async for row in tx.rows.all(Split.HELD_OUT)])
            key = rows_key(rows)
            known = await tx.scorecards.get(release.id, key)
        if known:
            return known
        if prompt is None:
            raise ModelRefused(f"release {release.id} has no prompt")
        right = await self.right(release, prompt, rows)
        card = Scorecard(release_id=release.id, rows_key=key, rows=len(rows), right=right, at=self._clock.now())
        async with self._store.transaction() as tx:
            await tx.scorecards.put(card)
        return card

    async def probe(self, release: Release) -> None:
        """Ask a release something, so that nobody switches to a model that does not answer.

        Raises:
            ModelDown, ModelRefused: it does not.
        """
        async with self._store.transaction() as tx:
            prompt = await tx.prompts.get(release.prompt_id)
        if prompt is None:
            raise ModelRefused(f"release {release.id} has no prompt")
        category = prompt.categories[0]
        await self._model.classify(release.model, prompt, next(iter(category.examples), category.name))

    async def right(self, release: Release, prompt: Prompt, rows: list[Row]) -> int:
        """How many of these rows the release classifies as they were settled. Raises ModelDown or ModelRefused."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(row: Row) -> bool:
            async with gate:
                return (await self._model.classify(release.model, prompt, row.text)).category == row.category

        asked = [asyncio.ensure_future(one(row)) for row in rows]
        try:
            return sum(await asyncio.gather(*asked))
        finally:  # a score that failed asks, and costs, nothing more
            for each in asked:
                each.cancel()


def rows_key(rows: list[Row]) -> str:
    """The name of frozen rows: a hash of what is asked and what is right."""
    return hashlib.sha256("\n".join(f"{row.group} {row.category}" for row in rows).encode()).hexdigest()
