"""Corrections by staff, and the dataset rows that they make."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from bot.domain.card import Card
from bot.domain.correction import Correction, CorrectionKind, Press
from bot.domain.dataset import Row, Source, group_of, split_of
from bot.domain.errors import Reason, Refused
from bot.domain.masking import masked
from bot.domain.similar import is_same_question
from bot.ports import Clock, Neighbours, OutboxItem, Store, Transaction
from bot.questions.batched_writes import BatchedWrites, SharedTransactions
from bot.questions.cards import card_of, update_card
from bot.questions.classifying import RECHECK_TOPIC
from bot.questions.delivering import Delivering
from bot.similarity.typos import is_typo


class QueuedUpdates:
    """Updates of settled cards that go to the queue, for any worker."""

    def __init__(self) -> None:
        self.more = False
        """Whether the settlement queued other entries too."""

    async def add(self, tx: Transaction, _before: Card, after: Card) -> None:
        """Add the update of a card that was just settled."""
        await update_card(tx, after.question, _moment(after))

    def hand_over(self) -> None:
        """Pass on what was claimed, after the commit."""


class ClaimedUpdates(QueuedUpdates):
    """Updates for a waiting worker of this process, which need not look for them, nor read the card.

    Args:
        deliverers: The workers.
    """

    def __init__(self, deliverers: Delivering) -> None:
        super().__init__()
        self._deliverers = deliverers
        self._claimed: tuple[OutboxItem, Card | None] | None = None

    async def add(self, tx: Transaction, before: Card, after: Card) -> None:
        item = await self._deliverers.add_card(tx, after.question, _moment(after))
        if item:
            # Later settlements may bring a category that the release lacks, and two questions share a message.
            alone = before.settled is None and not after.question.part_of and not after.paired
            self._claimed = item, after if alone and after.question.card_ts else None

    def hand_over(self) -> None:
        if self._claimed:
            self._deliverers.hand_over(*self._claimed, more=self.more)


def _moment(card: Card) -> datetime:
    if card.settled is None:
        raise ValueError("the card is not settled")
    return card.settled.at


PRESSES_PER_TRANSACTION = 16
"""Upper bound for presses that share a transaction, and that share the reads before it."""
NO_GROUPS: Mapping[str, str] = MappingProxyType({})


class Correcting:
    """The settlement of questions, and its undoing.

    The caller checks who may do so (handlers/slack/guard.py) and passes that id.
    """

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock
        self._grouping = BatchedWrites[str, dict[str, str]](
            lambda ids: groups_of(store, neighbours, ids), PRESSES_PER_TRANSACTION
        )
        self._shared = SharedTransactions(store, PRESSES_PER_TRANSACTION)
        self.deliverers: Delivering | None = None
        """Take the updates of cards at once; None leaves them in the queue."""

    async def settle(self, press: Press) -> Card:
        """Write a correction, its row and the card's update in one transaction. A repeated press changes nothing.

        Presses at the same moment share a transaction, also with the ends of deliveries.

        There is no row while an author of the question's words has not agreed (`Consenting`).

        Returns:
            The card as it is now.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_SENT, if it is a direct message that its asker keeps; UNKNOWN_CATEGORY;
                SETTLED_MEANWHILE with `card`, if somebody else was first. The caller then shows that settlement, and
                the person may press again.
        """
        groups = await self._grouping.do(press.question_id)

        async def settle(tx: Transaction) -> tuple[Card, QueuedUpdates]:
            updates = ClaimedUpdates(self.deliverers) if self.deliverers else QueuedUpdates()
            return await self.settle_within(tx, press, groups, updates), updates

        shared = self.deliverers.shared if self.deliverers else self._shared
        card, updates = await shared.run(settle)
        updates.hand_over()
        return card

    async def settle_within(
        self,
        tx: Transaction,
        press: Press,
        groups: Mapping[str, str] = NO_GROUPS,
        updates: "QueuedUpdates | None" = None,
    ) -> Card:
        """Do what `settle` does, as a part of a larger transaction.

        Args:
            tx: The transaction.
            press: The press.
            groups: Text → the group that it joins (`Neighbours.groups`), used if the question has no row for its text.
                A text that is not in it founds a group of its own.
            updates: Takes the card's update; by default it is queued.

        Raises:
            Refused: As in `settle`.
        """
        card = await self._locked_card(tx, press.question_id)
        category = press.category or card.verdict.category
        if card.prompt.category(category) is None:
            raise Refused(Reason.UNKNOWN_CATEGORY, category=category)
        now = self._clock.now()
        updates = updates or QueuedUpdates()
        settled = await self._settle(tx, card, press, now, groups, updates)
        updates.more |= await self._tell_owner(tx, card, settled, press.by, now)
        before = (card.settled or card.verdict).category
        for row in await _repeated_rows(tx, card) if category != before else ():
            if row.category == before:
                # Its owner is not told: it was asked long ago, and this question is the news.
                updates.more = True
                await self._resettle(tx, row, category, press.by, now)
        return settled

    async def _settle(
        self,
        tx: Transaction,
        card: Card,
        press: Press,
        now: datetime,
        groups: Mapping[str, str] = NO_GROUPS,
        updates: "QueuedUpdates | None" = None,
    ) -> Card:
        category = press.category or card.verdict.category
        settled = card.settled
        if settled and settled.by == press.by and settled.category == category and press.reason is None:
            return card
        if press.seen != card.seen:
            raise Refused(Reason.SETTLED_MEANWHILE, card=card)
        correction = Correction(
            question_id=press.question_id,
            seq=card.seen + 1,
            kind=CorrectionKind.AGREE if category == card.verdict.category else CorrectionKind.CHANGE,
            verdict_id=card.verdict.id,
            category=category,
            reason=masked(press.reason) if press.reason else kept_reason(category, settled),
            by=press.by,
            at=now,
        )
        await tx.corrections.add(correction)
        await tx.questions.settle(press.question_id, category)
        if not card.question.withheld:
            await put_row(tx, card, correction, groups)
        now_settled = card.model_copy(update={"settled": correction, "seen": correction.seq})
        await (updates or QueuedUpdates()).add(tx, card, now_settled)
        return now_settled

    async def resettle(
        self, tx: Transaction, row: Row, category: str, by: str, now: datetime, reason: str | None = None
    ) -> None:
        """Give a settled row another category. A question's row also gets a correction, as on its card.

        An imported row has no question; it keeps its origin, and the person becomes its author.
        """
        resettled = await self._resettle(tx, row, category, by, now, reason)
        if resettled:
            await self._tell_owner(tx, *resettled, by, now)

    async def _resettle(
        self, tx: Transaction, row: Row, category: str, by: str, now: datetime, reason: str | None = None
    ) -> tuple[Card, Card] | None:
        """Do what `resettle` does, without telling the owner; return a question's card before and after."""
        question = await tx.questions.get(row.id, lock=True)
        card = await card_of(tx, question) if question else None
        if card:
            press = Press(question_id=row.id, category=category, seen=card.seen, by=by, reason=reason)
            return card, await self._settle(tx, card, press, now)
        locked = await tx.rows.get(row.id, lock=True)
        if locked:  # unless it was forgotten or withdrawn since the caller read it
            settled = {"category": category, "reason": None, "source": Source.CHANGE, "by": by, "settled_at": now}
            await tx.rows.put(locked.model_copy(update=settled))
        return None

    async def _tell_owner(self, tx: Transaction, before: Card, after: Card, by: str, now: datetime) -> bool:
        """Queue a message to the asker and the new owner, if the question moved: to a category, or from a guess.

        Returns:
            Whether one was queued.
        """
        moved = after.category != before.category or after.owner != before.owner
        told = moved and bool({after.owner, after.question.asker} - {None, by})
        if told:
            await tx.outbox.add("owner", after.question.id, {"seq": str(after.seen)}, now)
        return told

    async def undo(self, question_id: str, seen: int, by: str) -> Card:
        """Take back the newest correction: the question is open again and its row is withdrawn.

        If the correction also settled the rows that memory had repeated, these are taken back with it.

        Returns:
            The card as it is now.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_SENT; NOTHING_TO_UNDO; SETTLED_MEANWHILE with `card`.
        """
        async with self._store.transaction() as tx:
            card = await self._locked_card(tx, question_id)
            if seen != card.seen:
                raise Refused(Reason.SETTLED_MEANWHILE, card=card)
            if card.settled is None:
                raise Refused(Reason.NOTHING_TO_UNDO)
            now, taken_back = self._clock.now(), (card.settled.at, card.settled.by)
            for row in await _repeated_rows(tx, card):
                if (row.settled_at, row.by) == taken_back:
                    await self._withdraw(tx, row, by, now)
            return await self._reopen(tx, card, card.settled, by, now)

    async def _withdraw(self, tx: Transaction, row: Row, by: str, now: datetime) -> None:
        question = await tx.questions.get(row.id, lock=True)
        card = await card_of(tx, question) if question else None
        if card and card.settled:
            await self._reopen(tx, card, card.settled, by, now)
        else:
            await tx.rows.withdraw(row.id, now)

    async def _reopen(self, tx: Transaction, card: Card, settled: Correction, by: str, now: datetime) -> Card:
        question_id = card.question.id
        undo = {"seq": card.seen + 1, "kind": CorrectionKind.UNDO, "by": by, "reason": None, "at": now}
        await tx.corrections.add(settled.model_copy(update=undo))
        await tx.questions.settle(question_id, None)
        await tx.rows.withdraw(question_id, now)
        await update_card(tx, card.question, now)
        if card.verdict.provisional:
            # The recheck was dropped when staff settled the question.
            await tx.outbox.add(RECHECK_TOPIC, question_id, {}, now)
        return card.model_copy(update={"settled": None, "seen": card.seen + 1})

    async def card(self, question_id: str) -> Card:
        """Return the card as it is now, for a modal.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_SENT.
        """
        async with self._store.snapshot() as tx:
            question = await tx.questions.get(question_id)
            return _correctable(await card_of(tx, question) if question else None)

    async def _locked_card(self, tx: Transaction, question_id: str) -> Card:
        question = await tx.questions.get(question_id, lock=True)
        return _correctable(await card_of(tx, question) if question else None)


def _correctable(card: Card | None) -> Card:
    if card is None:
        raise Refused(Reason.UNKNOWN_QUESTION)
    if card.question.unsent:
        raise Refused(Reason.NOT_SENT)
    return card


async def groups_of(store: Store, neighbours: Neighbours, question_ids: Sequence[str]) -> list[dict[str, str]]:
    """Return for each question its text → the group that this joins, as if it were the only one.

    Call this before a transaction, because `Neighbours.groups` opens its own. A text edited in between founds a group.
    """
    # No snapshot: on SQLite its statements run in another thread, and three short ones are not worth that.
    async with store.transaction() as tx:
        texts = await tx.questions.texts(question_ids)
        changes = await neighbours.changes(tx) if texts else None
    found = [texts[one] for one in question_ids if one in texts]
    if changes is None:
        groups = [group for text in found for group in await neighbours.groups([text])]
    else:
        groups = await neighbours.groups(found, changes)
    joined = dict(zip(found, groups, strict=True))
    return [{texts[one]: joined[texts[one]]} if one in texts else {} for one in question_ids]


async def put_row(tx: Transaction, card: Card, correction: Correction, groups: Mapping[str, str]) -> None:
    """Store the row that a correction makes. A row of the same text stays in its group."""
    text = card.question.text
    # A question that was never corrected has no row but from an import, and `groups` says which group that one is in.
    row = None if card.seen == 0 and text in groups else await tx.rows.get(card.question.id)
    group = row.group if row and row.text == text else groups.get(text, group_of(text))
    await tx.rows.put(row_of(card, correction, group))


async def _repeated_rows(tx: Transaction, card: Card) -> list[Row]:
    """Return the other rows that ask the same as the row which memory repeated on this card; none without memory.

    A correction of such an answer is a correction of these rows: it is one settlement, however often people ask.
    """
    source = await tx.rows.get(card.verdict.settled_row) if card.verdict.settled_row else None
    alike = await tx.rows.in_groups([source.group]) if source else []
    return [
        row
        for row in alike
        if source and row.id != card.question.id and is_same_question(row.text, source.text, is_typo)
    ]


def kept_reason(category: str, settled: Correction | None) -> str | None:
    """Return staff's earlier reason for this category, which stays when the category is settled again without one."""
    return settled.reason if settled and settled.category == category else None


def row_of(card: Card, correction: Correction, group: str) -> Row:
    """Return the row that a correction makes in this group.

    The row's reason argues for its category. It is staff's own, or the verdict's if staff agreed, or none.
    """
    agreed = correction.kind is CorrectionKind.AGREE
    question = card.question
    return Row(
        id=question.id,
        text=question.text,
        group=group,
        category=correction.category,
        reason=correction.reason or (card.verdict.reason if agreed else None) or None,
        split=split_of(group),
        source=Source.AGREE if agreed else Source.CHANGE,
        by=correction.by,
        team=question.place.team,
        channel=question.place.channel,
        ts=question.place.ts,
        settled_at=correction.at,
        audience=question.audience,
    )
