"""The shadow release. It answers live questions, unseen by people, so that its quality is known before it serves."""

import logging
from datetime import timedelta

from bot.domain.audit import AuditAct
from bot.domain.disk import log_failure
from bot.domain.errors import ModelDown, ModelError, Reason, Refused
from bot.domain.release import Release, ReleaseState
from bot.domain.shadow import Agreement, Shadow
from bot.domain.thing import Thing
from bot.ports import Budget, Clock, Embedded, Model, Neighbours, NothingEmbedded, OutboxItem, Store, Transaction
from bot.questions.leasing import LeasedOutbox, RetryDelay
from bot.questions.recalling import Recalling
from bot.releases.releasing import unknown_release

log = logging.getLogger(__name__)

SHADOW_TOPIC = "shadow"
SHADOW_LEASE = timedelta(seconds=90)
"""Lease on a question: longer than the slowest classification (three tries of 20 seconds)."""
SHADOW_TRIES = 3
SHADOW_WAIT = timedelta(minutes=1)
DAY = timedelta(days=1)


class ShadowReport(Thing):
    """The results of a shadow.

    Attributes:
        today: Number of questions that it was asked in the last 24 hours.
        per_day: Maximum number of questions in 24 hours.
    """

    release: Release
    agreement: Agreement
    today: int
    per_day: int


class Shadowing:
    """The one shadow release. Its questions wait in the outbox under their own topic, so they delay no card.

    Attributes:
        per_day: Maximum number of questions in 24 hours; further ones are skipped.
    """

    def __init__(  # noqa: PLR0913 - the ports, and what the settings choose
        self,
        store: Store,
        model: Model,
        neighbours: Neighbours,
        clock: Clock,
        *,
        per_day: int,
        budget: Budget | None = None,
        embedded: Embedded | None = None,
        private_rows: bool = False,
    ) -> None:
        self._budget = budget
        self._embedded = embedded or NothingEmbedded()
        self._private_rows = private_rows
        self._store = store
        self._model = model
        self._recalling = Recalling(store, neighbours)
        self._clock = clock
        self.per_day = per_day
        self._entries = LeasedOutbox(store, clock, [SHADOW_TOPIC], SHADOW_LEASE, RetryDelay(SHADOW_WAIT, SHADOW_WAIT))
        self.hand_back, self.topics = self._entries.hand_back, self._entries.topics

    async def start(self, release_id: str, by: str) -> Release:
        """Make this release the shadow, in place of an earlier shadow.

        Raises:
            Refused: UNKNOWN_RELEASE, ALREADY_SERVING.
        """
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving(lock=True)
            release = await tx.releases.get(release_id)
            if release is None:
                raise unknown_release(release_id, await tx.releases.all())
            if serving and serving.id == release_id:
                raise Refused(Reason.ALREADY_SERVING, name=release.name)
            earlier = await tx.releases.shadow()
            if earlier and earlier.id == release_id:
                return release
            if earlier:
                await self._retire(tx, earlier, by)
            await tx.releases.enter(release_id, ReleaseState.SHADOW, by, SHADOW_TOPIC, self._clock.now())
            await tx.audit.add(by, AuditAct.SHADOW_CHANGED, self._clock.now(), release.name)
        return release.model_copy(update={"state": ReleaseState.SHADOW})

    async def stop(self, by: str) -> Release:
        """End the shadow and return it; its answers are kept.

        Raises:
            Refused: NO_SHADOW.
        """
        async with self._store.transaction() as tx:
            await tx.releases.serving(lock=True)
            release = await tx.releases.shadow()
            if release is None:
                raise Refused(Reason.NO_SHADOW)
            await self._retire(tx, release, by)
            await tx.audit.add(by, AuditAct.SHADOW_CHANGED, self._clock.now())
        return release

    async def _retire(self, tx: Transaction, release: Release, by: str) -> None:
        """Put a shadow back into its earlier state: retired if it ever served, else candidate."""
        history = await tx.releases.history(limit=1_000)
        served = any(e.release_id == release.id and e.state is ReleaseState.SERVING for e in history)
        state = ReleaseState.RETIRED if served else ReleaseState.CANDIDATE
        await tx.releases.enter(release.id, state, by, SHADOW_TOPIC, self._clock.now())

    async def report(self) -> ShadowReport:
        """Return the results of the shadow.

        Raises:
            Refused: NO_SHADOW.
        """
        async with self._store.snapshot() as tx:
            release = await tx.releases.shadow()
            if release is None:
                raise Refused(Reason.NO_SHADOW)
            compared = await tx.shadows.compared(release.id)
            today = await tx.shadows.of(release.id, since=self._clock.now() - DAY)
        return ShadowReport(release=release, agreement=Agreement.of(compared), today=len(today), per_day=self.per_day)

    async def shadow_next(self) -> bool:
        """Ask the shadow its oldest waiting question; return False if none is waiting."""
        return await self._entries.next(self._ask, self._failed)

    async def _ask(self, item: OutboxItem) -> None:
        await self._answer(item.key)
        async with self._store.transaction() as tx:
            await tx.outbox.done(item)

    async def _failed(self, item: OutboxItem, error: Exception) -> None:
        """Retry later if the model is down, else skip the question: nobody waits for a shadow's answer."""
        name = self._entries.name(item)
        if isinstance(error, ModelError):
            log.warning("%s: try %s: %s", name, item.attempts, type(error).__name__)
        else:
            log_failure(log, f"{name} failed", error)
        async with self._store.transaction() as tx:
            if isinstance(error, ModelDown) and item.attempts < SHADOW_TRIES:
                await self._entries.retry(tx, item, type(error).__name__)
            else:
                await tx.outbox.done(item)

    async def _answer(self, question_id: str) -> None:
        """Ask the shadow and store its answer, unless its daily maximum is reached or the shadow has ended."""
        now = self._clock.now()
        async with self._store.transaction() as tx:
            release = await tx.releases.shadow()
            prompt = await tx.prompts.get(release.prompt_id) if release else None
            question = await tx.questions.get(question_id)
            spent = len(await tx.shadows.of(release.id, since=now - DAY)) if release else 0
            row = await tx.rows.get(question_id)
        if release is None or prompt is None or question is None or spent >= self.per_day:
            return
        if self._budget and await self._budget.is_over_for(release.model):
            return
        here = self._embedded.reads_here(release.model)
        if not (question.public or here or self._private_rows):
            return  # a second model elsewhere has no need to read it
        # Staff may have settled the question meanwhile; its own row must not become an example.
        own = [row.group] if row else []
        examples = await self._recalling.examples(release, question, without=own)
        answer = await self._model.classify(release.model, prompt, question.text, examples, explain=False)
        shadow = Shadow(
            question_id=question_id,
            release_id=release.id,
            category=answer.category,
            confidence=answer.confidence,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            at=self._clock.now(),
        )
        async with self._store.transaction() as tx:
            await tx.shadows.put(shadow)
