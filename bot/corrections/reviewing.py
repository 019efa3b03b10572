"""The review queue: people who wait, conflicts, then open questions by how much a correction teaches the model."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.corrections.correcting import Correcting
from bot.domain.audience import Audience
from bot.domain.card import Card
from bot.domain.conflict import Conflict
from bot.domain.correction import Correction
from bot.domain.courtesy import is_small_talk
from bot.domain.curve import Curve, Measured, Need, fit, needs, sorted_points
from bot.domain.dataset import IMPORTER, Row, Source, Split, text_key
from bot.domain.errors import Reason, Refused
from bot.domain.evidence import balanced
from bot.domain.gain import Candidate, QueueReason, ordered
from bot.domain.mark import LONGEST_RUN, ImportedBefore, MarkKind, QueueMark
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import Release, ReleaseState
from bot.domain.scorecard import Judged, Result, scorecard
from bot.domain.thing import Thing
from bot.ports import Clock, Embedded, Neighbours, NothingEmbedded, Store, Transaction
from bot.questions.cards import card_of
from bot.releases.evidence import FairRows, presses_on
from bot.similarity.disjoint import overlapping_ids

MOST_QUESTIONS = 300
"""Upper bound of open questions in the queue, the newest ones. Older ones move up as these are settled."""
MOST_CONFLICTS = 50
"""Upper bound of conflicts in the queue."""


class Entry(Thing):
    """One thing to settle: an open question (`card`) or a conflict (`rows`)."""

    key: str
    """The question's id, or the conflict's key."""
    why: QueueReason
    prompt: Prompt
    card: Card | None = None
    rows: tuple[Row, ...] = ()
    """All rows of the conflict's groups."""
    shadow: str | None = None
    """The shadow release's category, if it disagrees."""

    @property
    def open(self) -> bool:
        """Whether it is still to be settled."""
        if self.card:
            return self.card.settled is None
        return len({row.category for row in self.rows}) > 1


class QueueEntry(Thing):
    """A queue entry whose card or rows have not been read yet."""

    key: str
    why: QueueReason


class Page(Thing):
    """A part of the queue."""

    entries: tuple[Entry, ...]
    offset: int
    """Number of entries before this page."""
    waiting: int
    """Length of the whole queue."""

    @property
    def shows(self) -> list[str]:
        """The ids of the questions and rows on it."""
        return [shown for one in self.entries for shown in ([one.key] if one.card else [row.id for row in one.rows])]


class ReviewProgress(Thing):
    """The learning curve, and what each category still needs."""

    prompt: Prompt
    points: tuple[Measured, ...]
    """The releases' accuracy on the same held-out rows, by number of training rows."""
    trainable: int
    """Number of training rows today."""
    curve: Curve | None
    needs: tuple[Need, ...]


class Reviewing:
    """The list of what to settle, and the settlement of conflicts. Questions are settled by `Correcting`."""

    def __init__(
        self,
        store: Store,
        correcting: Correcting,
        neighbours: Neighbours,
        clock: Clock,
        embedded: Embedded | None = None,
    ) -> None:
        self._embedded = embedded or NothingEmbedded()
        self._store = store
        self._correcting = correcting
        self._clock = clock
        self._neighbours = neighbours
        self._fair = FairRows(store, neighbours, self._embedded)

    async def queue(self, *, shown_in: str | None = None) -> list[QueueEntry]:
        """Return the queue, the entry to settle first at the front.

        Args:
            shown_in: Id of the channel that will see the queue: only what is public or was asked there. None is staff.
        """
        open_conflicts = await self._neighbours.conflicts()
        async with self._store.transaction() as tx:
            conflicts, answered = await self._read_queue(tx, open_conflicts, shown_in=shown_in)
            counts = await tx.rows.counts()
            shadow = await self._shadow_release(tx)
            shadow_said = {s.question_id: s.category for s in await tx.shadows.of(shadow.id)} if shadow else {}
            said = await tx.feedback.newest([question.id for question, _ in answered])
        contested = {group for conflict in open_conflicts for group in conflict.groups}
        near = await self._near_conflicts([question for question, _ in answered], contested)
        likenesses = await self._neighbours.likenesses(
            [question.text for question, _ in answered], [question.public for question, _ in answered]
        )
        candidates = [
            _candidate(q, v, shadow_said.get(q.id), near=q.id in near, known=float(known)).model_copy(
                update={"waits": q.id in said and not said[q.id].helped}
            )
            for (q, v), known in zip(answered, likenesses.settled, strict=True)
        ]
        rows = {category: n for (category, split), n in counts.items() if split is Split.TRAIN}
        listed = [QueueEntry(key=conflict.key, why=QueueReason.CONFLICT) for conflict in conflicts]
        found = ordered(candidates, rows, likenesses.between)
        entries = [QueueEntry(key=candidate.question_id, why=why) for candidate, why in found]
        waiting = [entry for entry in entries if entry.why is QueueReason.ASKER]
        return [*waiting, *listed, *entries[len(waiting) :]]

    async def waiting(self, *, shown_in: str | None = None) -> int:
        """Return the queue's length, without the cost of ordering it."""
        open_conflicts = await self._neighbours.conflicts()
        async with self._store.transaction() as tx:
            conflicts, answered = await self._read_queue(tx, open_conflicts, shown_in=shown_in)
        return len(conflicts) + len(answered)

    async def page(self, offset: int, size: int, *, shown_in: str | None = None) -> Page:
        """Return `size` entries from `offset` on. An offset past the end starts at the front again."""
        queue = await self.queue(shown_in=shown_in)
        offset = offset if offset < len(queue) else 0
        entries = await self.entries(queue[offset : offset + size])
        return Page(entries=tuple(entries), offset=offset, waiting=len(queue))

    async def entries(self, listed: Sequence[QueueEntry]) -> list[Entry]:
        """Return these entries as they are now, settled ones too. An entry that no longer exists is left out."""
        keys = [one.key for one in listed if one.why is QueueReason.CONFLICT]
        groups = {key: await self._neighbours.cluster(key) for key in keys}
        async with self._store.transaction() as tx:
            shadow = await self._shadow_release(tx)
            shadow_said = {s.question_id: s.category for s in await tx.shadows.of(shadow.id)} if shadow else {}
            found = [await self._entry(tx, one, shadow_said.get(one.key), groups.get(one.key, ())) for one in listed]
        return [entry for entry in found if entry]

    async def settle_conflict(self, key: str, category: str, by: str) -> None:
        """Settle a conflict: change the category of each of its rows that has another one.

        A question gets a correction by this person, as on its card. An imported row keeps its origin, and the person
        becomes its author.

        Raises:
            Refused: SETTLED_MEANWHILE, if the rows agree by now; UNKNOWN_CATEGORY.
        """
        groups = await self._neighbours.cluster(key)
        now = self._clock.now()
        async with self._store.transaction() as tx:
            rows = await tx.rows.in_groups(groups)
            if len({row.category for row in rows}) < 2:
                raise Refused(Reason.SETTLED_MEANWHILE)
            if (await self._prompt(tx)).category(category) is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=category)
            before: dict[str, ImportedBefore] = {}
            for row in rows:
                if row.category == category:
                    continue
                if await tx.questions.get(row.id) is None:
                    before[row.id] = ImportedBefore(category=row.category, source=row.source, reason=row.reason)
                await self._correcting.resettle(tx, row, category, by, now)
            await tx.marks.add(QueueMark(key=key, kind=MarkKind.CONFLICT, by=by, at=now, before=before))

    async def reopen_conflict(self, key: str, by: str) -> None:
        """Take back this person's settlement of a conflict: each row has its earlier category again.

        A question gets one more correction, with the earlier reason. An imported row is an import again.

        Raises:
            Refused: NOTHING_TO_UNDO; SETTLED_MEANWHILE, if one of the rows was changed since.
        """
        now = self._clock.now()
        async with self._store.transaction() as tx:
            marks = [mark for mark in await tx.marks.of(by, now - LONGEST_RUN) if mark.key == key]
            settled = marks[-1] if marks else None
            if settled is None or settled.kind is not MarkKind.CONFLICT or settled.before is None:
                raise Refused(Reason.NOTHING_TO_UNDO)
            pressed = [one for one in await tx.corrections.by(by, settled.at) if one.at == settled.at]
            for one in pressed:
                await self._restore_question(tx, one, by, now)
            for row_id, was in settled.before.items():
                await self._restore_import(tx, row_id, was, settled)
            await tx.marks.add(QueueMark(key=key, kind=MarkKind.BACK, by=by, at=now))

    async def _restore_question(self, tx: Transaction, pressed: Correction, by: str, now: datetime) -> None:
        """Correct a question back to what it was before this correction."""
        earlier = [one for one in await tx.corrections.of(pressed.question_id) if one.seq >= pressed.seq - 1]
        row = await tx.rows.get(pressed.question_id)
        if row is None or [one.seq for one in earlier] != [pressed.seq - 1, pressed.seq]:
            raise Refused(Reason.SETTLED_MEANWHILE)
        await self._correcting.resettle(tx, row, earlier[0].category, by, now, earlier[0].reason)

    async def _restore_import(self, tx: Transaction, row_id: str, was: ImportedBefore, settled: QueueMark) -> None:
        row = await tx.rows.get(row_id, lock=True)
        if row is None or row.settled_at != settled.at:
            raise Refused(Reason.SETTLED_MEANWHILE)
        now: dict[str, object] = was.model_dump() | {"settled_at": self._clock.now()}
        if was.source is Source.IMPORT:
            now["by"] = IMPORTER  # so that a later import may change it, as before
        await tx.rows.put(row.model_copy(update=now))

    async def progress(self) -> ReviewProgress:
        """Return the learning curve of the serving prompt's releases, and what each category still needs.

        The curve is measured on the rows that count in a comparison of these releases. Those are held-out rows, and
        training rows that each release has either not learned or answered out of fold. As in an evaluation, no row of a
        conflict and no question that stands in the prompt is measured.
        """
        contested = {group for conflict in await self._neighbours.conflicts() for group in conflict.groups}
        async with self._store.snapshot() as tx:
            prompt = await self._prompt(tx)
            agreed = [row async for row in tx.rows.all() if row.group not in contested]
            counts = await tx.rows.counts()
            releases = [*reversed(await tx.releases.all())]
            results = {one.id: await tx.results.of(one.id, self._embedded.revision(one.model)) for one in releases}
            serving = next((one for one in releases if one.state is ReleaseState.SERVING), None)
            rows = {category: n for (category, split), n in counts.items() if split is Split.TRAIN}
            taught = await self._taught(tx, serving, rows) if serving else {}
        in_prompt = await overlapping_ids(self._neighbours, agreed, [], prompt.examples)
        shown = {text_key(row.text): row for row in agreed if row.id not in in_prompt}
        held_out = {key: row for key, row in shown.items() if row.split is Split.HELD_OUT}
        judged = {one.id: _judged(held_out, results[one.id]) for one in releases}
        enough = [
            one for one in releases if one.prompt_id == prompt.id and 2 * len(judged[one.id]) >= max(len(held_out), 2)
        ]
        points = sorted_points(await self._points(enough, shown, results))
        figures = scorecard(serving.id, judged[serving.id]).categories if serving and judged[serving.id] else {}
        return ReviewProgress(
            prompt=prompt,
            points=tuple(points),
            trainable=sum(rows.values()),
            curve=fit(points),
            needs=tuple(needs(figures, taught, rows, [category.id for category in prompt.categories])),
        )

    async def _points(
        self, releases: Sequence[Release], rows: Mapping[str, Row], results: Mapping[str, Mapping[str, Result]]
    ) -> list[Measured]:
        """Return one point per release, counted on the rows that are fair to all of them and that all answered."""
        answers: list[dict[str, str]] = []
        for release in releases:
            known = {key: one.category for key, one in results[release.id].items()}
            fair = await self._fair.of(release, [*rows.values()], ())
            said = {key: known[key] for key, row in rows.items() if row.split is Split.HELD_OUT and key in known}
            for key, row in rows.items():
                told = fair.get(row.id)
                if told or (row.id in fair and key in known):
                    said[key] = told.category if told else known[key]
            answers.append(said)
        common = set(rows).intersection(*answers) if answers else set[str]()
        counted = [rows[key] for key in sorted(common)]
        async with self._store.snapshot() as tx:
            for presses in await presses_on(tx, releases):
                counted = balanced(counted, presses)
            trained = [
                len(await tx.finetunes.trained_rows(one.finetune_id)) if one.finetune_id else 0 for one in releases
            ]
        right = {text_key(row.text): row.category for row in counted}
        return [
            Measured(trained=n, right=sum(said[key] == right[key] for key in right), of=len(right))
            for n, said in zip(trained, answers, strict=True)
            if right
        ]

    async def _taught(self, tx: Transaction, release: Release, rows: Mapping[str, int]) -> Mapping[str, int]:
        """Return the number of rows that a release was trained on or takes its examples from, by category."""
        if release.recall:
            return rows
        finetune = await tx.finetunes.get(release.finetune_id) if release.finetune_id else None
        manifest = await tx.datasets.get(finetune.dataset_id) if finetune else None
        return manifest.per_category if manifest else {}

    async def _entry(
        self, tx: Transaction, listed: QueueEntry, shadow: str | None, groups: Collection[str]
    ) -> Entry | None:
        if listed.why is QueueReason.CONFLICT:
            rows = await tx.rows.in_groups(groups)
            return Entry(**listed.model_dump(), prompt=await self._prompt(tx), rows=tuple(rows)) if rows else None
        question = await tx.questions.get(listed.key)
        card = await card_of(tx, question) if question else None
        if card is None:
            return None
        disagreed = shadow if listed.why is QueueReason.DISAGREE else None
        return Entry(**listed.model_dump(), prompt=card.prompt, card=card, shadow=disagreed)

    async def _near_conflicts(self, questions: Sequence[Question], contested: Collection[str]) -> set[str]:
        """Return the ids of the questions with near-duplicates in conflict."""
        found = set()
        near_each = await self._neighbours.near_each([question.text for question in questions])
        for question, near in zip(questions, near_each, strict=True):
            if len({row.category for row in near}) > 1 or any(row.group in contested for row in near):
                found.add(question.id)
        return found

    async def _read_queue(
        self, tx: Transaction, conflicts: Sequence[Conflict], *, shown_in: str | None
    ) -> tuple[list[Conflict], list[tuple[Question, Verdict]]]:
        """Return the conflicts and open questions of the queue, not yet in order."""
        listed = [
            conflict
            for conflict in conflicts[:MOST_CONFLICTS]
            if shown_in is None or all(_is_open(row, shown_in) for row in await tx.rows.in_groups(conflict.groups))
        ]
        found = await tx.questions.open(MOST_QUESTIONS)
        asked = [(q, v) for q, v in found if not is_small_talk(q.text)]
        return listed, [(q, v) for q, v in asked if shown_in is None or _is_open(q, shown_in)]

    async def _shadow_release(self, tx: Transaction) -> Release | None:
        return next((one for one in await tx.releases.all() if one.state is ReleaseState.SHADOW), None)

    async def _prompt(self, tx: Transaction) -> Prompt:
        serving = await tx.releases.serving()
        prompt = await tx.prompts.get(serving.prompt_id) if serving else None
        if prompt is None:
            raise LookupError("no release serves")
        return prompt


def _judged(rows: Mapping[str, Row], results: Mapping[str, Result]) -> list[Judged]:
    """Return the answered ones of these rows, by the key of their texts."""
    return [Judged(row=row, result=results[key]) for key, row in rows.items() if key in results]


def _candidate(question: Question, verdict: Verdict, shadow: str | None, *, near: bool, known: float) -> Candidate:
    return Candidate(
        question_id=question.id,
        category=verdict.category,
        confidence=verdict.confidence,
        shadow=shadow,
        near_conflict=near,
        known=known,
    )


def _is_open(thing: Question | Row, channel: str) -> bool:
    """Return whether the people of a channel may read this question or row."""
    own = thing.place.channel if isinstance(thing, Question) else thing.channel
    return thing.audience is Audience.PUBLIC or own == channel
