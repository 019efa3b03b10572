"""Prompts as people change them: versions, new and retired categories, and the rows of retired categories."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.current_prompt import current_prompt, update_contacts
from bot.domain.audit import AuditAct
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Row, Source
from bot.domain.errors import Reason, Refused
from bot.domain.prompt import LONG_PROMPT_TOKENS, Category, Prompt, PromptEvent, PromptWhy, id_for, match_category
from bot.domain.question import Question
from bot.domain.release import ModelName, Release
from bot.domain.thing import Thing
from bot.ports import Clock, Estimator, Store, Transaction
from bot.questions.cards import card_of, update_card
from bot.releases.releasing import add_candidate

ROWS_SHOWN = 5
MOVED_PER_TRANSACTION = 200
"""Rows moved per transaction; other writers get in between."""


class PromptOverview(Thing):
    """The current prompt and its state."""

    prompt: Prompt
    event: PromptEvent
    tokens: int
    serves: bool
    """Whether the serving release uses this prompt."""
    retired: dict[str, int]
    """Category name → number of rows whose category this prompt lacks; exports leave them out."""
    number: int = 1
    """Number of the version, as in `PromptVersion`."""

    @property
    def long(self) -> bool:
        """Whether the prompt is so long that people are warned."""
        return self.tokens > LONG_PROMPT_TOKENS


class PromptVersion(Thing):
    """One version of the prompt, and the releases that use it."""

    number: int
    """Number of the version, counted from 1 in the order in which versions became current. People read it as a name."""
    prompt: Prompt
    first: PromptEvent
    current: bool
    releases: list[Release]


class PromptChange(Thing):
    """The result of a change to the prompt."""

    shown: PromptOverview
    candidate: Release | None
    """The release with the changed prompt. None if only owners or guides changed, which take effect at once."""
    moved: int = 0
    """Number of rows that got another category."""


class RetiringCategory(Thing):
    """A category that is about to be retired, with its number of rows."""

    prompt: Prompt
    category: Category
    rows: int
    texts: tuple[str, ...]
    """Texts of the first rows, at most ROWS_SHOWN."""


class Prompting:
    """Changes to the prompt. A changed text becomes a new version and a new candidate, which does not serve yet.

    In each method, `seen` is the id of the prompt that the person looked at. If the prompt has changed since, the
    method refuses, so nobody overwrites a change unseen.
    """

    def __init__(self, store: Store, estimator: Estimator, clock: Clock) -> None:
        self._store = store
        self._estimator = estimator
        self._clock = clock

    async def current(self) -> Prompt:
        """Return the current prompt.

        Raises:
            LookupError: No prompt is configured yet.
        """
        async with self._store.transaction() as tx:
            return await current_prompt(tx)

    async def shown(self) -> PromptOverview:
        async with self._store.transaction() as tx:
            return await self._shown(tx)

    async def _shown(self, tx: Transaction) -> PromptOverview:
        prompt = await current_prompt(tx)
        serving = await tx.releases.serving()
        retired: dict[str, int] = {}
        retired_before = await self._retired(tx, prompt)
        for (category, _), n in (await tx.rows.counts()).items():
            if prompt.category(category) is None:
                name = retired_before[category].name if category in retired_before else category
                retired[name] = retired.get(name, 0) + n
        history = await tx.prompts.history()
        return PromptOverview(
            prompt=prompt,
            event=history[0],
            number=numbers(history)[prompt.id],
            tokens=await asyncio.to_thread(self._estimator.words, prompt.text),  # the first call takes a second
            serves=serving is not None and serving.prompt_id == prompt.id,
            retired=retired,
        )

    # --- change

    async def save(self, seen: str, category: Category, by: str) -> PromptChange:
        """Replace the category that has this id.

        Raises:
            Refused: PROMPT_CHANGED, UNKNOWN_CATEGORY (it was retired meanwhile), NAME_TAKEN.
        """
        async with self._store.transaction() as tx:
            prompt = await self._locked_prompt(tx, seen)
            old = prompt.category(category.id)
            if old is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=category.name)
            refuse_taken(prompt, category)
            kept = {name: getattr(old, name) for name in ("other", "channel", "name_en", "name_ja")}
            return await self._apply(tx, prompt.with_category(category.model_copy(update=kept)), by)

    async def add(self, seen: str, category: Category, by: str) -> PromptChange:
        """Add a category, with an id made from its name. A retired category of this name returns with its rows.

        Raises:
            Refused: PROMPT_CHANGED, NAME_TAKEN.
        """
        async with self._store.transaction() as tx:
            prompt = await self._locked_prompt(tx, seen)
            refuse_taken(prompt, category)
            retired = await self._retired(tx, prompt)
            returning = match_category(retired.values(), category.name)
            new_id = (
                returning.id if returning else id_for(category.name, {*retired, *(c.id for c in prompt.categories)})
            )
            added = category.model_copy(update={"id": new_id, "other": False})
            return await self._apply(tx, prompt.with_category(added), by)

    async def rewrite(self, seen: str, template: str, by: str) -> PromptChange:
        """Change the template, which is the text around the categories.

        Raises:
            Refused: PROMPT_CHANGED.
        """
        async with self._store.transaction() as tx:
            prompt = await self._locked_prompt(tx, seen)
            return await self._apply(tx, prompt.changed(template=template), by)

    async def retire(self, seen: str, category_id: str, into: str | None, by: str) -> PromptChange:
        """Remove a category from the prompt, if present. Its rows stay unchanged until `move` is called.

        Args:
            seen: The prompt that the person looked at.
            category_id: The category to retire.
            into: The category to which `move` will give the rows, checked before anything changes; None if undecided.
            by: The person's id.

        Raises:
            Refused: PROMPT_CHANGED, UNKNOWN_CATEGORY (`into`), CATEGORY_KEPT (the catch-all, or one of the last two).
        """
        async with self._store.transaction() as tx:
            prompt = await self._locked_prompt(tx, seen)
            refuse_kept(prompt, category_id)
            if into is not None and (into == category_id or prompt.category(into) is None):
                raise Refused(Reason.UNKNOWN_CATEGORY, category=into)
            return await self._apply(tx, prompt.without(category_id), by)

    async def leaving(self, name: str) -> RetiringCategory:
        """Return the category that a person wants to retire or has retired, with some of its rows.

        Raises:
            Refused: UNKNOWN_CATEGORY, CATEGORY_KEPT.
        """
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            category = prompt.find_category(name) or match_category((await self._retired(tx, prompt)).values(), name)
            if category is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=name)
            refuse_kept(prompt, category.id)
            counted = sum(n for (of, _), n in (await tx.rows.counts()).items() if of == category.id)
            texts = []
            async for row in tx.rows.all(category=category.id):
                texts.append(row.text)
                if len(texts) == ROWS_SHOWN:
                    break
        return RetiringCategory(prompt=prompt, category=category, rows=counted, texts=tuple(texts))

    async def category(self, name: str) -> tuple[Prompt, Category]:
        """Return the current prompt and the category that a person means, by its id or name.

        Raises:
            Refused: UNKNOWN_CATEGORY.
        """
        prompt = await self.current()
        category = prompt.find_category(name)
        if category is None:
            raise Refused(Reason.UNKNOWN_CATEGORY, category=name)
        return prompt, category

    async def _locked_prompt(self, tx: Transaction, seen: str) -> Prompt:
        """Return the current prompt, locked against other changes until this transaction ends.

        Raises:
            Refused: PROMPT_CHANGED.
        """
        await tx.releases.serving(lock=True)
        prompt = await current_prompt(tx)
        if prompt.id != seen:
            raise Refused(Reason.PROMPT_CHANGED)
        return prompt

    async def _apply(self, tx: Transaction, prompt: Prompt, by: str) -> PromptChange:
        """Store a changed prompt. Owners and guides take effect at once; a changed text becomes the current version."""
        now = self._clock.now()
        before = await current_prompt(tx)
        await tx.prompts.put(prompt)
        await update_contacts(tx, prompt.categories)
        candidate = None
        if prompt.id != before.id:
            await tx.prompts.enter(PromptEvent(prompt_id=prompt.id, why=PromptWhy.EDITED, by=by, at=now))
            candidate = await self._candidate(tx, prompt, by, now)
        shown = await self._shown(tx)
        await tx.audit.add(by, AuditAct.PROMPT_CHANGED, now, prompt.id[:8])
        return PromptChange(shown=shown, candidate=candidate)

    async def _candidate(self, tx: Transaction, prompt: Prompt, by: str, now: datetime) -> Release | None:
        """Return a release of the base model with this prompt. A fine-tune fits only the prompt of its training."""
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
        """Return the categories of earlier versions that this prompt lacks, by id."""
        return {c.id: c for p in await tx.prompts.all() for c in p.categories if prompt.category(c.id) is None}

    async def move(self, category_id: str, into: str, by: str) -> PromptChange:
        """Give the rows of a retired category another one, page by page. After a crash, the rest is still listed.

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
                    question = await tx.questions.get(row_id, lock=True)
                    row = await tx.rows.get(row_id, lock=True)
                    if row and row.category == category_id:  # unless somebody has settled it meanwhile
                        await self._resettle(tx, row, question, into, by)
                        moved += 1
        return PromptChange(shown=await self.shown(), candidate=None, moved=moved)

    async def _resettle(self, tx: Transaction, row: Row, question: Question | None, into: str, by: str) -> None:
        """Give a row another category. A question's row also gets a correction; an imported row has no question."""
        now = self._clock.now()
        moved = {"category": into, "reason": None, "source": Source.CHANGE, "by": by, "settled_at": now}
        await tx.rows.put(row.model_copy(update=moved))
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
        await update_card(tx, card.question, now)

    # --- versions

    async def versions(self) -> list[PromptVersion]:
        """Return all prompts that have ever been current, newest first."""
        async with self._store.transaction() as tx:
            history = await tx.prompts.history()
            releases = await tx.releases.all()
            prompts = {prompt.id: prompt for prompt in await tx.prompts.all()}
        first = {event.prompt_id: event for event in history}
        number = numbers(history)
        return [
            PromptVersion(
                number=number[prompt_id],
                prompt=prompts[prompt_id],
                first=first[prompt_id],
                current=prompt_id == history[0].prompt_id,
                releases=[release for release in releases if release.prompt_id == prompt_id],
            )
            for prompt_id in dict.fromkeys(event.prompt_id for event in history)
        ]

    async def named(self, name: str) -> Prompt:
        """Return the version with this number, or whose id starts with `name`.

        Raises:
            Refused: UNKNOWN_PROMPT.
        """
        async with self._store.transaction() as tx:
            numbered = {f"{n}": prompt_id for prompt_id, n in numbers(await tx.prompts.history()).items()}
            wanted = numbered.get(name.lstrip("#"), name.lower())
            found = [prompt for prompt in await tx.prompts.all() if wanted and prompt.id.startswith(wanted)]
        if len(found) != 1:
            raise Refused(Reason.UNKNOWN_PROMPT, name=name)
        return found[0]

    async def served(self) -> Prompt:
        """Return the serving release's prompt.

        Raises:
            LookupError: No release serves.
        """
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
            prompt = await tx.prompts.get(serving.prompt_id) if serving else None
        if prompt is None:
            raise LookupError("no release serves")
        return prompt


def numbers(history: Sequence[PromptEvent]) -> dict[str, int]:
    """Return prompt id → number of the version, in the order in which they became current for the first time.

    Args:
        history: All events, newest first.
    """
    first = dict.fromkeys(event.prompt_id for event in reversed(history))
    return {prompt_id: n for n, prompt_id in enumerate(first, 1)}


def refuse_taken(prompt: Prompt, category: Category) -> None:
    """Refuse a second category with the same name, because the model answers by name.

    Raises:
        Refused: NAME_TAKEN.
    """
    same = prompt.find_category(category.name)
    if same and same.id != category.id:
        raise Refused(Reason.NAME_TAKEN, name=same.name)


def refuse_kept(prompt: Prompt, category_id: str) -> None:
    """Refuse to retire the catch-all, or one of the last two categories.

    Raises:
        Refused: CATEGORY_KEPT.
    """
    category = prompt.category(category_id)
    if category and (category.other or len(prompt.categories) == 2):
        raise Refused(Reason.CATEGORY_KEPT, category=category.name)
