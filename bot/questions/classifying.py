"""What a release says of a question: the serving one, or the fallback one while there is no answer from it."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

from bot.domain.errors import ModelError
from bot.domain.fallback import Fallback
from bot.domain.mirror import trace_id
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import ModelName, Release
from bot.ports import Clock, Meter, Model, Neighbours, Store, Transaction, Unmetered
from bot.questions.recalling import examples_for

log = logging.getLogger(__name__)

TROUBLE_TOPIC = "trouble"
"""Topic of the outbox: what is wrong with a provider, for those who run the bot."""
TOLD_EVERY = timedelta(hours=1)
"""For each provider and kind of trouble."""
RECHECK_TOPIC = "second_look"
"""Topic of the outbox: a provisional verdict, to be replaced by the serving release's own (rechecking.py)."""
RECHECK_AFTER = timedelta(seconds=30)
"""A provider that just failed three times is not asked again at once."""


class ServingRelease(NamedTuple):
    """The serving release and its prompt."""

    release: Release
    prompt: Prompt


class Classifying:
    """Asks releases. `fallback`: who stands in for the serving one."""

    def __init__(
        self,
        store: Store,
        model: Model,
        neighbours: Neighbours,
        clock: Clock,
        fallback: Fallback | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._neighbours = neighbours
        self._clock = clock
        self._fallback = fallback or Fallback()
        self._meter = meter or Unmetered()

    async def serving_verdict(self, question: Question) -> Verdict:
        """What the serving release says, asked outside of any transaction. Raises ModelError."""
        async with self._store.snapshot() as tx:
            serving = await self.serving(tx)
        return await self._ask(*serving, question)

    async def verdict(
        self, question: Question, serving: ServingRelease, hold: Callable[[Transaction], Awaitable[None]]
    ) -> Verdict:
        """What the serving release says; where it gives no answer, provisionally what the fallback release says.

        Those who run the bot are told of the trouble, once an hour at most.

        Args:
            question: with the text that is asked.
            serving: from `serving`.
            hold: called in a transaction before the fallback release is asked, to go on holding what is worked on.

        Raises:
            ModelError: of the serving release, where no other one answered.
        """
        release, prompt = serving
        with self._meter.span("classify", question=question.id, release=release.id):
            try:
                return await self._ask(release, prompt, question)
            except ModelError as error:
                return await self._ask_fallback(question, serving, error, hold)

    async def _ask_fallback(
        self,
        question: Question,
        serving: ServingRelease,
        failure: ModelError,
        hold: Callable[[Transaction], Awaitable[None]],
    ) -> Verdict:
        release, prompt = serving
        log.warning("question %s: %s gave no answer (%s)", question.id, release.model, failure.trouble.value)
        async with self._store.transaction() as tx:
            await hold(tx)
            fallback = self._fallback.among(await tx.releases.all(), release)
        verdict = await self._provisional(fallback, prompt, question) if fallback else None
        async with self._store.transaction() as tx:
            await self._tell(tx, release.model, failure, fallback.model if fallback and verdict else None)
        if verdict is None:
            raise failure
        return verdict

    async def keep(self, tx: Transaction, verdict: Verdict) -> None:
        """Write a verdict down; a provisional one is looked at again."""
        await tx.questions.add_verdict(verdict)
        if verdict.provisional:
            now = self._clock.now()
            await tx.outbox.add(RECHECK_TOPIC, verdict.question_id, {}, now, due=now + RECHECK_AFTER)

    async def serving(self, tx: Transaction) -> ServingRelease:
        """What serves now."""
        release = await tx.releases.serving()
        prompt = await tx.prompts.get(release.prompt_id) if release else None
        if release is None or prompt is None:
            raise RuntimeError("no release serves")
        return ServingRelease(release, prompt)

    async def _provisional(self, fallback: Release, prompt: Prompt, question: Question) -> Verdict | None:
        try:
            verdict = await self._ask(fallback, prompt, question)
        except ModelError as error:
            log.warning(
                "question %s: nor did the fallback release %s (%s)", question.id, fallback.model, error.trouble.value
            )
            return None
        return verdict.model_copy(update={"provisional": True})

    async def _ask(self, release: Release, prompt: Prompt, question: Question) -> Verdict:
        started = time.perf_counter()
        examples = await examples_for(self._neighbours, release, question.text)
        answer = await self._model.classify(release.model, prompt, question.text, examples)
        return Verdict(
            id=trace_id(self._clock.now(), uuid.uuid4().hex).hex,
            question_id=question.id,
            release_id=release.id,
            latency_ms=round((time.perf_counter() - started) * 1000),
            at=self._clock.now(),
            **answer.model_dump(),
        )

    async def _tell(self, tx: Transaction, model: ModelName, failure: ModelError, fallback: ModelName | None) -> None:
        """Once an hour: the lease is never given back, so it marks that it was told."""
        now, key = self._clock.now(), f"{model.provider}:{failure.trouble.value}"
        if await tx.leases.acquire(f"{TROUBLE_TOPIC}:{key}", uuid.uuid4().hex, now, TOLD_EVERY):
            payload = {"model": str(model), "trouble": failure.trouble.value}
            await tx.outbox.add(TROUBLE_TOPIC, key, payload | ({"fallback": str(fallback)} if fallback else {}), now)
