"""The rows on which releases can be compared fairly: what each has learned, and what it answers out of fold."""

from collections.abc import Iterable, Sequence

from bot.domain.comparison import compare
from bot.domain.dataset import Row, Split
from bot.domain.evidence import NO_PRESSES, Evidence, EvidenceKind, Presses, balanced, generous_mix
from bot.domain.finetune import Finetune
from bot.domain.fold import OutOfFold
from bot.domain.forgetting import FORGOTTEN_PREFIX
from bot.domain.release import Release
from bot.domain.scorecard import Judged
from bot.domain.thing import Thing
from bot.ports import Embedded, Neighbours, Store, Transaction
from bot.similarity.disjoint import UnseenRows

FINE_TUNED_PREFIX = "ft:"
"""Beginning of the name of a fine-tuned model, at OpenAI and here."""


class Lineage(Thing):
    """The fine-tunes that made a release's model, its own first, then those of its parents."""

    finetunes: tuple[Finetune, ...] = ()
    known: bool = True
    """False if the model or a parent was trained somewhere else: nobody knows on which rows."""


async def lineage(tx: Transaction, release: Release) -> Lineage:
    """Return what a release's model was trained on, directly or as a parent."""
    found: dict[str, Finetune] = {}
    own = await tx.finetunes.get(release.finetune_id) if release.finetune_id else None
    waiting, known = [release.model], True
    if own:
        found[own.id] = own
        waiting = [own.student]
    while waiting:
        model = waiting.pop()
        made = [one for one in await tx.finetunes.that_made(model) if one.id not in found]
        found |= {one.id: one for one in made}
        waiting += [one.student for one in made]
        if not made and model.model.startswith(FINE_TUNED_PREFIX):
            known = known and any(one.model == model for one in found.values())
    return Lineage(finetunes=tuple(found.values()), known=known)


async def trained_rows(tx: Transaction, finetunes: Iterable[Finetune]) -> list[Row]:
    """Return the rows that these were trained on, with their texts at that time; withdrawn rows too."""
    trained = [texts for finetune in finetunes if (texts := await tx.finetunes.trained_rows(finetune.id))]
    if not trained:
        return []
    rows = [row async for row, _ in tx.rows.changed(None)]
    groups = await _forgotten_groups(tx, rows)
    return [
        row.model_copy(update={"text": text, "group": groups.get(row.group, row.group)})
        for row in rows
        for text in {texts[row.id] or row.text for texts in trained if row.id in texts}
    ]


async def _forgotten_groups(tx: Transaction, rows: Sequence[Row]) -> dict[str, str]:
    """Return the groups of forgotten rows that other rows show again: keyed hash → group.

    A forgotten row has no text. Its group still proves that a question was trained on, if it is asked again.
    """
    if not any(row.group.startswith(FORGOTTEN_PREFIX) for row in rows):
        return {}
    return await tx.forgetting.groups({row.group for row in rows if not row.group.startswith(FORGOTTEN_PREFIX)})


class FairRows:
    """A search for the training rows that a release can be judged on."""

    def __init__(self, store: Store, neighbours: Neighbours, embedded: Embedded) -> None:
        self._store = store
        self._embedded = embedded
        self._unseen = UnseenRows(neighbours)

    async def of(self, release: Release, rows: Sequence[Row], shown: Sequence[str]) -> dict[str, OutOfFold | None]:
        """Return the training rows that a release has not learned, by row id.

        There are two kinds. Rows of the first kind were in no training of the model or of its parents, nor was any
        near-duplicate. Their value is None: the release has to be asked. Rows of the second kind were answered out of
        fold by the release's own training, and were in no training of its parents. Their value is that answer.

        The trainer shows no examples, so a release with recall is judged by the answers of its model alone. Answers of
        another revision of the embedded model do not count.

        Args:
            release: The release.
            rows: Rows of any split; held-out ones are skipped.
            shown: Texts that a prompt shows. Rows that are nearly the same are left out.

        Raises:
            Refused: NOT_DISJOINT, if the proof fails.
        """
        async with self._store.snapshot() as tx:
            line = await lineage(tx, release)
            trained = await trained_rows(tx, line.finetunes)
            own = line.finetunes[0] if line.finetunes else None
            parents = await trained_rows(tx, line.finetunes[1:])
            texts = await tx.finetunes.trained_rows(own.id) if own else {}
            told = await tx.finetunes.out_of_fold(own.id) if own else []
        if not line.known:
            return {}
        rows = [row for row in rows if row.split is Split.TRAIN]
        revision = self._embedded.revision(release.model)
        answered = {one.row_id: one for one in told if one.apart and one.revision == revision}
        candidates = [row for row in rows if row.id in answered and texts.get(row.id) == row.text]
        fair: dict[str, OutOfFold | None] = {
            row.id: answered[row.id] for row in await self._not_near(candidates, parents, shown)
        }
        return fair | dict.fromkeys((row.id for row in await self._not_near(rows, trained, shown)), None)

    async def _not_near(self, rows: Sequence[Row], trained: Sequence[Row], shown: Sequence[str]) -> list[Row]:
        ids, groups = {row.id for row in trained}, {row.group for row in trained}
        others = [row for row in rows if row.id not in ids and row.group not in groups]
        return await self._unseen.of(others, trained, shown) if others else []

    async def compared(self, candidate: Sequence[Judged], serving: Sequence[Judged], both: "Both") -> Evidence:
        """Return the evidence of a comparison.

        Args:
            candidate: The candidate's answers to usable rows. Held-out ones must be unseen by both releases.
            serving: The serving release's answers to the same rows, in the same order.
            both: The two releases.
        """
        rows = [one.row for one in candidate]
        new = await self.of(both.candidate, rows, both.shown)
        old = await self.of(both.serving, rows, both.shown)
        pairs: dict[str, tuple[Judged, Judged]] = {}
        kinds: dict[str, EvidenceKind] = {}
        for one, other in zip(candidate, serving, strict=True):
            row = one.row
            if row.split is Split.HELD_OUT:
                kinds[row.id] = EvidenceKind.HELD_OUT
                pairs[row.id] = one, other
            elif row.id in new and row.id in old:
                folds = new[row.id], old[row.id]
                kinds[row.id] = EvidenceKind.OUT_OF_FOLD if any(folds) else EvidenceKind.NEWER
                pairs[row.id] = _as_told(one, folds[0]), _as_told(other, folds[1])
        of_serving, of_candidate = await self._presses(both)
        fair = [row for row in rows if row.id in pairs]
        counted = balanced(fair, of_serving, of_candidate)
        generous = [pairs[row.id] for row in generous_mix(fair, of_serving)]
        chosen = [pairs[row.id] for row in counted]
        return Evidence(
            candidate=tuple(one for one, _ in chosen),
            serving=tuple(other for _, other in chosen),
            comparison=compare([one for one, _ in chosen], [other for _, other in chosen]),
            generous=compare([one for one, _ in generous], [other for _, other in generous]),
            kinds={kind: n for kind in EvidenceKind if (n := sum(kinds[row.id] is kind for row in counted))},
            left_out=len(fair) - len(counted),
        )

    async def _presses(self, both: "Both") -> tuple[Presses, Presses]:
        async with self._store.snapshot() as tx:
            serving, candidate = await presses_on(tx, (both.serving, both.candidate))
        return serving, candidate if both.candidate.model != both.serving.model else NO_PRESSES


class Both(Thing):
    """The two releases of a comparison, and the texts that their prompts show."""

    candidate: Release
    serving: Release
    shown: tuple[str, ...]


async def presses_on(tx: Transaction, releases: Sequence[Release]) -> list[Presses]:
    """Return what staff said of the live answers of each release's model, under any prompt and recall."""
    known = await tx.releases.all()
    settled, answered = await tx.corrections.settled_answers(), await tx.questions.count_by_confidence()
    return [
        Presses.of(settled, {one.id for one in known if one.model == release.model}, answered) for release in releases
    ]


def _as_told(judged: Judged, told: OutOfFold | None) -> Judged:
    """Return the out-of-fold answer in the place of the answer of the whole model."""
    if told is None:
        return judged
    said = {"category": told.category, "confidence": told.confidence}
    spent = {"latency_ms": None, "tokens_in": 0, "tokens_out": 0}
    return judged.model_copy(update={"result": judged.result.model_copy(update=said | spent)})
