"""What the model is told, changed by people: versions, categories that come and go, and the rows of those that went."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from bot.current_prompt import current_prompt, reown
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Row, Source
from bot.domain.errors import Reason, Refused
from bot.domain.prompt import LONG_PROMPT_TOKENS, Category, Prompt, PromptEvent, PromptWhy, id_for, meant
from bot.domain.release import ModelName, Release
from bot.domain.thing import Thing
from bot.ports import Clock, Estimator, Store, Transaction
from bot.questions.cards import card_of
from bot.releases.releasing import add_candidate

ROWS_SHOWN = 5
MOVED_PER_TRANSACTION = 200
"""Rows a transaction: others are let through in between."""


class PromptOverview(Thing):
    """The current prompt, and what people should know of it."""

    prompt: Prompt
    event: PromptEvent
    tokens: int
    serves: bool
    """Whether the serving release has it."""
    retired: dict[str, int]
    """Category name → rows whose category this prompt does not have: they are in no export."""

    @property
    def long(self) -> bool:
        """Whether people are warned of its length."""
        return self.tokens > LONG_PROMPT_TOKENS


class Version(Thing):
    """One prompt, with what was made of it."""

    prompt: Prompt
    first: PromptEvent
    current: bool
    releases: list[Release]


class Saved(Thing):
    """What a change came to."""

    shown: PromptOverview
    candidate: Release | None
    """The release that has the changed prompt; None where only owners or guides changed, which hold at once."""
    moved: int = 0
    """Rows that were given another category."""


class Leaving(Thing):
    """A category that is about to be retired, and some of its rows."""

    prompt: Prompt
    category: Category
    rows: int
    texts: tuple[str, ...]
    """Of the first rows."""


class Prompting:
    """Shows, changes and compares prompts. A changed text is a new version and a new candidate, and serves nobody yet.

    `seen` is the id of the prompt that the person looked at: what changed since is never overwritten unseen.
    """

    def __init__(self, store: Store, estimator: Estimator, clock: Clock) -> None:
        self._store = store
        self._estimator = estimator
        self._clock = clock

    async def current(self) -> Prompt:
        """Raises LookupError before the start (`versions.configure`)."""
        async with self._store.transaction() as tx:
            return await current_prompt(tx)

    async def shown(self) -> PromptOverview:
        async with self._store.transaction() as tx:
            return await self._shown(tx)

    async def _shown(self, tx: Transaction) -> PromptOverview:
        prompt = await current_prompt(tx)
        serving = await tx.releases.serving()
        retired: dict[str, int] = {}
        once = await self._retired(tx, prompt)
        for (category, _), n in (await tx.rows.counts()).items():
            if prompt.category(category) is None:
                name = once[category].name if category in once else category
                retired[name] = retired.get(name, 0) + n
        return PromptOverview(
            prompt=prompt,
            event=(await tx.prompts.history())[0],
            tokens=await asyncio.to_thread(self._estimator.words, prompt.text),  # the first time takes a second
            serves=serving is not None and serving.prompt_id == prompt.id,
            retired=retired,
        )

    # --- change

    async def save(self, seen: str, category: Category, by: str) -> Saved:
        """Change the category of this id.

        Raises:
            Refused: PROMPT_CHANGED, UNKNOWN_CATEGORY (it was retired meanwhile), NAME_TAKEN.
        """
        async with self._store.transaction() as tx:
            prompt = await self._held(tx, seen)
            old = prompt.category(category.id)
            if old is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=category.name)
            refuse_taken(prompt, category)
            return await self._take(tx, prompt.with_category(category.model_copy(update={"other": old.other})), by)

    async def add(self, seen: str, category: Category, by: str) -> Saved:
        """Add a category; its id is made of its name. A retired one of this name comes back with its rows.

        Raises:
            Refused: PROMPT_CHANGED, NAME_TAKEN.
        """
        async with self._store.transaction() as tx:
            prompt = await self._held(tx, seen)
            refuse_taken(prompt, category)
            known = await self._retired(tx, prompt)
            again = meant(known.values(), category.name)
            new_id = again.id if again else id_for(category.name, {*known, *(c.id for c in prompt.categories)})
            added = category.model_copy(update={"id": new_id, "other": False})
            return await self._take(tx, prompt.with_category(added), by)

    async def rewrite(self, seen: str, template: str, by: str) -> Saved:
        """Change the task, the text around the categories. Raises Refused: PROMPT_CHANGED."""
        async with self._store.transaction() as tx:
            prompt = await self._held(tx, seen)
            return await self._take(tx, prompt.changed(template=template), by)

    async def retire(self, seen: str, category_id: str, into: str | None, by: str) -> Saved:
        """Take a category out of the prompt, if it still is in it. Its rows stay as they are until they are moved.

        Args:
            seen: the prompt that the person looked at.
            category_id: what is retired.
            into: where its rows shall go (`move`), checked before anything is changed; None: nowhere yet.
            by: who.

        Raises:
            Refused: PROMPT_CHANGED, UNKNOWN_CATEGORY (`into`), CATEGORY_KEPT (the catch-all, or one of the last two).
        """
        async with self._store.transaction() as tx:
            prompt = await self._held(tx, seen)
            refuse_kept(prompt, category_id)
            if into is not None and (into == category_id or prompt.category(into) is None):
                raise Refused(Reason.UNKNOWN_CATEGORY, category=into)
            return await self._take(tx, prompt.without(category_id), by)

    async def leaving(self, name: str) -> Leaving:
        """What a person means to retire, or retired before.

        Raises:
            Refused: UNKNOWN_CATEGORY; CATEGORY_KEPT.
        """
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            category = prompt.meant(name) or meant((await self._retired(tx, prompt)).values(), name)
            if category is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=name)
            refuse_kept(prompt, category.id)
            counted = sum(n for (of, _), n in (await tx.rows.counts()).items() if of == category.id)
            texts = []
            async for row in tx.rows.all(category=category.id):
                texts.append(row.text)
                if len(texts) == ROWS_SHOWN:
                    break
        return Leaving(prompt=prompt, category=category, rows=counted, texts=tuple(texts))

    async def category(self, name: str) -> tuple[Prompt, Category]:
        """The current prompt and the category of it that a person means, by id or name.

        Raises:
            Refused: UNKNOWN_CATEGORY.
        """
        prompt = await self.current()
        category = prompt.meant(name)
        if category is None:
            raise Refused(Reason.UNKNOWN_CATEGORY, category=name)
        return prompt, category

    async def _held(self, tx: Transaction, seen: str) -> Prompt:
        """The current prompt, changed by nobody else until this transaction ends."""
        await tx.releases.serving(lock=True)
        prompt = await current_prompt(tx)
        if prompt.id != seen:
            raise Refused(Reason.PROMPT_CHANGED)
        return prompt

    async def _take(self, tx: Transaction, prompt: Prompt, by: str) -> Saved:
        """Keep a changed prompt. Owners and guides hold at once; another text is the current version from now on."""
        now = self._clock.now()
        before = await current_prompt(tx)
        await tx.prompts.put(prompt)
        await reown(tx, prompt.categories)
        candidate = None
        if prompt.id != before.id:
            await tx.prompts.enter(PromptEvent(prompt_id=prompt.id, why=PromptWhy.EDITED, by=by, at=now))
            candidate = await self._candidate(tx, prompt, by, now)
        return Saved(shown=await self._shown(tx), candidate=candidate)

    async def _candidate(self, tx: Transaction, prompt: Prompt, by: str, now: datetime) -> Release | None:
        """The serving base model with this prompt: a fine-tune fits only the prompt that it was trained on."""
        serving = await tx.releases.serving()
        if serving is None:
            return None
        tuned = await tx.finetunes.get(serving.finetune_id) if serving.finetune_id else None
        model: ModelName = tuned.student if tuned else serving.model
        for release in await tx.releases.all():
            if (release.model, release.prompt_id, release.recall) == (model, prompt.id, serving.recall):
                return release
        return await add_candidate(tx, now, model, prompt_id=prompt.id, by=by, why="prompt", recall=serving.recall)

    # --- rows of retired categories

    async def _retired(self, tx: Transaction, prompt: Prompt) -> Mapping[str, Category]:
        """Categories of earlier versions that this prompt does not have, by id."""
        return {c.id: c for p in await tx.prompts.all() for c in p.categories if prompt.category(c.id) is None}

    async def move(self, category_id: str, into: str, by: str) -> Saved:
        """Give the rows of a retired category to another one, page by page: what a crash leaves stays listed.

        Raises:
            Refused: UNKNOWN_CATEGORY (`into`).
        """
        async with self._store.transaction() as tx:
            if (await current_prompt(tx)).category(into) is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=into)
            row_ids = [row.id async for row in tx.rows.all(category=category_id)]
        moved = 0
        for start in range(0, len(row_ids), MOVED_PER_TRANSACTION):
            async with self._store.transaction() as tx:
                for row_id in row_ids[start : start + MOVED_PER_TRANSACTION]:
                    row = await tx.rows.get(row_id)
                    if row and row.category == category_id:  # nobody settled it meanwhile
                        await self._resettle(tx, row, into, by)
                        moved += 1
        return Saved(shown=await self.shown(), candidate=None, moved=moved)

    async def _resettle(self, tx: Transaction, row: Row, into: str, by: str) -> None:
        """A row of a question gets a correction, as if somebody had pressed; an imported one says who moved it."""
        now = self._clock.now()
        moved = {"category": into, "reason": None, "source": Source.CHANGE, "by": by, "settled_at": now}
        await tx.rows.put(row.model_copy(update=moved))
        question = await tx.questions.get(row.id, lock=True) if row.ts else None
        card = await card_of(tx, question) if question else None
        if card is None:
            return
        agreed = card.verdict.category == into
        correction = Correction(
            question_id=row.id,
            seq=card.seen + 1,
            kind=CorrectionKind.AGREE if agreed else CorrectionKind.CHANGE,
            verdict_id=card.verdict.id,
            category=into,
            reason=None,
            by=by,
            at=now,
        )
        await tx.corrections.add(correction)
        await tx.questions.settle(row.id, into)
        await tx.outbox.add("card", row.id, {}, now)

    # --- versions

    async def versions(self) -> list[Version]:
        """All that were ever current, the newest first."""
        async with self._store.transaction() as tx:
            history = await tx.prompts.history()
            releases = await tx.releases.all()
            prompts = {prompt.id: prompt for prompt in await tx.prompts.all()}
        first = {event.prompt_id: event for event in history}
        return [
            Version(
                prompt=prompts[prompt_id],
                first=first[prompt_id],
                current=prompt_id == history[0].prompt_id,
                releases=[release for release in releases if release.prompt_id == prompt_id],
            )
            for prompt_id in dict.fromkeys(event.prompt_id for event in history)
        ]

    async def named(self, name: str) -> Prompt:
        """The version that a person means by the beginning of its id. Raises Refused: UNKNOWN_PROMPT."""
        async with self._store.transaction() as tx:
            found = [prompt for prompt in await tx.prompts.all() if name and prompt.id.startswith(name.lower())]
        if len(found) != 1:
            raise Refused(Reason.UNKNOWN_PROMPT, name=name)
        return found[0]

    async def served(self) -> Prompt:
        """The serving release's prompt. Raises LookupError where nothing serves."""
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
            prompt = await tx.prompts.get(serving.prompt_id) if serving else None
        if prompt is None:
            raise LookupError("no release serves")
        return prompt


def refuse_taken(prompt: Prompt, category: Category) -> None:
    """The model answers by name: two categories of one name could not be told apart."""
    same = prompt.meant(category.name)
    if same and same.id != category.id:
        raise Refused(Reason.NAME_TAKEN, name=same.name)


def refuse_kept(prompt: Prompt, category_id: str) -> None:
    """A prompt has a catch-all and another category. Raises Refused: CATEGORY_KEPT."""
    category = prompt.category(category_id)
    if category and (category.other or len(prompt.categories) == 2):
        raise Refused(Reason.CATEGORY_KEPT, category=category.name)
