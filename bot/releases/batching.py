"""Evaluations that a provider answers as a batch, followed across restarts; the answers are stored with all others."""

import logging
import uuid
from datetime import timedelta

from bot.domain.batch import Batch, BatchState
from bot.domain.dataset import text_key
from bot.domain.errors import ModelDown, ModelError, ModelRefused, OutcomeUnknown, Reason, Refused, Trouble
from bot.domain.forgetting import BATCH_FILES_TOPIC
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import Result
from bot.ports import Answer, Batcher, Clock, Store
from bot.releases.evaluating import Evaluating

log = logging.getLogger(__name__)

BATCH_UNANSWERED = timedelta(minutes=20)
"""Age at which a creation without an answer is searched for at the provider. An upload may take ten minutes."""
BATCH_SEARCHES = 5
"""Number of searches, `BATCH_UNANSWERED` apart, after which the batch counts as never created."""
ASKED_DIRECTLY = 5
"""Maximum number of questions that are asked one by one before a batch, until a content filter lets one pass."""
BATCH_PATIENCE = timedelta(days=2)
"""Age at which a batch fails if the provider still refuses to report its state. OpenAI ends each within one day."""
FILES_READ = frozenset({BatchState.ANSWERED, BatchState.FAILED})
"""States from which nobody reads the batch's files any more."""
POST_LEASE = timedelta(minutes=30)
"""Lease of the replica that fetched the answers and must post the figures; afterwards another replica posts them."""


class Batching:
    """Evaluations by batch. Each release has at most one open batch."""

    def __init__(self, store: Store, evaluating: Evaluating, batcher: Batcher, clock: Clock) -> None:
        self._store = store
        self._evaluating = evaluating
        self._batcher = batcher
        self._clock = clock

    async def start(self, release: Release, by: str, language: str, channel: str) -> Batch | None:
        """Submit the questions that the release has not answered yet; return None if there are none.

        The first question is asked directly, because its answer shows which form of request the model understands.
        If a content filter stops the question, the next one is asked.

        Raises:
            Refused: NO_BATCHES, BATCH_TOO_LARGE, BATCH_RUNNING, FORGOTTEN_MEANWHILE.
            ModelDown, ModelRefused: the provider did not accept the batch.
        """
        await self._batcher.check(release.model)
        await self._refuse_second(release)
        for row in (await self._evaluating.unanswered(release))[:ASKED_DIRECTLY]:
            (first,) = await self._evaluating.judge(release, [row])
            if not first.result.filtered:
                break
        prompt, asked = await self._evaluating.requests(release)
        if not asked:
            return None
        now = self._clock.now()
        batch = Batch(
            id=f"eb-{uuid.uuid4().hex[:8]}",
            release_id=release.id,
            state=BatchState.CREATING,
            requested_by=by,
            language=language,
            channel=channel,
            created_at=now,
            updated_at=now,
            revision=self._evaluating.revision(release),
        )
        async with self._store.transaction() as tx:
            await tx.batches.add(batch)
        try:
            batch_id = await self._batcher.submit(release.model, prompt, asked, batch.id)
        except OutcomeUnknown as error:
            log.warning("%s: the creation got no answer, so the batch will be searched for: %s", batch.id, error)
            return batch
        except (Refused, ModelError):
            await self.save(batch, state=BatchState.FAILED)
            raise
        return await self.save(batch, state=BatchState.RUNNING, batch_id=batch_id) or batch

    async def follow(self) -> list[tuple[Batch, str | None]]:
        """Advance every open batch by one step. Any number of replicas may call this repeatedly.

        Returns:
            The batches to report to people, each with the reason of its failure, or None if its figures can be posted.
        """
        async with self._store.transaction() as tx:
            batches = await tx.batches.open()
        reports: list[tuple[Batch, str | None]] = []
        for batch in batches:
            try:
                report = await self._step(batch)
            except ModelDown as error:
                log.warning("%s: the provider does not answer; retry soon: %s", batch.id, error)
            except ModelError as error:
                log.warning("%s: the provider refused: %s", batch.id, error)
                if self._clock.now() - batch.created_at > BATCH_PATIENCE and (ended := await self._fail(batch)):
                    reports.append((ended, str(error)))
            else:
                reports += [report] if report else []
        return reports

    async def save(self, was: Batch, **changes: object) -> Batch | None:
        """Store the changes and return the new batch; return None if another replica was first."""
        batch = was.model_copy(update={**changes, "updated_at": self._clock.now()})
        async with self._store.transaction() as tx:
            if not await tx.batches.advance(batch, was):
                return None
            release = await tx.releases.get(batch.release_id)
            if batch.batch_id and release and "state" in changes and batch.state in FILES_READ:
                # Delete the batch's files at the provider, whether it answered the questions or not.
                payload = {"model": str(release.model), "batch": batch.batch_id}
                await tx.outbox.add(BATCH_FILES_TOPIC, f"batch:{batch.id}", payload, batch.updated_at)
            return batch

    async def _fail(self, batch: Batch) -> Batch | None:
        return await self.save(batch, state=BatchState.FAILED)

    async def _step(self, batch: Batch) -> tuple[Batch, str | None] | None:
        age = self._clock.now() - batch.updated_at
        if batch.state is BatchState.RUNNING:
            return await self._fetch_answers(batch)
        if batch.state is BatchState.CREATING and age > BATCH_UNANSWERED:
            return await self._search(batch)
        if batch.state is BatchState.ANSWERED and age > POST_LEASE:  # the replica that should have posted it is gone
            claimed = await self.save(batch)
            return (claimed, None) if claimed else None
        return None

    async def _search(self, batch: Batch) -> tuple[Batch, str | None] | None:
        release, _ = await self._release(batch)
        found = await self._batcher.find(release.model, batch.id)
        if found:
            await self.save(batch, state=BatchState.RUNNING, batch_id=found)
        elif batch.searched + 1 < BATCH_SEARCHES:
            await self.save(batch, searched=batch.searched + 1)
        elif ended := await self._fail(batch):
            return ended, "the provider has no batch of this name"
        return None

    async def _fetch_answers(self, batch: Batch) -> tuple[Batch, str | None] | None:
        release, prompt = await self._release(batch)
        job = await self._batcher.state(release.model, batch.batch_id or "")
        if not job.ended:
            return None
        answers = await self._batcher.answers(release.model, prompt, job.id)
        now = self._clock.now()
        results = [
            Result(
                release_id=release.id,
                text_key=key,
                latency_ms=None,
                at=now,
                **answer.model_dump(exclude={"reason"}) | {"revision": batch.revision},
            )
            for key, answer in answers.items()
            if isinstance(answer, Answer)
        ]
        results += [
            self._evaluating.filtered(release, key, batch.revision)
            for key, error in answers.items()
            if isinstance(error, ModelError) and error.trouble is Trouble.FILTERED
        ]
        if not results:  # asking everything again directly would cost what the admin wanted to save
            why = job.error or next((str(error) for error in answers.values()), "the batch ended without an answer")
            ended = await self._fail(batch)
            return (ended, why) if ended else None
        # Rows that were forgotten while the batch ran are among them no more.
        asked = {text_key(row.text): row for row in await self._evaluating.unanswered(release)}
        await self._evaluating.keep([(asked[one.text_key], one) for one in results if one.text_key in asked])
        answered = await self.save(batch, state=BatchState.ANSWERED)
        return (answered, None) if answered else None

    async def _release(self, batch: Batch) -> tuple[Release, Prompt]:
        async with self._store.transaction() as tx:
            release = await tx.releases.get(batch.release_id)
            prompt = await tx.prompts.get(release.prompt_id) if release else None
        if release is None or prompt is None:
            raise ModelRefused(f"batch {batch.id} belongs to an unknown release")
        return release, prompt

    async def _refuse_second(self, release: Release) -> None:
        async with self._store.transaction() as tx:
            if any(batch.release_id == release.id for batch in await tx.batches.open()):
                raise Refused(Reason.BATCH_RUNNING, release=release.name)
