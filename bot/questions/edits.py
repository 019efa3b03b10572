"""Edits of messages: the question is classified anew, unless staff have settled it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot.domain import intake
from bot.domain.card import Card
from bot.domain.consent import merged
from bot.domain.question import Arrival, Ending, InboxItem, Question, Verdict
from bot.ports import Clock, Store, Transaction
from bot.questions.arrivals import Arrivals, ask_authors, ask_shadow, question_id, texts_of
from bot.questions.cards import card_of, tell_added_owner, tell_new_owner, update_card
from bot.questions.classifying import Classifying, ServingRelease

IN_FLIGHT = timedelta(minutes=10)
"""A message younger than this may still be on its way: Slack delivers a lost event again after up to six minutes."""


class MessageEdits:
    """The handling of edits. A row keeps the text that staff judged, so an edit after a settlement changes nothing."""

    def __init__(
        self,
        store: Store,
        classifying: Classifying,
        arrivals: Arrivals,
        clock: Clock,
        is_over_limit: Callable[[InboxItem], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._classifying = classifying
        self._arrivals = arrivals
        self._clock = clock
        self._is_over_limit = is_over_limit

    async def stands_for_question(self, item: InboxItem) -> bool:
        """Process an edit to its end, unless it stands for a question that was never answered.

        Returns:
            True if the edit must be answered as a question: the first version comes too late, or never.
        """
        edit, finish = item.arrival, self._arrivals.finish
        async with self._store.transaction() as tx:
            # The order matters. If the question's arrival ends between the two reads, the question is read with its
            # card. In reverse order it would have neither a card nor a worker, and the edit would be dropped.
            others = await tx.inbox.of(edit.place)
            question = await tx.questions.at(edit.place.team, edit.place.channel, edit.place.ts)
            second = await tx.questions.second(question) if question else None
            known = [one for one in (question, second) if one]
            cards = [await card_of(tx, one) for one in known]
            serving = await self._classifying.serving(tx)
        # If an earlier try of this edit stored the question, the edit must be answered. The first version is then
        # ignored as a duplicate, and newer edits wait for this one.
        tried = question is not None and question.card_ts is None and question.id == question_id(edit)
        if any(ending is Ending.CARE for _, ending in others):
            await finish(item, Ending.IGNORED, "edited_after_care")  # its asker has somebody to turn to
        elif not tried and any(other.after(edit) for other, _ in others):
            await finish(item, Ending.IGNORED, "edited_again")
        elif tried or (question is None and self._comes_first(edit)):
            return True
        elif question is None or changes_nothing(edit, known):
            await finish(item, Ending.IGNORED, "edit_changes_nothing")
        elif any(card and card.settled for card in cards):
            await finish(item, Ending.IGNORED, "edited_after_settlement")
        elif question.card_ts:
            await self._classify_anew(item, known, serving)
        elif any(ending is None and edit.after(other) for other, ending in others):
            await self._arrivals.try_later(item)  # the first version is being answered
        else:
            await finish(item, Ending.IGNORED, "first_answer_missing")
        return False

    def _comes_first(self, edit: Arrival) -> bool:
        """Return whether the first version of the message may still be on its way."""
        age = self._clock.now() - datetime.fromtimestamp(float(edit.place.ts), UTC)
        return age < IN_FLIGHT and intake.notice_for(edit) is None

    async def _classify_anew(self, item: InboxItem, known: Sequence[Question], serving: ServingRelease) -> None:
        if await self._is_over_limit(item):
            return
        edited, memory = _edited(item.arrival, known), self._classifying.memory
        found = {one.id: await memory.look_up(one, serving.prompt) for one in edited}
        verdicts: dict[str, Verdict] = {}
        overtaken: str | None = None
        while True:
            async with self._store.transaction() as tx:
                # An answer from memory is given in the transaction that stores it.
                for one in edited:
                    same = found.get(one.id)
                    verdict = await memory.verdict(tx, one, *serving, same) if same else None
                    verdicts |= {one.id: verdict} if verdict else {}
                missing = [one for one in edited if one.id not in verdicts]
                if not missing:
                    overtaken = await self._overtaken(tx, item, edited, verdicts)
                    break
            for one in missing:
                found.pop(one.id)
                verdicts[one.id] = await self._classifying.verdict(
                    one, serving, lambda tx: self._arrivals.hold(tx, item)
                )
            verdicts = {of: verdict for of, verdict in verdicts.items() if not verdict.from_memory}
        first = verdicts.get(known[0].id) or next(iter(verdicts.values()), None)
        ending = Ending.IGNORED if overtaken else Ending.ANSWERED
        await self._arrivals.finish(item, ending, overtaken or "edited", verdict=first)

    async def _overtaken(
        self, tx: Transaction, item: InboxItem, edited: Sequence[Question], verdicts: dict[str, Verdict]
    ) -> str | None:
        """Store the edit, or return the reason it became void while it was classified."""
        await self._arrivals.hold(tx, item)
        place = item.arrival.place
        question = await tx.questions.at(place.team, place.channel, place.ts)
        question = await tx.questions.get(question.id, lock=True) if question else None
        second = await tx.questions.second(question) if question else None
        second = await tx.questions.get(second.id, lock=True) if second else None
        cards = [await card_of(tx, one) for one in (question, second) if one]
        if question is None or any(card and card.settled for card in cards):
            return "edited_after_settlement"
        if any(other.after(item.arrival) for other, _ in await tx.inbox.of(place)):
            return "edited_again"
        before = {card.question.id: card for card in cards if card}
        await update_card(tx, question, self._clock.now())
        for one in edited:
            await self._store_edit(tx, one, verdicts[one.id], question, before)
        if second and len(texts_of(item.arrival)[0]) == 1:
            await tx.questions.drop_second(question)
        return None

    async def _store_edit(
        self, tx: Transaction, edited: Question, verdict: Verdict, first: Question, before: dict[str, Card]
    ) -> None:
        """Store an edited question, or a second one that the edit added, and tell a new owner."""
        now = self._clock.now()
        if edited.part_of:
            await tx.questions.put_second(edited.model_copy(update={"card_ts": first.card_ts}))
        else:
            authors = merged(edited.authors, first.authors, edited.place.channel, edited.place.ts)
            edited = edited.model_copy(update={"authors": authors})
            await tx.questions.edit(edited)
        await self._classifying.keep(tx, verdict)
        if edited.id in before:
            await tell_new_owner(tx, before[edited.id], verdict, now)
        else:
            await tell_added_owner(tx, edited, before.get(first.id), now)
        await ask_shadow(tx, edited, verdict, now)
        await ask_authors(tx, edited, now, asked=first.authors)


def _edited(edit: Arrival, known: Sequence[Question]) -> list[Question]:
    """Return the questions of the message that the edit changes or adds, as they are then."""
    (text, *others), was_cut = texts_of(edit)
    changed = {"text": text, "cut": was_cut, "unread": edit.unread or None, "authors": edit.authors}
    first = known[0].model_copy(update=changed)
    after = [first, *map(first.second, others)]
    if len(known) == len(after) == 1:
        return after
    before = {one.id: one.text for one in known}
    # The first question also keeps what was not read of the message.
    return [one for one in after if before.get(one.id) != one.text]


def changes_nothing(edit: Arrival, known: Sequence[Question]) -> bool:
    """Return whether the edited text has no words or equals the text of the questions."""
    texts, _ = texts_of(edit)
    return not intake.words_of(intake.cut(edit.whole)[0]) or [one.text for one in known] == list(texts)
