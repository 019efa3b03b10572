"""The settled questions that a release is shown as examples with a new question."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from bot.domain.audience import Audience
from bot.domain.dataset import Row, neutral_reason
from bot.domain.prompt import Prompt
from bot.domain.question import Question
from bot.domain.reason import repeats
from bot.domain.release import Release
from bot.domain.similar import Example, Neighbour
from bot.ports import Neighbours, Store, Transaction

log = logging.getLogger(__name__)

SEARCHED = (4, 16)
"""Neighbours searched per wanted example, because some may not be shown.

The second number is tried if the first gives too few examples.
"""

Search = Callable[[Sequence[int], int], Awaitable[Sequence[Sequence[Neighbour]]]]
"""Returns up to so many neighbours of each text, by its place."""


class Recalling:
    """A search for settled questions that may be shown with another one.

    Args:
        store: The rows.
        neighbours: The index.
        guarded: Whether rows are not shown that were settled in a burst, until an admin looks.
    """

    def __init__(self, store: Store, neighbours: Neighbours, *, guarded: bool = True) -> None:
        self._guarded = guarded
        self._store = store
        self._neighbours = neighbours

    async def examples(
        self, release: Release, question: Question, *, without: Collection[str] = ()
    ) -> tuple[Example, ...]:
        """Return the settled questions most similar to a question, the most similar one last, right before it.

        They come from public channels and imports. In a direct message, which nobody else reads, they may also be the
        same person's own. Elsewhere that is not allowed: the reason on the card may quote an example.

        Args:
            release: The release; its `recall` is the number of examples, and 0 means none.
            question: The question.
            without: Groups whose rows must not be shown.
        """
        asker = question.asker if question.audience is Audience.DIRECT else None
        return _in_order(await self.nearest(question.text, release.recall, without=without, asker=asker))

    async def examples_for_rows(self, release: Release, rows: Sequence[Row]) -> list[tuple[Example, ...]]:
        """Return the examples for each row that the release is evaluated on: public rows alone.

        A row's own group, and groups that hold a near-copy of it, are left out: their rows would give the answer away.
        """
        if not release.recall or not rows:
            return [()] * len(rows)

        async def search(places: Sequence[int], most: int) -> Sequence[Sequence[Neighbour]]:
            return await self._neighbours.nearest_apart([rows[at] for at in places], most)

        return [_in_order(one) for one in await self._first_shown(len(rows), search, release.recall)]

    async def own_reason(
        self, reason: str, question: Question, prompt: Prompt, category: str, examples: Collection[Example] = ()
    ) -> str:
        """Return a model's reason, or the neutral one of its category if it repeats what somebody else asked.

        A model may quote an example that it was shown, or a question that it was trained on.

        Args:
            reason: The model's reason.
            question: The question; its words and those of the instructions may be repeated.
            prompt: The instructions.
            category: The id of the category.
            examples: The examples that the model was shown.
        """
        others = [*(example.text for example in examples), *await self._neighbours.repeated(reason)]
        own = "\n".join([question.text, prompt.text, *(one.rule for one in prompt.categories)])
        chosen = prompt.category(category)
        if chosen is None or not repeats(reason, others, own):
            return reason
        log.warning("question %s: the model's reason repeats another question, and is not used", question.id)
        return neutral_reason(prompt.language, chosen)

    async def nearest(
        self,
        text: str,
        k: int,
        *,
        without: Collection[str] = (),
        asker: str | None = None,
        channel: str | None = None,
    ) -> list[Neighbour]:
        """Return up to `k` neighbours of a text that may be shown, nearest first: public ones, and more if told so.

        Args:
            text: The text.
            k: The number; 0 searches nothing.
            without: Groups to leave out.
            asker: The person whose own questions may be shown too.
            channel: The channel whose questions may be shown too.
        """
        if not k:
            return []

        async def search(_: Sequence[int], most: int) -> Sequence[Sequence[Neighbour]]:
            return [await self._neighbours.nearest(text, most, without=without)]

        (shown,) = await self._first_shown(1, search, k, asker, channel)
        return shown

    async def _first_shown(
        self, texts: int, search: Search, k: int, asker: str | None = None, channel: str | None = None
    ) -> list[list[Neighbour]]:
        """Return for each text the first `k` neighbours that may be shown."""
        shown: list[list[Neighbour]] = [[] for _ in range(texts)]
        wanting = [*range(texts)]
        for most in [many * k for many in SEARCHED]:
            found = await search(wanting, most)
            for at, one in zip(wanting, await self._shown(found, k, asker, channel), strict=True):
                shown[at] = one
            wanting = [at for at, one in zip(wanting, found, strict=True) if len(shown[at]) < k and len(one) == most]
            if not wanting:
                break
        return shown

    async def _shown(
        self, searches: Sequence[Sequence[Neighbour]], k: int, asker: str | None = None, channel: str | None = None
    ) -> list[list[Neighbour]]:
        """Return the first `k` that may be shown of what each search found."""
        if not any(searches):
            return [[] for _ in searches]
        async with self._store.snapshot() as tx:
            # The database decides, not the index: it knows the audience that was learnt meanwhile.
            rows = await tx.rows.some({one.row_id for found in searches for one in found})
            channels = {channel} - {None}
            shown = {one.id for one in rows.values() if one.audience is Audience.PUBLIC or one.channel in channels}
            if asker and len(shown) < len(rows):
                shown |= await tx.questions.asked_by(asker, rows.keys() - shown)
            chosen = [[one for one in found if one.row_id in shown] for found in searches]
            return await self._trusted(tx, chosen, rows, k)

    async def _trusted(
        self, tx: Transaction, searches: Sequence[Sequence[Neighbour]], rows: Mapping[str, Row], k: int
    ) -> list[list[Neighbour]]:
        """Return the first `k` of each search that one may rely on. Only as many are looked at as are needed."""
        kept: list[list[Neighbour]] = [[] for _ in searches]
        for start in range(0, max(map(len, searches)), k):
            some = [found[start : start + k] if len(has) < k else () for found, has in zip(searches, kept, strict=True)]
            looked = {one.row_id: rows[one.row_id] for found in some for one in found}
            if not looked:
                break
            untrusted = await tx.rows.untrusted(looked.values()) if self._guarded else set()
            for has, found in zip(kept, some, strict=True):
                has += [one for one in found if one.row_id not in untrusted]
        return [has[:k] for has in kept]


def _in_order(found: Collection[Neighbour]) -> tuple[Example, ...]:
    return tuple(Example(text=neighbour.text, category=neighbour.category) for neighbour in reversed([*found]))
