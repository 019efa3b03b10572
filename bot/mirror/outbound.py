"""The copy of the record at the tracker, sent in order, at least once, and outside anybody's waiting time."""

import hashlib
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from bot.current_prompt import current_prompt
from bot.domain.dataset import Row
from bot.domain.errors import TracesDown, TrackerDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.forgetting import FORGET_TRACES_TOPIC, Traced
from bot.domain.mirror import Experiment, ExperimentRow, RowCopy, Trace, feedback_id, row_copy
from bot.domain.mirrored import (
    MIRROR_BARRIERS,
    MIRROR_DATASET,
    MIRROR_FILLED,
    MIRROR_FILLED_END,
    MIRROR_TOPIC,
    MIRROR_TROUBLE,
    MIRROR_WITHDRAWN,
    MIRROR_WITHDRAWN_TRACES,
    MirrorChange,
)
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import Release
from bot.domain.scorecard import Result, scorecard
from bot.domain.shadow import Shadow
from bot.domain.traces import TracedRelease, correction_feedback, result_trace, shadow_trace, verdict_trace
from bot.mirror.status import record_trouble
from bot.ports import Clock, Estimator, OutboxEntry, Store, Tracker, Transaction
from bot.questions.leasing import RetryDelay
from bot.releases.evaluating import Evaluating

log = logging.getLogger(__name__)

_T = TypeVar("_T")
AnyAnswer = Verdict | Shadow | Result

CHANGES_PER_PAGE = 500
"""Maximum number of changes, or of rows in a first copy, that are in memory at once."""
PSEUDONYMS, ALIVE = "mirror:pseudonyms", "mirror:alive"
"""Cursors: the key of the pseudonyms; the time up to which all changes were queued, in ISO 8601."""
VERSIONS = 100
"""Number of newest fine-tunes whose rows are tagged as versions in a new dataset."""
ALIVE_EVERY = timedelta(minutes=1)
"""Interval at which the cursor ALIVE is moved."""
RESUME_OVERLAP = timedelta(minutes=5)
"""Overlap that is queued again at a start, because a transaction may commit later than the time it carries."""
WAIT = RetryDelay(first=timedelta(seconds=2), longest=timedelta(minutes=5))
"""Backoff after failures of the tracker."""
FEEDBACK_TRIES = 30
"""Maximum number of tries for feedback whose trace the tracker does not find; a trace may appear with a delay."""


class MirrorOutbound:
    """The outgoing mirror: it sends what a mirrored store queued. One replica at a time calls `mirror`.

    Args:
        store: The record.
        tracker: Gets the copies.
        evaluating: The kept results of evaluations.
        estimator: The prices of answers.
        clock: The time.
        private_rows: Whether the tracker gets private rows, too. If not, copies that it has are withdrawn.
    """

    def __init__(
        self,
        store: Store,
        tracker: Tracker,
        evaluating: Evaluating,
        estimator: Estimator,
        clock: Clock,
        *,
        private_rows: bool = False,
    ) -> None:
        self._private_rows = private_rows
        self._store = store
        self._tracker = tracker
        self._evaluating = evaluating
        self._estimator = estimator
        self._clock = clock
        self._pause = Pause(clock)
        self._traces_pause = Pause(clock)
        self._rows_sent_to = 0
        """While traces are held back: the outbox entry up to which all rows have been sent."""
        self._alive_moved_at = clock.now()
        self._feedback_tries: dict[int, int] = {}
        self._releases: dict[str, tuple[Release, Prompt]] = {}

    async def check(self) -> None:
        """Check that the tracker is reachable and accepts our key.

        Raises:
            TrackerError: The tracker is down or refuses the key.
        """
        await self._tracker.check()

    async def resume(self) -> None:
        """Queue, at the start, the rows that changed while the mirror was off."""
        now = self._clock.now()
        async with self._store.transaction() as tx:
            since = await tx.cursors.get(ALIVE)
            if since:
                missed = [row.id async for row, _ in tx.rows.changed(datetime.fromisoformat(since) - RESUME_OVERLAP)]
                await tx.outbox.add_all(
                    MIRROR_TOPIC, [(row_id, {"change": MirrorChange.ROW.value}, now) for row_id in missed]
                )
            await tx.cursors.move(ALIVE, now.isoformat(), now)

    async def _move_alive(self) -> None:
        now = self._clock.now()
        if now - self._alive_moved_at >= ALIVE_EVERY:
            async with self._store.transaction() as tx:
                await tx.cursors.move(ALIVE, now.isoformat(), now)
            self._alive_moved_at = now

    async def evaluated(self, release: Release) -> None:
        """Queue a finished evaluation, to be sent as an experiment."""
        now = self._clock.now()
        payload = {"change": MirrorChange.EXPERIMENT.value, "at": now.isoformat()}
        async with self._store.transaction() as tx:
            await tx.outbox.add(MIRROR_TOPIC, release.id, payload, now)

    async def mirror(self) -> bool:
        """Send the next changes and return whether there may be more. Errors of the tracker are not raised.

        After a failure nothing is sent for 2 seconds to 5 minutes, or for longer if the tracker asks for it.
        """
        await self._move_alive()
        if self._pause.on:
            return False
        try:
            more = await self._round()
        except TrackerError as error:
            await self._back_off(error)
            return False
        self._pause.end()
        return more

    async def _back_off(self, error: TrackerError) -> None:
        await self._record(error, self._pause.begin(error))

    async def _record(self, error: TrackerError, wait: timedelta) -> None:
        async with self._store.transaction() as tx:
            news = await record_trouble(tx, error, self._clock.now())
        log.log(logging.WARNING if news else logging.DEBUG, "mirror: %s; next try in %s", error, wait)

    async def _round(self) -> bool:
        dataset = await self._dataset()
        await self._withdraw_private(dataset)
        filled = await self._fill(dataset)
        if self._traces_pause.on:
            await self._send_rows_alone(dataset, filled=filled)
            return not filled
        self._rows_sent_to = 0
        try:
            sent = await self._send_next(dataset, filled=filled)
        except TracesDown as error:
            await self._send_rows_alone(dataset, filled=filled)
            await self._tracker.check()  # if this fails too, not only traces are limited
            await self._record(error, self._traces_pause.begin(error))
            return not filled
        self._traces_pause.end()
        await self._clear_trouble(filled=filled)
        return sent or not filled

    async def _clear_trouble(self, *, filled: bool) -> None:
        async with self._store.transaction() as tx:
            trouble = await tx.cursors.get(MIRROR_TROUBLE)
        if trouble and (filled or trouble != TrackerReason.DATASET_GONE):
            await self._tracker.check()  # with nothing to send, this round may not have reached the tracker
            async with self._store.transaction() as tx:
                await tx.cursors.move(MIRROR_TROUBLE, "", self._clock.now())
            log.warning("mirror: the tracker accepts everything again")

    async def _dataset(self) -> str:
        async with self._store.transaction() as tx:
            known = await tx.cursors.get(MIRROR_DATASET)
        if known:
            return known
        dataset, now = await self._tracker.dataset(), self._clock.now()
        async with self._store.transaction() as tx:
            await tx.cursors.move(MIRROR_DATASET, dataset, now)
            # A new dataset lacks the versions too. Existing versions stay unchanged.
            for finetune in reversed(await tx.finetunes.newest(VERSIONS)):
                await tx.outbox.add(MIRROR_TOPIC, finetune.id, {"change": MirrorChange.VERSION.value}, now)
        return dataset

    async def _fill(self, dataset: str) -> bool:
        """Send the next page of the first copy; return whether the dataset now holds all rows under this prompt."""
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            known, _, after = (await tx.cursors.get(MIRROR_FILLED) or "").rpartition(" ")
            # A program that did not know of private rows filled it with all of them, and left no word about it.
            here = f"{dataset} {prompt.id} all" if self._private_rows else f"{dataset} {prompt.id}"
            after = after if known == here else ""
            rows = [] if after == MIRROR_FILLED_END else await tx.rows.page(after, CHANGES_PER_PAGE)
        if after == MIRROR_FILLED_END:
            return True
        await self._send_rows(dataset, prompt, {row.id: row for row in rows})
        async with self._store.transaction() as tx:
            await tx.cursors.move(
                MIRROR_FILLED, f"{here} {rows[-1].id if rows else MIRROR_FILLED_END}", self._clock.now()
            )
        return not rows

    async def _withdraw_private(self, dataset: str) -> None:
        """Remove what not everybody may read, for good, if the tracker may have got it once: traces, then rows."""
        await self._withdraw_private_traces()
        async with self._store.transaction() as tx:
            known, _, after = (await tx.cursors.get(MIRROR_WITHDRAWN) or "").rpartition(" ")
        after = after if known == dataset and not self._private_rows else ""
        while after != MIRROR_FILLED_END:
            async with self._store.transaction() as tx:
                rows = [] if self._private_rows else await tx.rows.page(after, CHANGES_PER_PAGE)
            if private := [row.id for row in rows if not row.public]:
                await self._tracker.forget(dataset, Traced(rows=tuple(private)))
            after = rows[-1].id if rows else MIRROR_FILLED_END
            position = "" if self._private_rows else f"{dataset} {after}"
            async with self._store.transaction() as tx:
                if await tx.cursors.get(MIRROR_WITHDRAWN) != position:
                    await tx.cursors.move(MIRROR_WITHDRAWN, position, self._clock.now())

    async def _withdraw_private_traces(self) -> None:
        async with self._store.transaction() as tx:
            known = await tx.cursors.get(MIRROR_WITHDRAWN_TRACES) or ""
        after = "" if self._private_rows else known
        while after != MIRROR_FILLED_END:
            async with self._store.transaction() as tx:
                last, traced = (
                    ("", Traced())
                    if self._private_rows
                    else await tx.forgetting.private_traces(after, CHANGES_PER_PAGE)
                )
            if last:
                await self._tracker.forget(None, traced)
            after = last or MIRROR_FILLED_END
            position = "" if self._private_rows else after
            if position != known:
                async with self._store.transaction() as tx:
                    await tx.cursors.move(MIRROR_WITHDRAWN_TRACES, position, self._clock.now())
                known = position

    def _may_send(self, asked: Question | Row) -> bool:
        unsent = isinstance(asked, Question) and asked.unsent
        return not unsent and (asked.public or self._private_rows)

    async def _send_rows(self, dataset: str, prompt: Prompt, rows: Mapping[str, Row | None]) -> None:
        """Send these rows as they are now; remove those that are withdrawn, private, or of an unknown category."""
        copies, gone = [], []
        for row_id, row in rows.items():
            category = prompt.category(row.category) if row and self._may_send(row) else None
            if row and category:
                copies.append(row_copy(row, prompt, category))
            else:
                gone.append(row_id)

        async def put(some: Sequence[RowCopy]) -> None:
            await self._tracker.put_rows(dataset, some)

        async with self._sending({copy.row_id: Traced(rows=(copy.row_id,)) for copy in copies}):
            await send_accepted(put, copies, lambda copy: f"row {copy.row_id}")
        if gone:
            await self._tracker.withdraw_rows(dataset, gone)

    @asynccontextmanager
    async def _sending(self, copies: Mapping[str, Traced], *, questions: bool = False) -> AsyncIterator[None]:
        """Queue the erasure of what the block sent of things that were forgotten meanwhile, even if the block fails.

        The forgetting itself may have erased the copies at the tracker before they arrived there.

        Args:
            copies: Id of a row or question → its copies.
            questions: Whether they are copies of questions. A row may stay when its question is forgotten.
        """
        try:
            yield
        finally:
            if copies:
                await self._forget_again(copies, questions=questions)

    async def _forget_again(self, copies: Mapping[str, Traced], *, questions: bool) -> None:
        async with self._store.transaction() as tx:
            standing = await tx.forgetting.standing(copies.keys())
            if questions:
                standing = {*await tx.questions.texts([*copies])}
            for gone in sorted(copies.keys() - standing):
                payload = {"traced": copies[gone].model_dump_json()}
                await tx.outbox.add(FORGET_TRACES_TOPIC, f"sent:{gone}", payload, self._clock.now())

    def _sending_traces(
        self, traces: Collection[Trace], feedback: Collection[str] = ()
    ) -> AbstractAsyncContextManager[None]:
        """Do what `_sending` does for traces, and for feedback on them."""
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for trace in traces:
            ids[trace.about].append(str(trace.id))
        copies = {about: Traced(traces=tuple(found), feedback=tuple(feedback)) for about, found in ids.items()}
        return self._sending(copies, questions=True)

    # --- queued changes

    async def _send_next(self, dataset: str, *, filled: bool) -> bool:
        """Send the next changes and return whether any was sent. A barrier waits until the dataset is filled."""
        async with self._store.transaction() as tx:
            entries = await tx.outbox.page(MIRROR_TOPIC, 0, CHANGES_PER_PAGE + len(self._feedback_tries))
        first = next((n for n, entry in enumerate(entries) if change_of(entry) in MIRROR_BARRIERS), len(entries))
        if first == 0 and entries:
            if filled:
                await self._send_barrier(dataset, entries[0])
            return filled
        return await self._send_changes(dataset, entries[:first])

    async def _send_rows_alone(self, dataset: str, *, filled: bool) -> None:
        """Send the rows and versions of all queued changes, and leave the rest where it is: it needs traces.

        A version waits until the dataset is filled, and the rows after it wait too.
        """
        while True:
            async with self._store.transaction() as tx:
                entries = await tx.outbox.page(MIRROR_TOPIC, self._rows_sent_to, CHANGES_PER_PAGE)
                prompt = await current_prompt(tx)
            if not entries:
                return
            version = next((n for n, one in enumerate(entries) if change_of(one) is MirrorChange.VERSION), len(entries))
            changed = [one for one in entries[:version] if change_of(one) is MirrorChange.ROW]
            async with self._store.transaction() as tx:
                rows = await tx.rows.some({entry.key for entry in changed})
            await self._send_rows(dataset, prompt, {entry.key: rows.get(entry.key) for entry in changed})
            await self._done(changed)
            if version < len(entries):
                if not filled:
                    return
                await self._send_barrier(dataset, entries[version])
            self._rows_sent_to = entries[min(version, len(entries) - 1)].id

    async def _send_changes(self, dataset: str, entries: Sequence[OutboxEntry]) -> bool:
        by_change = {change: [entry for entry in entries if change_of(entry) is change] for change in MirrorChange}
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            verdicts = await self._verdict_traces(
                tx, [entry.payload["verdict"] for entry in by_change[MirrorChange.VERDICT]]
            )
            shadows = [await self._shadow_trace(tx, entry) for entry in by_change[MirrorChange.SHADOW]]
            rows = await tx.rows.some({entry.key for entry in by_change[MirrorChange.ROW]})
        traces = [*verdicts.values(), *(shadow for shadow in shadows if shadow)]
        async with self._sending_traces(traces):
            await send_accepted(self._tracker.trace, traces, lambda trace: f"trace {trace.id}")
        await self._done(by_change[MirrorChange.VERDICT] + by_change[MirrorChange.SHADOW])
        await self._send_rows(
            dataset, prompt, {entry.key: rows.get(entry.key) for entry in by_change[MirrorChange.ROW]}
        )
        await self._done(by_change[MirrorChange.ROW])
        postponed = 0
        for entry in by_change[MirrorChange.CORRECTION]:
            if await self._send_feedback(entry):
                await self._done([entry])
            else:
                postponed += 1
        return len(entries) > postponed

    async def _done(self, entries: Iterable[OutboxEntry]) -> None:
        if done := [*entries]:
            async with self._store.transaction() as tx:
                await tx.outbox.remove(MIRROR_TOPIC, done)

    async def _verdict_traces(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Trace]:
        answered = await tx.questions.answered(ids)
        return {
            verdict.id: verdict_trace(verdict, question, await self._traced_release(tx, verdict.release_id, verdict))
            for question, verdict in answered.values()
            if self._may_send(question)
        }

    async def _shadow_trace(self, tx: Transaction, entry: OutboxEntry) -> Trace | None:
        shadow = await tx.shadows.get(entry.key, entry.payload["release"])
        question = await tx.questions.get(entry.key)
        if shadow is None or question is None or not self._may_send(question):
            return None
        return shadow_trace(shadow, question, await self._traced_release(tx, shadow.release_id, shadow))

    async def _traced_release(self, tx: Transaction, release_id: str, answer: AnyAnswer) -> TracedRelease:
        if release_id not in self._releases:
            release = await tx.releases.get(release_id)
            prompt = await tx.prompts.get(release.prompt_id) if release else None
            if release is None or prompt is None:
                raise LookupError(f"release {release_id} has answered but does not exist")
            self._releases[release_id] = release, prompt
        release, prompt = self._releases[release_id]
        usd = self._estimator.cost(release.model, answer.tokens_in, answer.tokens_out)
        return TracedRelease(release=release, prompt=prompt, usd=usd)

    async def _send_feedback(self, entry: OutboxEntry) -> bool:
        """Attach a correction to its trace; return False if it must be tried again."""
        async with self._store.transaction() as tx:
            corrections = await tx.corrections.of(entry.key)
            correction = next((one for one in corrections if str(one.seq) == entry.payload["seq"]), None)
            if correction is None:
                return True
            answered = await tx.questions.answered([correction.verdict_id])
            if not all(self._may_send(question) for question, _ in answered.values()):
                return True
            traces = await self._verdict_traces(tx, [correction.verdict_id])
            _, verdict = answered[correction.verdict_id]
            traced = await self._traced_release(tx, verdict.release_id, verdict)
            category = traced.prompt.category(correction.category) or (await current_prompt(tx)).category(
                correction.category
            )
            key = await self._pseudonym_key(tx)
        name = category.name if category else correction.category
        try:
            async with self._sending_traces(traces.values(), [str(feedback_id(entry.key, correction.seq))]):
                await self._tracker.say(correction_feedback(correction, verdict, name, key))
        except TrackerRefused as error:
            if error.reason is TrackerReason.NOT_TAKEN:
                log.warning("mirror: the tracker rejects correction %s of question %s", correction.seq, entry.key)
            elif error.reason is TrackerReason.UNKNOWN_TRACE:
                return await self._resend_trace(entry, list(traces.values()))
            else:
                raise
        self._feedback_tries.pop(entry.id, None)
        return True

    async def _resend_trace(self, entry: OutboxEntry, traces: Sequence[Trace]) -> bool:
        """Send the trace again, because it is older than the mirror or delayed; return True after the last try."""
        self._feedback_tries[entry.id] = self._feedback_tries.get(entry.id, 0) + 1
        if self._feedback_tries[entry.id] < FEEDBACK_TRIES:
            try:
                async with self._sending_traces(traces):
                    await self._tracker.trace(traces)
            except TracesDown:
                self._feedback_tries[entry.id] -= 1  # the limit says nothing about this trace
                raise
            return False
        log.warning(
            "mirror: a correction of question %s is dropped, because the tracker does not find its trace", entry.key
        )
        del self._feedback_tries[entry.id]
        return True

    async def _pseudonym_key(self, tx: Transaction) -> bytes:
        """Return the key for people's pseudonyms at the tracker. It is created once and never leaves the record."""
        key = await tx.cursors.get(PSEUDONYMS)
        if key is None:
            key = secrets.token_hex(32)
            await tx.cursors.move(PSEUDONYMS, key, self._clock.now())
        return bytes.fromhex(key)

    # --- barriers: changes that refer to everything before them

    async def _send_barrier(self, dataset: str, entry: OutboxEntry) -> None:
        if change_of(entry) is MirrorChange.VERSION:
            await self._tracker.freeze(dataset, entry.key, await self._unchanged_rows(entry.key))
        else:
            await self._send_experiment(dataset, entry)
        await self._done([entry])

    async def _unchanged_rows(self, finetune_id: str) -> list[str]:
        """Return the trained rows that have not changed since; a changed row would misstate the training data."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(finetune_id)
            ids = sorted(await tx.finetunes.trained_rows(finetune_id)) if finetune else []
        unchanged = []
        for start in range(0, len(ids), CHANGES_PER_PAGE):
            async with self._store.transaction() as tx:
                rows = await tx.rows.some(ids[start : start + CHANGES_PER_PAGE])
            unchanged += [row.id for row in rows.values() if finetune and row.settled_at <= finetune.created_at]
        return unchanged

    async def _send_experiment(self, dataset: str, entry: OutboxEntry) -> None:
        """Send a release's answers to the held-out rows, on a version of the dataset that holds these rows."""
        async with self._store.transaction() as tx:
            release = await tx.releases.get(entry.key)
        kept, _ = await self._evaluating.kept(release) if release else ([], 0)
        judged = [one for one in kept if self._may_send(one.row)]
        if release is None or not judged:
            return
        ids = sorted(one.row.id for one in judged)
        version = "held-out-" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]
        await self._tracker.freeze(dataset, version, ids)
        at = datetime.fromisoformat(entry.payload["at"])
        experiment = Experiment(
            name=f"{release.id} {at:%Y-%m-%d %H:%M:%S}",
            dataset=dataset,
            version=version,
            release_id=release.id,
            prompt_id=release.prompt_id,
            model=release.model,
            rows=len(judged),
            started_at=at,
        )
        async with self._store.transaction() as tx:
            rows = [
                ExperimentRow(
                    trace=result_trace(one, await self._traced_release(tx, release.id, one.result), experiment.name),
                    row_id=one.row.id,
                    right=one.right,
                )
                for one in judged
            ]
        async with self._sending({one.row_id: Traced(rows=(one.row_id,)) for one in rows}):
            for start in range(0, len(rows), CHANGES_PER_PAGE):
                await self._tracker.experiment(experiment, rows[start : start + CHANGES_PER_PAGE])
        card = scorecard(release.id, judged)
        figures = {"accuracy": card.accuracy} | ({} if card.ece is None else {"ece": card.ece})
        await self._tracker.conclude(experiment, figures)


class Pause:
    """The backoff after failures: nothing is tried for a while, which doubles each time (WAIT)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: datetime | None = None
        self._failures = 0

    @property
    def on(self) -> bool:
        return self._until is not None and self._clock.now() < self._until

    def begin(self, error: TrackerError) -> timedelta:
        """Begin the next pause and return its length, which is longer if the tracker asks for it."""
        self._failures += 1
        wait = WAIT.after(self._failures)
        if isinstance(error, TrackerDown) and error.after:
            wait = max(wait, error.after)
        self._until = self._clock.now() + wait
        return wait

    def end(self) -> None:
        self._failures, self._until = 0, None


def change_of(entry: OutboxEntry) -> MirrorChange:
    return MirrorChange(entry.payload["change"])


async def send_accepted(
    send: Callable[[Sequence[_T]], Awaitable[None]], items: Sequence[_T], name_of: Callable[[_T], str]
) -> None:
    """Send all items. An item that the tracker rejects is found by bisection, logged and left out.

    Raises:
        TrackerError: The tracker failed for another reason.
    """
    if not items:
        return
    try:
        await send(items)
    except TrackerRefused as error:
        if error.reason is not TrackerReason.NOT_TAKEN:
            raise
        if len(items) == 1:
            log.warning("mirror: the tracker rejects %s", name_of(items[0]))
            return
        half = len(items) // 2
        await send_accepted(send, items[:half], name_of)
        await send_accepted(send, items[half:], name_of)
