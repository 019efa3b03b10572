"""The contents of `/finetune status`."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import combinations

from bot.current_prompt import current_prompt
from bot.dataset.guarding import read_aside
from bot.dataset.permitting import Permitting
from bot.domain.budget import Spend
from bot.domain.conflict import Conflict
from bot.domain.dataset import Split
from bot.domain.finetune import Finetune
from bot.domain.mirrored import MirrorState
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.replica import REPLICA_SILENT_AFTER, Replica
from bot.domain.shares import SetAside
from bot.domain.tally import Counted, Kind, count_usable, settlers_of
from bot.domain.thing import Thing
from bot.domain.trouble import CUT_PROMPT
from bot.finetunes.budget import Spending
from bot.ports import Clock, Embedded, Neighbours, NothingEmbedded, Store, Transaction
from bot.questions.catching_up import UNREADABLE_CURSOR

MOST_RELEASES = 10
"""Newest fine-tuned releases that are looked at for their encoder."""
LIMITED_FOR = timedelta(days=7)
MOST_PAIRS = 5
"""Upper bound of the category pairs in `Status.disagreements`."""

ReadMirror = Callable[[Transaction, datetime], Awaitable[MirrorState]]
"""A function that reads the state of the copy at the tracker."""


class Status(Thing):
    """The state of the whole loop at one moment."""

    serving: Release
    serving_since: datetime
    overridden: tuple[str, str] | None
    """The person who switched to it without a pass of the gate, and their sentence; None if it passed."""
    prompt: Prompt
    questions: int
    rows: dict[str, tuple[int, int]]
    """Category id → (training rows, held-out rows)."""
    trained: int
    """Training questions, equal texts counted once, that the serving release was trained on in their present form."""
    untrained: int
    """All other training questions that the student's trainer may get, counted the same way."""
    finetunes: list[Finetune]
    inbox_open: int
    outbox_open: int
    outbox_age: timedelta
    current: Prompt
    """The prompt for exports and new fine-tunes; `prompt` is the serving one."""
    unfit: list[Release]
    """Fine-tuned releases whose prompt is not the current one."""
    spend: Spend
    disagreements: list[tuple[str, str, int]]
    """Pairs of categories that staff disagree on, for the same or a similar question, and how often; most first."""
    replicas: list[Replica]
    """The live replicas, oldest first."""
    mirror: MirrorState | None
    """None without a tracker."""
    cut_prompts: list[tuple[str, int, int]]
    """Models whose providers read only a part of the prompt, with the tokens that they billed and that we count."""
    unreadable: dict[str, str]
    """Watched channels that the bot cannot read: id → Slack's error."""
    other_encoders: list[tuple[Release, str]]
    """Releases of the embedded model that can't answer here, with the encoder they need; the serving one first."""
    forgotten: dict[str, int]
    """Name of a fine-tuned version that is in use or could be → how many of its training examples were forgotten."""
    settlers: dict[str, dict[str, int]] = {}  # noqa: RUF012 - pydantic copies it
    """Person → category id → rows that this person settled, most first."""
    aside: SetAside = SetAside()
    """The rows set aside, until an admin looks or for good."""
    seconded: tuple[int, int] = (0, 0)
    """Held-out rows on which two people of staff agree, and all held-out rows."""
    limited: int = 0
    """Questions of the last `LIMITED_FOR` that were beyond the limit per hour."""
    stale_threshold: float | None = None
    """A threshold of the serving release that is not applied: the embedded model has changed since it was chosen."""
    training_allowed: bool = True
    """Whether new versions may be trained; if not, an admin has to allow it first."""


class Reporting:
    """A reader of the state of the loop; it changes nothing."""

    def __init__(  # noqa: PLR0913, PLR0917 - every port is needed
        self,
        store: Store,
        clock: Clock,
        spending: Spending,
        neighbours: Neighbours,
        mirror_state: ReadMirror | None = None,
        embedded: Embedded | None = None,
        permitting: Permitting | None = None,
        *,
        guarded: bool = True,
    ) -> None:
        self._guarded = guarded
        self._permitting = permitting
        self._mirror_state = mirror_state
        self._embedded = embedded or NothingEmbedded()
        self._store = store
        self._neighbours = neighbours
        self._clock = clock
        self._spending = spending

    async def status(self) -> Status:
        """Return the present state.

        Raises:
            LookupError: No release serves yet.
        """
        conflicts = await self._neighbours.conflicts()
        contested = {group for conflict in conflicts for group in conflict.groups}
        async with self._store.snapshot() as tx:
            serving = await tx.releases.serving()
            prompt = await tx.prompts.get(serving.prompt_id) if serving else None
            if serving is None or prompt is None:
                raise LookupError("no release serves")
            entered = next(e for e in await tx.releases.history(limit=1_000) if e.release_id == serving.id)
            current = await current_prompt(tx)
            finetune = await tx.finetunes.get(serving.finetune_id) if serving.finetune_id else None
            kinds = await tx.rows.kinds(finetune)
            usable = await _count_usable(tx, kinds, contested, finetune)
            counts: Counter[tuple[str, Split]] = Counter()
            for kind, n in kinds.items():
                counts[kind.category, kind.split] += n
            permission = await self._permitting.read(tx) if self._permitting else None
            private = permission is None or permission.private
            open_entries, age = await tx.outbox.lag(self._clock.now())
            categories = {category for category, _ in counts}
            releases = await tx.releases.all()
            forgotten = await tx.forgetting.trained_on()
            applied = serving.under(self._embedded.revision(serving.model))
            status = Status(
                serving=applied,
                serving_since=entered.at,
                overridden=(entered.by, entered.note) if entered.note else None,
                prompt=prompt,
                questions=await tx.questions.count(),
                rows={
                    c: (counts.get((c, Split.TRAIN), 0), counts.get((c, Split.HELD_OUT), 0)) for c in sorted(categories)
                },
                trained=sum(n for row, n in usable.items() if row.learned),
                untrained=sum(n for row, n in usable.items() if not row.learned and (row.public or private)),
                finetunes=await tx.finetunes.newest(5),
                inbox_open=await tx.inbox.open(),
                outbox_open=open_entries,
                outbox_age=age,
                current=current,
                unfit=[r for r in releases if r.finetune_id and r.prompt_id != current.id],
                spend=await self._spending.month(tx),
                disagreements=await _disagreements(tx, conflicts),
                replicas=await tx.replicas.seen(self._clock.now() - REPLICA_SILENT_AFTER),
                mirror=await self._mirror_state(tx, self._clock.now()) if self._mirror_state else None,
                cut_prompts=await _cut_prompts(tx),
                unreadable=json.loads(await tx.cursors.get(UNREADABLE_CURSOR) or "{}"),
                other_encoders=[],
                settlers=settlers_of(kinds),
                aside=await read_aside(tx, counts.total()) if self._guarded else SetAside(),
                seconded=(
                    await tx.corrections.seconded(),
                    sum(n for (_, side), n in counts.items() if side is Split.HELD_OUT),
                ),
                limited=await tx.inbox.limited(self._clock.now() - LIMITED_FOR),
                training_allowed=permission is None or permission.allowed,
                forgotten={
                    one.name: forgotten[one.finetune_id]
                    for one in releases
                    if one.finetune_id in forgotten and one.finetune_id is not None
                },
                stale_threshold=serving.unsure_below if applied.unsure_below is None else None,
            )
        return status.model_copy(update={"other_encoders": await self._other_encoders(serving, releases)})

    async def _other_encoders(self, serving: Release, releases: Sequence[Release]) -> list[tuple[Release, str]]:
        newest = [release for release in releases if release.finetune_id and release.id != serving.id]
        asked = [serving, *newest[:MOST_RELEASES]]
        return [(one, needed) for one in asked if (needed := await self._embedded.other_encoder(one.model))]


async def _count_usable(
    tx: Transaction, kinds: Mapping[Kind, int], contested: AbstractSet[str], finetune: Finetune | None
) -> Counter[Counted]:
    """Count the rows for training. A row that was settled again after the export differs from what was trained on."""
    several = await tx.rows.several(Split.TRAIN, finetune)
    groups = {row.group for row in several}
    alone = await tx.rows.in_groups_counted(Split.TRAIN, contested - groups, finetune)
    return await asyncio.to_thread(count_usable, kinds, several, alone, contested)


async def _cut_prompts(tx: Transaction) -> list[tuple[str, int, int]]:
    found = []
    for model in sorted({str(release.model) for release in await tx.releases.all()}):
        billed, _, counted = (await tx.cursors.get(f"{CUT_PROMPT}{model}") or "").partition("/")
        if counted:
            found.append((model, int(billed), int(counted)))
    return found


async def _disagreements(tx: Transaction, conflicts: Sequence[Conflict]) -> list[tuple[str, str, int]]:
    """Count the pairs of categories in contested corrections (`Corrections.contested`) and in open conflicts."""
    counted = Counter(await tx.corrections.contested())
    for conflict in conflicts:
        counted.update(combinations(conflict.categories, 2))
    return [(one, other, n) for (one, other), n in counted.most_common(MOST_PAIRS)]
