"""Edits of messages: the question is classified anew, unless staff have settled it."""

from datetime import UTC, datetime, timedelta

from bot.domain import intake
from bot.domain.consent import merged
from bot.domain.question import Arrival, Ending, InboxItem, Question, Verdict
from bot.ports import Clock, Store, Transaction
from bot.questions.arrivals import Arrivals, ask_authors, ask_shadow, question_id
from bot.questions.cards import card_of, tell_new_owner
from bot.questions.classifying import Classifying, ServingRelease

IN_FLIGHT = timedelta(minutes=10)
"""A message younger than this may still be on its way: Slack delivers a lost event again after up to six minutes."""


class MessageEdits:
    """Processes edits. A row keeps the text that staff judged, so an edit after a settlement changes nothing."""

    def __init__(self, store: Store, classifying: Classifying, arrivals: Arrivals, clock: Clock) -> None:
        self._store = store
        self._classifying = classifying
        self._arrivals = arrivals
        self._clock = clock

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
            card = await card_of(tx, question) if question else None
            serving = await self._classifying.serving(tx)
        if any(other.after(edit) for other, _ in others):
            await finish(item, Ending.IGNORED, "edited_again")
        elif any(ending is Ending.CARE for _, ending in others):
            await finish(item, Ending.IGNORED, "edited_after_care")  # its asker has somebody to turn to
        elif self._is_unanswered(edit, question):
            return True
        elif question is None or changes_nothing(edit, question):
            await finish(item, Ending.IGNORED, "edit_changes_nothing")
        elif card and card.settled:
            await finish(item, Ending.IGNORED, "edited_after_settlement")
        elif question.card_ts:
            await self._classify_anew(item, question, serving)
        elif any(ending is None and edit.after(other) for other, ending in others):
            await self._arrivals.try_later(item)  # the first version is being answered
        else:
            await finish(item, Ending.IGNORED, "first_answer_missing")
        return False

    def _is_unanswered(self, edit: Arrival, known: Question | None) -> bool:
        """Return whether the message has not arrived yet, or only through an earlier try of this edit."""
        if known:
            return known.card_ts is None and known.id == question_id(edit)
        age = self._clock.now() - datetime.fromtimestamp(float(edit.place.ts), UTC)
        return age < IN_FLIGHT and intake.notice_for(edit) is None

    async def _classify_anew(self, item: InboxItem, question: Question, serving: ServingRelease) -> None:
        arrival, (text, was_cut) = item.arrival, intake.cut(item.arrival.whole)
        changed = {"text": text, "cut": was_cut, "unread": arrival.unread or None, "authors": arrival.authors}
        edited = question.model_copy(update=changed)
        memory = self._classifying.memory
        found = await memory.look_up(edited, serving.prompt)
        async with self._store.transaction() as tx:
            verdict = await memory.verdict(tx, edited, *serving, found) if found else None
            overtaken = await self._overtaken(tx, item, edited, verdict) if verdict else None
        if verdict is None:
            verdict = await self._classifying.verdict(edited, serving, lambda tx: self._arrivals.hold(tx, item))
            async with self._store.transaction() as tx:
                overtaken = await self._overtaken(tx, item, edited, verdict)
        ending = Ending.IGNORED if overtaken else Ending.ANSWERED
        await self._arrivals.finish(item, ending, overtaken or "edited", verdict=verdict)

    async def _overtaken(self, tx: Transaction, item: InboxItem, edited: Question, verdict: Verdict) -> str | None:
        """Store the edit, or return the reason it became void while it was classified."""
        await self._arrivals.hold(tx, item)
        question = await tx.questions.get(edited.id, lock=True)
        card = await card_of(tx, question) if question else None
        if question is None or (card and card.settled):
            return "edited_after_settlement"
        if any(other.after(item.arrival) for other, _ in await tx.inbox.of(edited.place)):
            return "edited_again"
        now = self._clock.now()
        authors = merged(edited.authors, question.authors, edited.place.channel, edited.place.ts)
        edited = edited.model_copy(update={"authors": authors})
        await tx.questions.edit(edited)
        await self._classifying.keep(tx, verdict)
        await tx.outbox.add("card", edited.id, {}, now)
        if card:
            await tell_new_owner(tx, card, verdict, now)
        await ask_shadow(tx, edited, verdict, now)
        await ask_authors(tx, edited, now, asked=question.authors)
        return None


def changes_nothing(edit: Arrival, question: Question) -> bool:
    """Return whether the edited text has no words or equals the question's text."""
    text, _ = intake.cut(edit.whole)
    return not intake.words_of(text) or question.text == text
