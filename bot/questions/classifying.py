"""Verdicts on questions: from the serving release, or from the fallback release while the serving one fails."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from bot.domain.budget import BUDGET_TOPIC, BudgetNews, Spend, next_month
from bot.domain.errors import ModelError, Trouble
from bot.domain.fallback import FALLBACK_RECALL, WITHOUT_ENCODER, Fallback
from bot.domain.mirror import trace_id
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import SYSTEM, ModelName, Release, ReleaseState
from bot.domain.similar import Example
from bot.domain.trouble import CUT_PROMPT, TroubleReport
from bot.ports import Answer, Budget, Clock, Meter, Model, Neighbours, Store, Transaction, Unmetered
from bot.questions.memory import Memory
from bot.questions.recalling import Recalling

log = logging.getLogger(__name__)

TROUBLE_TOPIC = "trouble"
"""Outbox topic: a provider's trouble, for the people who run the bot."""
REPORT_INTERVAL = timedelta(hours=1)
"""Shortest interval between two messages about the same trouble of the same provider."""
RECHECK_TOPIC = "second_look"
"""Outbox topic: a provisional verdict, to be replaced by the serving release's own (rechecking.py).

The value is stored in databases, so it cannot be renamed.
"""
RECHECK_AFTER = timedelta(seconds=30)
"""Delay before the first recheck: a provider that just failed three times is not asked again at once."""


class ServingRelease(NamedTuple):
    """The serving release and its prompt."""

    release: Release
    prompt: Prompt


class AskedReleases(NamedTuple):
    """The serving release, and whether a shadow gets each question, too."""

    serving: ServingRelease
    shadowed: bool


class Classifying:
    """Verdicts of the serving release, or of the fallback release if the serving one fails."""

    def __init__(  # noqa: PLR0913, PLR0917 - one port each
        self,
        store: Store,
        model: Model,
        neighbours: Neighbours,
        clock: Clock,
        fallback: Fallback | None = None,
        meter: Meter | None = None,
        budget: Budget | None = None,
        *,
        guarded: bool = True,
    ) -> None:
        self._store = store
        self._model = model
        self._clock = clock
        self._fallback = fallback or Fallback()
        self._meter = meter or Unmetered()
        self._budget = budget
        self._cut: dict[ModelName, bool] = {}
        """Model → whether its provider cut the prompt of its newest answer."""
        self.memory = Memory(neighbours, clock, guarded=guarded)
        self._recalling = Recalling(store, neighbours, guarded=guarded)

    async def serving_verdict(self, question: Question) -> Verdict:
        """Ask the serving release, outside any transaction.

        Raises:
            ModelError: It gave no usable answer.
        """
        async with self._store.snapshot() as tx:
            serving = await self.serving(tx)
        return await self._ask(*serving, question)

    async def verdict(
        self, question: Question, serving: ServingRelease, hold: Callable[[Transaction], Awaitable[None]]
    ) -> Verdict:
        """Ask the serving release; if it fails, return a provisional verdict of the fallback release.

        The people who run the bot are told about the trouble, once an hour at most.

        Args:
            question: The question, with the text to ask.
            serving: The result of `serving`.
            hold: Renews the caller's lease; called in a transaction before the fallback release is asked.

        Raises:
            ModelError: The serving release's error, if the fallback release did not answer either.
        """
        release, prompt = serving
        spend = await self.over_budget(release)
        free = await self._ask_free(question, serving, spend, hold) if spend else None
        if free:
            return free
        with self._meter.span("classify", question=question.id, release=release.id):
            try:
                return await self._ask(release, prompt, question)
            except ModelError as error:
                return await self._ask_fallback(question, serving, error, hold)

    async def over_budget(self, release: Release) -> Spend | None:
        """Return the month's spend if the budget is used up and this release costs more; else None."""
        return await self._budget.is_over_for(release.model) if self._budget else None

    async def _ask_free(
        self,
        question: Question,
        serving: ServingRelease,
        spend: Spend,
        hold: Callable[[Transaction], Awaitable[None]],
    ) -> Verdict | None:
        """Return the embedded model's provisional answer at the end of the budget, and tell the admins once.

        Returns:
            None if it gave none, or if there is to be no fallback. A question is never left without an answer.
        """
        release, prompt = serving
        rule = self._fallback.free
        async with self._store.transaction() as tx:
            await hold(tx)
            await self._tell_budget_end(tx, spend, rule)
            found = rule.on_prompt(await tx.releases.all(), release) if rule else None
        if rule and rule.model and found is None:
            found = await self._added(rule.model, release, hold)
        with suppress(ModelError):
            return await self._provisional_verdict(found, prompt, question) if found else None
        with suppress(ModelError):
            return await self._provisional_verdict(await self._added(WITHOUT_ENCODER, release, hold), prompt, question)
        return None

    async def _tell_budget_end(self, tx: Transaction, spend: Spend, rule: Fallback | None) -> None:
        now, until = self._clock.now(), next_month(spend.since)
        budget = spend.budget or 0.0
        name = f"{BUDGET_TOPIC}:{spend.since:%Y-%m}:{budget:.2f}"  # a raised budget is news again
        if await tx.leases.acquire(name, uuid.uuid4().hex, now, until - now + REPORT_INTERVAL):
            news = BudgetNews(budget=budget, until=until, fallback=str(rule.model) if rule else None)
            await tx.outbox.add(BUDGET_TOPIC, name, {"news": news.model_dump_json()}, now)

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
        verdict, encoder_fails = None, failure.encoder is not None
        if fallback:
            try:
                verdict = await self._provisional_verdict(fallback, prompt, question)
            except ModelError as error:
                encoder_fails = encoder_fails or error.encoder is not None
        if verdict is None and encoder_fails and self._fallback.model:
            fallback = await self._added(WITHOUT_ENCODER, release, hold)
            with suppress(ModelError):
                verdict = await self._provisional_verdict(fallback, prompt, question)
        async with self._store.transaction() as tx:
            report = TroubleReport(
                model=failure.model or str(release.model),
                trouble=failure.trouble,
                encoder=failure.encoder,
                fallback=fallback.name if fallback and verdict else None,
                others=any(other.model != release.model for other in await tx.releases.all()),
            )
            await self._report(tx, report, question)
        if verdict is None:
            raise failure
        return verdict

    async def _added(
        self, model: ModelName, serving: Release, hold: Callable[[Transaction], Awaitable[None]]
    ) -> Release:
        """Return the fallback release of this model on the same prompt; add it if it is missing."""
        async with self._store.transaction() as tx:
            await hold(tx)
            found = Fallback(model=model).on_prompt(await tx.releases.all(), serving)
            if found is None:
                found = Release(
                    id=uuid.uuid4().hex[:8],
                    model=model,
                    prompt_id=serving.prompt_id,
                    recall=FALLBACK_RECALL,
                    state=ReleaseState.CANDIDATE,
                    created_at=self._clock.now(),
                )
                found = await tx.releases.add(found, SYSTEM, "fallback")
            return found

    async def keep(self, tx: Transaction, verdict: Verdict) -> None:
        """Store a verdict. A provisional one is queued for a recheck."""
        await tx.questions.add_verdict(verdict)
        if verdict.provisional:
            now = self._clock.now()
            await tx.outbox.add(RECHECK_TOPIC, verdict.question_id, {}, now, due=now + RECHECK_AFTER)

    async def serving(self, tx: Transaction) -> ServingRelease:
        """Return the serving release and its prompt.

        Raises:
            RuntimeError: No release serves yet.
        """
        return (await self.asked(tx)).serving

    async def asked(self, tx: Transaction) -> AskedReleases:
        """Return the serving release with its prompt, and whether there is a shadow, in one statement.

        Raises:
            RuntimeError: No release serves yet.
        """
        # Read each time: owners, guides and names change under the same id.
        found = await tx.releases.asked()
        if ReleaseState.SERVING not in found:
            raise RuntimeError("no release serves")
        return AskedReleases(ServingRelease(*found[ReleaseState.SERVING]), shadowed=ReleaseState.SHADOW in found)

    async def _provisional_verdict(self, fallback: Release, prompt: Prompt, question: Question) -> Verdict:
        try:
            verdict = await self._ask(fallback, prompt, question)
        except ModelError as error:
            log.warning(
                "question %s: the fallback %s gave no answer either (%s)",
                question.id,
                fallback.model,
                error.trouble.value,
            )
            raise
        return verdict.model_copy(update={"provisional": True})

    async def _ask(self, release: Release, prompt: Prompt, question: Question) -> Verdict:
        started = time.perf_counter()
        examples = await self._recalling.examples(release, question)
        answer = await self._model.classify(release.model, prompt, question.text, examples)
        await self._watch_prompt(release.model, answer, question)
        if answer.revision is None:  # the embedded model makes its reasons of the question's own words
            reason = await self._recalling.own_reason(answer.reason, question, prompt, answer.category, examples)
            answer = answer.model_copy(update={"reason": reason})
        return Verdict(
            id=trace_id(self._clock.now(), uuid.uuid4().hex).hex,
            question_id=question.id,
            release_id=release.id,
            latency_ms=round((time.perf_counter() - started) * 1000),
            at=self._clock.now(),
            **answer.model_dump() | {"others": _likely(answer, examples)},
        )

    async def _watch_prompt(self, model: ModelName, answer: Answer, question: Question) -> None:
        """Record whether the provider cuts the prompt, and report it when it begins to.

        The database is asked only when this process sees a change.
        """
        cut, billed, counted = answer.prompt_cut, answer.tokens_in, answer.tokens_counted or 0
        if cut is None or self._cut.get(model) is cut:
            return
        async with self._store.transaction() as tx:
            name, now = f"{CUT_PROMPT}{model}", self._clock.now()
            known = await tx.cursors.get(name)
            if cut:
                await tx.cursors.move(name, f"{billed}/{counted}", now)
            elif known:
                await tx.cursors.move(name, "", now)
            if cut and not known:
                report = TroubleReport(model=str(model), trouble=Trouble.CUT, counted=counted, billed=billed)
                await self._report(tx, report, question)
        self._cut[model] = cut

    async def _report(self, tx: Transaction, report: TroubleReport, question: Question) -> None:
        """Queue a message about a trouble, at most one per `REPORT_INTERVAL`: this lease is never released early.

        A filtered question has a message of its own, because somebody must look at it.
        """
        now, key = self._clock.now(), f"{report.asked.provider}:{report.trouble.value}"
        if report.trouble is Trouble.FILTERED:
            report, key = report.about(question), f"{key}:{question.id}"
        if await tx.leases.acquire(f"{TROUBLE_TOPIC}:{key}", uuid.uuid4().hex, now, REPORT_INTERVAL):
            await tx.outbox.add(TROUBLE_TOPIC, key, report.payload(), now)


def _likely(answer: Answer, examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the other categories: as the model ranks them, then those of the examples it was shown."""
    shown = [example.category for example in examples if example.category != answer.category]
    return tuple(dict.fromkeys((*answer.others, *shown)))
