"""Shows the tracker what is in the record: in order, at least once, and never while anybody waits for it."""

import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from bot.current_prompt import current_prompt
from bot.domain.dataset import Row
from bot.domain.errors import TrackerDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.mirror import Experiment, ExperimentRow, RowCopy, Trace, row_copy
from bot.domain.mirrored import (
    MIRROR_BARRIERS,
    MIRROR_DATASET,
    MIRROR_FILLED,
    MIRROR_FILLED_END,
    MIRROR_TOPIC,
    MIRROR_TROUBLE,
    MirrorChange,
)
from bot.domain.prompt import Prompt
from bot.domain.question import Verdict
from bot.domain.release import Release
from bot.domain.scorecard import Result, scorecard
from bot.domain.shadow import Shadow
from bot.domain.traces import TracedRelease, of_correction, of_result, of_shadow, of_verdict
from bot.mirror.status import hindered
from bot.ports import Clock, Estimator, OutboxEntry, Store, Tracker, Transaction
from bot.releases.evaluating import Evaluating

log = logging.getLogger(__name__)

_T = TypeVar("_T")
Spent = Verdict | Shadow | Result

CHANGES_PER_PAGE = 500
"""Changes, and rows of a first copy, that are in memory at once."""
PSEUDONYMS, ALIVE = "mirror:pseudonyms", "mirror:alive"
"""Cursors: the key of the pseudonyms; up to when all changes were noted, in ISO 8601."""
VERSIONS = 100
"""The newest fine-tunes, whose rows a new dataset holds as versions again."""
ALIVE_EVERY = timedelta(minutes=1)
RENOTED = timedelta(minutes=5)
"""Noted again at a start: a transaction may be written later than the moment that it carries."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=5)
SAYINGS = 30
"""How often feedback is tried whose trace is not found over there: what was sent may show up a moment later."""


class MirrorOutbound:
    """Reads the notes that a mirrored store made (`domain.mirrored`). One replica at a time calls `mirror`."""

    def __init__(self, store: Store, tracker: Tracker, judges: Evaluating, estimator: Estimator, clock: Clock) -> None:
        self._store = store
        self._tracker = tracker
        self._judges = judges
        self._estimator = estimator
        self._clock = clock
        self._quiet_until: datetime | None = None
        self._failures = 0
        self._alive_at = clock.now()
        self._unsaid: dict[int, int] = {}
        self._releases: dict[str, tuple[Release, Prompt]] = {}

    async def check(self) -> None:
        """Raises TrackerError where the tracker is not there, or does not let us in."""
        await self._tracker.check()

    async def resume(self) -> None:
        """At start: note the rows that changed while there was no mirror to note them for."""
        now = self._clock.now()
        async with self._store.transaction() as tx:
            since = await tx.cursors.get(ALIVE)
            if since:
                missed = [row.id async for row, _ in tx.rows.changed(datetime.fromisoformat(since) - RENOTED)]
                await tx.outbox.add_all(
                    MIRROR_TOPIC, [(row_id, {"change": MirrorChange.ROW.value}, now) for row_id in missed]
                )
            await tx.cursors.move(ALIVE, now.isoformat(), now)

    async def _alive(self) -> None:
        now = self._clock.now()
        if now - self._alive_at >= ALIVE_EVERY:
            async with self._store.transaction() as tx:
                await tx.cursors.move(ALIVE, now.isoformat(), now)
            self._alive_at = now

    async def evaluated(self, release: Release) -> None:
        """Let the tracker have an evaluation that was just finished, as an experiment."""
        now = self._clock.now()
        note = {"change": MirrorChange.EXPERIMENT.value, "at": now.isoformat()}
        async with self._store.transaction() as tx:
            await tx.outbox.add(MIRROR_TOPIC, release.id, note, now)

    async def mirror(self) -> bool:
        """Send what is next; whether there may be more right now. It never raises for the tracker's sake.

        After a failure nothing is sent for a while: seconds at first, then up to minutes, or as long as was asked for.
        """
        await self._alive()
        if self._quiet_until and self._clock.now() < self._quiet_until:
            return False
        try:
            more = await self._round()
        except TrackerError as error:
            await self._hush(error)
            return False
        self._failures, self._quiet_until = 0, None
        return more

    async def _hush(self, error: TrackerError) -> None:
        self._failures += 1
        wait = min(FIRST_WAIT * 2 ** min(self._failures - 1, 10), LONGEST_WAIT)
        if isinstance(error, TrackerDown) and error.after:
            wait = max(wait, error.after)
        self._quiet_until = self._clock.now() + wait
        async with self._store.transaction() as tx:
            news = await hindered(tx, error, self._clock.now())
        log.log(logging.WARNING if news else logging.DEBUG, "mirror: %s, again in %s", error, wait)

    async def _round(self) -> bool:
        dataset = await self._dataset()
        filled = await self._fill(dataset)
        told = await self._tell(dataset, filled=filled)
        await self._relieved(filled=filled)
        return told or not filled

    async def _relieved(self, *, filled: bool) -> None:
        async with self._store.transaction() as tx:
            trouble = await tx.cursors.get(MIRROR_TROUBLE)
        if trouble and (filled or trouble != TrackerReason.DATASET_GONE):
            await self._tracker.check()  # perhaps there was nothing to tell, and so nobody was asked
            async with self._store.transaction() as tx:
                await tx.cursors.move(MIRROR_TROUBLE, "", self._clock.now())
            log.warning("mirror: the tracker takes everything again")

    async def _dataset(self) -> str:
        async with self._store.transaction() as tx:
            known = await tx.cursors.get(MIRROR_DATASET)
        if known:
            return known
        dataset, now = await self._tracker.dataset(), self._clock.now()
        async with self._store.transaction() as tx:
            await tx.cursors.move(MIRROR_DATASET, dataset, now)
            # One that is new here lacks the versions, too; what is there already stays as it is.
            for finetune in reversed(await tx.finetunes.newest(VERSIONS)):
                await tx.outbox.add(MIRROR_TOPIC, finetune.id, {"change": MirrorChange.VERSION.value}, now)
        return dataset

    async def _fill(self, dataset: str) -> bool:
        """Show the next page of rows where not all of them are in this dataset under this prompt; whether they are."""
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            known, _, after = (await tx.cursors.get(MIRROR_FILLED) or "").rpartition(" ")
            here = f"{dataset} {prompt.id}"
            after = after if known == here else ""
            rows = [] if after == MIRROR_FILLED_END else await tx.rows.page(after, CHANGES_PER_PAGE)
        if after == MIRROR_FILLED_END:
            return True
        await self._show_rows(dataset, prompt, {row.id: row for row in rows})
        async with self._store.transaction() as tx:
            await tx.cursors.move(
                MIRROR_FILLED, f"{here} {rows[-1].id if rows else MIRROR_FILLED_END}", self._clock.now()
            )
        return not rows

    async def _show_rows(self, dataset: str, prompt: Prompt, rows: Mapping[str, Row | None]) -> None:
        """Show these as they are now; take out those that are withdrawn, or of a category that the prompt lacks."""
        copies, gone = [], []
        for row_id, row in rows.items():
            category = prompt.category(row.category) if row else None
            if row and category:
                copies.append(row_copy(row, prompt, category))
            else:
                gone.append(row_id)

        async def put(some: Sequence[RowCopy]) -> None:
            await self._tracker.put_rows(dataset, some)

        await taken(put, copies, lambda copy: f"row {copy.row_id}")
        if gone:
            await self._tracker.withdraw_rows(dataset, gone)

    # --- what was noted

    async def _tell(self, dataset: str, *, filled: bool) -> bool:
        """Tell the next notes; whether any of them was told. What is about all before it waits until all is there."""
        async with self._store.transaction() as tx:
            notes = await tx.outbox.page(MIRROR_TOPIC, 0, CHANGES_PER_PAGE + len(self._unsaid))
        first = next((n for n, note in enumerate(notes) if change_of(note) in MIRROR_BARRIERS), len(notes))
        if first == 0 and notes:
            if filled:
                await self._barrier(dataset, notes[0])
            return filled
        return await self._all(dataset, notes[:first])

    async def _all(self, dataset: str, notes: Sequence[OutboxEntry]) -> bool:
        of = {change: [note for note in notes if change_of(note) is change] for change in MirrorChange}
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            verdicts = await self._verdicts(tx, [note.payload["verdict"] for note in of[MirrorChange.VERDICT]])
            shadows = [await self._shadow(tx, note) for note in of[MirrorChange.SHADOW]]
            rows = await tx.rows.some({note.key for note in of[MirrorChange.ROW]})
        traces = [*verdicts.values(), *(shadow for shadow in shadows if shadow)]
        await taken(self._tracker.trace, traces, lambda trace: f"trace {trace.id}")
        await self._done(of[MirrorChange.VERDICT] + of[MirrorChange.SHADOW])
        await self._show_rows(dataset, prompt, {note.key: rows.get(note.key) for note in of[MirrorChange.ROW]})
        await self._done(of[MirrorChange.ROW])
        unsaid = 0
        for note in of[MirrorChange.CORRECTION]:
            if await self._say(note):
                await self._done([note])
            else:
                unsaid += 1
        return len(notes) > unsaid

    async def _done(self, notes: Iterable[OutboxEntry]) -> None:
        ids = [note.id for note in notes]
        if ids:
            async with self._store.transaction() as tx:
                await tx.outbox.remove(ids)

    async def _verdicts(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Trace]:
        answered = await tx.questions.answered(ids)
        return {
            verdict.id: of_verdict(verdict, question, await self._asked(tx, verdict.release_id, verdict))
            for question, verdict in answered.values()
        }

    async def _shadow(self, tx: Transaction, note: OutboxEntry) -> Trace | None:
        shadow = await tx.shadows.get(note.key, note.payload["release"])
        question = await tx.questions.get(note.key)
        if shadow is None or question is None:
            return None
        return of_shadow(shadow, question, await self._asked(tx, shadow.release_id, shadow))

    async def _asked(self, tx: Transaction, release_id: str, spent: Spent) -> TracedRelease:
        if release_id not in self._releases:
            release = await tx.releases.get(release_id)
            prompt = await tx.prompts.get(release.prompt_id) if release else None
            if release is None or prompt is None:
                raise LookupError(f"release {release_id} answered, and is not there")
            self._releases[release_id] = release, prompt
        release, prompt = self._releases[release_id]
        usd = self._estimator.cost(release.model, spent.tokens_in, spent.tokens_out)
        return TracedRelease(release=release, prompt=prompt, usd=usd)

    async def _say(self, note: OutboxEntry) -> bool:
        """Show a correction on its trace; False where it is to be tried again."""
        async with self._store.transaction() as tx:
            corrections = await tx.corrections.of(note.key)
            correction = next((one for one in corrections if str(one.seq) == note.payload["seq"]), None)
            if correction is None:
                return True
            answered = await tx.questions.answered([correction.verdict_id])
            traces = await self._verdicts(tx, [correction.verdict_id])
            _, verdict = answered[correction.verdict_id]
            asked = await self._asked(tx, verdict.release_id, verdict)
            category = asked.prompt.category(correction.category) or (await current_prompt(tx)).category(
                correction.category
            )
            key = await self._pseudonyms(tx)
        name = category.name if category else correction.category
        try:
            await self._tracker.say(of_correction(correction, verdict, name, key))
        except TrackerRefused as error:
            if error.reason is TrackerReason.NOT_TAKEN:
                log.warning("mirror: correction %s of question %s is not taken", correction.seq, note.key)
            elif error.reason is TrackerReason.UNKNOWN_TRACE:
                return await self._unknown(note, list(traces.values()))
            else:
                raise
        self._unsaid.pop(note.id, None)
        return True

    async def _unknown(self, note: OutboxEntry, traces: Sequence[Trace]) -> bool:
        """Show the trace again: it is of a time without the mirror, or on its way over there."""
        self._unsaid[note.id] = self._unsaid.get(note.id, 0) + 1
        if self._unsaid[note.id] < SAYINGS:
            await self._tracker.trace(traces)
            return False
        log.warning("mirror: a correction of question %s finds no trace", note.key)
        del self._unsaid[note.id]
        return True

    async def _pseudonyms(self, tx: Transaction) -> bytes:
        """The key that people's names over there are made with: made once, and known to the record only."""
        key = await tx.cursors.get(PSEUDONYMS)
        if key is None:
            key = secrets.token_hex(32)
            await tx.cursors.move(PSEUDONYMS, key, self._clock.now())
        return bytes.fromhex(key)

    # --- what is about all that was noted before

    async def _barrier(self, dataset: str, note: OutboxEntry) -> None:
        if change_of(note) is MirrorChange.VERSION:
            await self._tracker.freeze(dataset, note.key, await self._trained(note.key))
        else:
            await self._experiment(dataset, note)
        await self._done([note])

    async def _trained(self, finetune_id: str) -> list[str]:
        """The rows that are as they were trained on: one that was changed since would say what was not."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(finetune_id)
            ids = sorted(await tx.finetunes.trained_rows(finetune_id)) if finetune else []
        same = []
        for start in range(0, len(ids), CHANGES_PER_PAGE):
            async with self._store.transaction() as tx:
                rows = await tx.rows.some(ids[start : start + CHANGES_PER_PAGE])
            same += [row.id for row in rows.values() if finetune and row.settled_at <= finetune.created_at]
        return same

    async def _experiment(self, dataset: str, note: OutboxEntry) -> None:
        """Show the answers of a release to the held-out rows, on a version of the dataset that holds them."""
        async with self._store.transaction() as tx:
            release = await tx.releases.get(note.key)
        judged, _ = await self._judges.kept(release) if release else ([], 0)
        if release is None or not judged:
            return
        ids = sorted(one.row.id for one in judged)
        version = "held-out-" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]
        await self._tracker.freeze(dataset, version, ids)
        at = datetime.fromisoformat(note.payload["at"])
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
            tried = [
                ExperimentRow(
                    trace=of_result(one, await self._asked(tx, release.id, one.result), experiment.name),
                    row_id=one.row.id,
                    right=one.right,
                )
                for one in judged
            ]
        for start in range(0, len(tried), CHANGES_PER_PAGE):
            await self._tracker.experiment(experiment, tried[start : start + CHANGES_PER_PAGE])
        card = scorecard(release.id, judged)
        figures = {"accuracy": card.accuracy} | ({} if card.ece is None else {"ece": card.ece})
        await self._tracker.conclude(experiment, figures)


def change_of(note: OutboxEntry) -> MirrorChange:
    return MirrorChange(note.payload["change"])


async def taken(
    show: Callable[[Sequence[_T]], Awaitable[None]], things: Sequence[_T], named: Callable[[_T], str]
) -> None:
    """Show all of them; one that is not taken is found, named in the log, and left out. Raises TrackerError."""
    if not things:
        return
    try:
        await show(things)
    except TrackerRefused as error:
        if error.reason is not TrackerReason.NOT_TAKEN:
            raise
        if len(things) == 1:
            log.warning("mirror: %s is not taken", named(things[0]))
            return
        half = len(things) // 2
        await taken(show, things[:half], named)
        await taken(show, things[half:], named)
