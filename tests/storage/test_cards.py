"""The parts of a card, in one statement."""

from datetime import timedelta

from bot.domain.correction import CorrectionKind
from bot.domain.feedback import FeedbackKind
from bot.domain.signal import Signal, SignalKind
from bot.ports import Store
from tests.storage.things import NOW, PROMPT, add_answered_question, correction, feedback, question, release, verdict


async def test_question_without_a_verdict_has_no_card(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.questions.add(question())
        assert await tx.cards.parts(question()) is None


async def test_untouched_card_has_only_its_verdict(store: Store) -> None:
    async with store.transaction() as tx:
        await add_answered_question(tx)
        parts = await tx.cards.parts(question())
        stored = await tx.releases.get(release().id)
        assert parts
        assert (parts.verdict, parts.release, parts.prompt) == (verdict(), stored, PROMPT)
        assert parts[3:] == (None, None, False, False)


async def test_newest_of_everything_is_shown(store: Store) -> None:
    undone, other = correction(2, CorrectionKind.UNDO), question(2)
    taken = Signal(question_id="q1", message_ts="1.1", kind=SignalKind.TAKEN, by="U5", at=NOW)
    async with store.transaction() as tx:
        await add_answered_question(tx)
        await tx.questions.add(other)
        await tx.questions.add_verdict(verdict(2, other.id))
        await tx.questions.add_verdict(verdict(3).model_copy(update={"category": "other", "confidence": None}))
        for one in (correction(), undone):
            await tx.corrections.add(one)
        for said in (feedback(), feedback(2, FeedbackKind.OTHER)):
            await tx.feedback.add(said)
        await tx.signals.put(taken)
        await tx.questions.put_second(question().second("PC が動きません"))
        parts, beside = await tx.cards.parts(question()), await tx.cards.parts(other)
        assert parts
        assert beside
        assert (parts.verdict.id, parts.correction, parts.signalled, parts.paired) == ("v3", undone, True, True)
        assert parts.feedback == feedback(2, FeedbackKind.OTHER)
        assert (beside.verdict.id, beside[3:]) == ("v2", (None, None, False, False))
        await tx.signals.put(taken.model_copy(update={"withdrawn": True, "at": NOW + timedelta(seconds=1)}))
        await tx.questions.drop_second(question())
        parts = await tx.cards.parts(question())
        assert parts
        assert (parts.signalled, parts.paired) == (False, False)
