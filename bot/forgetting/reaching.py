"""The act that carries out requests to forget: the database first, then every copy, then the proof."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from bot.domain.audit import AuditAct
from bot.domain.disk import log_failure
from bot.domain.errors import ModelDown, ModelError, TrackerDown, TrackerError, TrackerRefused, Undelivered
from bot.domain.forgetting import (
    BATCH_FILES_TOPIC,
    FORGET_CARD_TOPIC,
    FORGET_FILE_TOPIC,
    FORGET_MODEL_TOPIC,
    FORGET_OLDER_TOPIC,
    FORGET_POST_TOPIC,
    FORGET_REPORT_TOPIC,
    FORGET_TOPIC,
    FORGET_TRACES_TOPIC,
    OF_PEOPLE,
    OLDER_FILES_CURSOR,
    OUTSIDE_TOPICS,
    Erased,
    ForgetKind,
    ForgetRequest,
    ForgetState,
    Scope,
    Shown,
    Traced,
    TrainedFile,
    added,
)
from bot.domain.mirrored import MIRROR_DATASET, MIRROR_TOPIC, MirrorChange
from bot.domain.release import SYSTEM, ModelName
from bot.ports import (
    Batcher,
    Clock,
    Embedded,
    NothingEmbedded,
    OutboxItem,
    Remover,
    Store,
    Tracker,
    Trainer,
    Transaction,
)
from bot.questions.leasing import LeasedOutbox, RetryDelay

log = logging.getLogger(__name__)

ERASED_AT_ONCE = 50
"""Most questions or rows that one transaction erases: other writers wait for it."""
REACH_LEASE = timedelta(seconds=120)
FIRST_REACH_WAIT, LONGEST_REACH_WAIT = timedelta(seconds=2), timedelta(minutes=10)
ANSWER_WAIT = timedelta(seconds=1)
"""Interval at which it is checked whether the work on a question has ended, so that it can be forgotten."""
COPIES_WAIT = timedelta(seconds=2)
"""Interval at which it is checked whether all copies outside are erased."""
POSTED_WITHIN = timedelta(minutes=30)
"""Age from which nobody is posting something any more; retries of a large upload take minutes."""
UNKNOWN_PLACE = "unknown_place"
"""Why a list or file is left in Slack: the process that posted it was killed before Slack's answer was stored."""
GIVEN_UP_AFTER = timedelta(days=10)
"""Age from which a copy that its service does not erase is given up, and named in the report. LangSmith erases on
weekends."""


class Reaching:
    """The execution of requests to forget. Any number of workers may call `reach_next` at the same time.

    Each step is one transaction with the outbox entry that it completes, so a killed process loses nothing.
    """

    def __init__(  # noqa: PLR0913 - each place with copies
        self,
        store: Store,
        announcer: Remover,
        trainer: Trainer,
        clock: Clock,
        tracker: Tracker | None = None,
        embedded: Embedded | None = None,
        *,
        batcher: Batcher | None = None,
    ) -> None:
        self._batcher = batcher
        self._embedded = embedded or NothingEmbedded()
        self._store = store
        self._announcer = announcer
        self._trainer = trainer
        self._tracker = tracker
        self._clock = clock
        self._steps: Mapping[str, Callable[[OutboxItem], Awaitable[None]]] = {
            FORGET_TOPIC: self._step,
            FORGET_CARD_TOPIC: self._card,
            FORGET_TRACES_TOPIC: self._traces,
            FORGET_FILE_TOPIC: self._file,
            FORGET_MODEL_TOPIC: self._model,
            FORGET_POST_TOPIC: self._post,
            FORGET_OLDER_TOPIC: self._older,
            BATCH_FILES_TOPIC: self._batch,
            FORGET_REPORT_TOPIC: self._report,
        }
        delay = RetryDelay(FIRST_REACH_WAIT, LONGEST_REACH_WAIT)
        self._entries = LeasedOutbox(store, clock, self._steps, REACH_LEASE, delay)
        self.hand_back, self.topics = self._entries.hand_back, self._entries.topics

    async def reach_next(self) -> bool:
        """Take the next step of any request. Returns False if none is due."""
        return await self._entries.next(lambda item: self._steps[item.topic](item), self._failed)

    async def _failed(self, item: OutboxItem, error: Exception) -> None:
        """Retry later. A copy that its service refuses to erase is named in the report."""
        final = isinstance(error, TrackerRefused) or (isinstance(error, Undelivered) and error.final)
        final = final or (isinstance(error, ModelError) and not isinstance(error, ModelDown))
        late = self._clock.now() - item.added_at > GIVEN_UP_AFTER
        if not isinstance(error, Undelivered | TrackerError | ModelError):
            log_failure(log, f"{self._entries.name(item)}: try {item.attempts} failed", error)
        if item.topic in OUTSIDE_TOPICS and (final or late):
            log.warning("%s: a copy cannot be erased: %s", self._entries.name(item), type(error).__name__)
            await self._done(item, left={await self._why_left(item, error): 1})
            return
        async with self._store.transaction() as tx:
            if item.topic == FORGET_REPORT_TOPIC and final:
                await self._close(tx, item)
                await tx.outbox.done(item)
                return
            await self._entries.retry(tx, item, type(error).__name__)

    # --- the database

    async def _step(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
            request = await tx.forgetting.get(item.key, lock=True)
            scope = request.scope if request else None
            if request is None or scope is None or request.state is ForgetState.DONE:
                await tx.outbox.done(item)
                return
            if request.state is ForgetState.ERASING and await tx.forgetting.working(scope, self._clock.now()):
                # An answer may stand in Slack by now without a note of it here: only the worker finds that one. And
                # a worker's next post would stand there after the message was removed.
                await tx.outbox.retry(item, self._clock.now() + ANSWER_WAIT, "")
                return
            if request.state is ForgetState.ERASING:
                await self._erase(tx, item, request, scope)
                return
            waiting = await tx.forgetting.outside(request.id)
            if waiting:
                await tx.outbox.retry(item, self._clock.now() + COPIES_WAIT, "")
                return
        await self._prove(item, request, scope)

    async def _erase(self, tx: Transaction, item: OutboxItem, request: ForgetRequest, scope: Scope) -> None:
        now = self._clock.now()
        erased = await tx.forgetting.erase(scope, ERASED_AT_ONCE, now)
        await self._queue_copies(tx, request, erased)
        # A large index is deleted before the last step, so that nobody waits for it; others may keep theirs meanwhile.
        last = not {"questions", "rows"} & erased.counts.keys() and not await tx.index_parts.drop_some()
        if last:
            await tx.forgetting.moved(now)
            before = scope.moment if scope.kind is ForgetKind.EXPORTS else None
            if request.counts or erased.counts:
                await self._queue_files(tx, request, await tx.forgetting.trained_files(before))
                if not await tx.cursors.get(OLDER_FILES_CURSOR):
                    await tx.outbox.add(FORGET_OLDER_TOPIC, f"{request.id}:older", {}, now)
        if last:
            await self._queue_models(tx, request, {*request.trained, *erased.trained})
        changed = {
            "counts": added(request.counts, erased.counts),
            "trained": tuple(sorted({*request.trained, *erased.trained})),
            "state": ForgetState.REACHING if last else request.state,
            "updated_at": now,
        }
        await tx.forgetting.save(request.model_copy(update=changed))
        await tx.outbox.done(item)
        await tx.outbox.add(FORGET_TOPIC, request.id, {}, now)

    async def _queue_copies(self, tx: Transaction, request: ForgetRequest, erased: Erased) -> None:
        now, prefix = self._clock.now(), f"{request.id}:"
        for shown in erased.shown:
            await tx.outbox.add(FORGET_CARD_TOPIC, prefix + shown.question, {"shown": shown.model_dump_json()}, now)
        for question in {*erased.followers} - {shown.question for shown in erased.shown}:
            await tx.outbox.add("card", question, {}, now)
        for posted in erased.posts:
            await tx.outbox.add(FORGET_POST_TOPIC, prefix + posted, {"posted": posted}, now)
        traced = erased.traced
        if self._tracker is None:
            return
        if traced.traces or traced.feedback or traced.rows:
            first = next(iter((*traced.traces, *traced.rows)))
            await tx.outbox.add(FORGET_TRACES_TOPIC, prefix + first, {"traced": traced.model_dump_json()}, now)
        notes = [(row, {"change": MirrorChange.ROW.value}, now) for row in erased.touched]
        await tx.outbox.add_all(MIRROR_TOPIC, notes)

    async def _queue_files(self, tx: Transaction, request: ForgetRequest, files: list[TrainedFile]) -> None:
        for one in files:
            await tx.outbox.add(FORGET_FILE_TOPIC, f"{request.id}:{one.finetune}", one.model_dump(), self._clock.now())

    async def _queue_models(self, tx: Transaction, request: ForgetRequest, trained: set[str]) -> None:
        for finetune_id in sorted(trained):
            finetune = await tx.finetunes.get(finetune_id)
            model = finetune.model if finetune else None
            if model and self._embedded.revision(model) is not None:
                key = f"{request.id}:{finetune_id}"
                await tx.outbox.add(FORGET_MODEL_TOPIC, key, {"model": str(model)}, self._clock.now())

    async def _prove(self, item: OutboxItem, request: ForgetRequest, scope: Scope) -> None:
        """Look for everything again. If anything is found, erase it and begin the proof anew."""
        async with self._store.snapshot() as tx:
            found = await tx.forgetting.found(scope)
        scrubbed = bool(found) or await self._store.scrub()
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
            current = await tx.forgetting.get(request.id, lock=True)
            now = self._clock.now()
            if current is None or current.state is not ForgetState.REACHING:
                await tx.outbox.done(item)
            elif found:
                await tx.forgetting.save(current.model_copy(update={"state": ForgetState.ERASING, "updated_at": now}))
                await tx.outbox.retry(item, now, "")
            elif not scrubbed:
                await tx.outbox.retry(item, now + COPIES_WAIT, "")
            else:
                done = current.model_copy(update={"state": ForgetState.DONE, "updated_at": now})
                await tx.forgetting.save(done)
                await tx.outbox.done(item)
                await tx.outbox.add(FORGET_REPORT_TOPIC, request.id, {}, now)
                facts = {name: n for name, n in done.counts.items() if name in {"questions", "rows", "messages"}}
                await tx.audit.add(SYSTEM, AuditAct.FORGOTTEN, now, done.kind.value, facts)

    # --- the copies

    async def _card(self, item: OutboxItem) -> None:
        shown = Shown.model_validate_json(item.payload["shown"])
        await self._hold(item)
        removed = await self._announcer.remove_shown(shown)
        await self._done(item, counts={"messages": removed})

    async def _post(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
            posted = await tx.posts.get(item.payload["posted"])
        if posted and not posted.found:
            # It is being posted now, or the process that posted it was killed.
            raise Undelivered(UNKNOWN_PLACE, final=self._clock.now() - posted.at > POSTED_WITHIN)
        removed = await self._announcer.remove_posted(posted) if posted else 0
        await self._done(item, counts={"posts": removed})

    async def _older(self, item: OutboxItem) -> None:
        """Delete the files of earlier versions. Nobody knows what they show, so the first forgetting takes them all."""
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
            known, now = await tx.posts.files(), self._clock.now()
        older = await self._announcer.remove_older(known, now - POSTED_WITHIN)
        if not older.left:  # otherwise the next request to forget tries again
            async with self._store.transaction() as tx:
                await tx.cursors.move(OLDER_FILES_CURSOR, now.isoformat(), now)
        await self._done(item, counts={"posts": older.removed} if older.removed else None, left=older.left)

    async def _why_left(self, item: OutboxItem, error: Exception) -> str:
        """Return the reason in the report: the topic, and for what Slack refuses also why and where."""
        if item.topic != FORGET_POST_TOPIC:
            return item.topic
        async with self._store.snapshot() as tx:
            posted = await tx.posts.get(item.payload["posted"])
        why = str(error) if isinstance(error, Undelivered) else type(error).__name__
        return f"{item.topic}:{why}:{posted.channel if posted else ''}"

    async def _traces(self, item: OutboxItem) -> None:
        traced = Traced.model_validate_json(item.payload["traced"])
        if self._tracker is None:
            await self._done(item, left={item.topic: 1})
            return
        async with self._store.transaction() as tx:
            dataset = await tx.cursors.get(MIRROR_DATASET)
            await self._entries.hold(tx, item)
        await self._tracker.forget(dataset or None, traced)
        if await self._tracker.remembers(dataset or None, traced):
            # LangSmith erases traces with a delay.
            raise TrackerDown("the tracker has not erased everything yet")
        await self._done(item, counts={"traces": len(traced.traces), "examples": len(traced.rows)})

    async def _file(self, item: OutboxItem) -> None:
        one = TrainedFile.model_validate({name: item.payload[name] for name in TrainedFile.model_fields})
        await self._hold(item)
        await self._trainer.delete_file(ModelName.parse(one.model), one.file)
        async with self._store.transaction() as tx:
            await tx.forgetting.file_deleted(one.finetune)
        await self._done(item, counts={"provider_files": 1})

    async def _batch(self, item: OutboxItem) -> None:
        await self._hold(item)
        if self._batcher:
            await self._batcher.delete_files(ModelName.parse(item.payload["model"]), item.payload["batch"])
        await self._done(item)

    async def _model(self, item: OutboxItem) -> None:
        await self._hold(item)
        await self._trainer.forget_texts(ModelName.parse(item.payload["model"]))
        await self._done(item, counts={"models": 1})

    async def _hold(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)

    async def _done(
        self, item: OutboxItem, counts: Mapping[str, int] | None = None, left: Mapping[str, int] | None = None
    ) -> None:
        """End an entry of a copy, and add to the report of its request."""
        async with self._store.transaction() as tx:
            request = await tx.forgetting.get(item.key.partition(":")[0], lock=True)
            if await tx.outbox.done(item) and request:
                sums = {"counts": added(request.counts, counts or {}), "left": added(request.left, left or {})}
                await tx.forgetting.save(request.model_copy(update=sums))
            if item.topic == FORGET_POST_TOPIC:
                await tx.posts.remove(item.payload["posted"])

    # --- the report

    async def _report(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            request = await tx.forgetting.get(item.key)
            releases = await tx.releases.all()
            await self._entries.hold(tx, item)
        if request and request.by.startswith(("U", "W")):
            versions = sorted(one.version for one in releases if one.finetune_id in request.trained)
            await self._announcer.report_forgotten(request, versions)
        async with self._store.transaction() as tx:
            await self._close(tx, item)
            await tx.outbox.done(item)

    async def _close(self, tx: Transaction, item: OutboxItem) -> None:
        """Take the person's id out of the request and out of the audit log."""
        request = await tx.forgetting.get(item.key, lock=True)
        if request and request.kind in OF_PEOPLE and request.target:
            if request.kind is ForgetKind.PERSON:
                await tx.forgetting.forget_alias(request.target)
            by = "" if request.by == request.target else request.by
            await tx.forgetting.save(request.model_copy(update={"target": None, "by": by}))
