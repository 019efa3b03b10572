from datetime import datetime, timedelta

from bot.domain.audience import Audience
from bot.domain.digest import AskedWeek
from bot.domain.feedback import FeedbackKind
from bot.domain.question import Place
from bot.domain.signal import Signal, SignalKind
from bot.ports import Store, Transaction
from tests.storage.things import NOW, PROMPT, correction, feedback, question, release, verdict

DAY = timedelta(days=1)


async def ask(
    transaction: Transaction, n: int, at: datetime = NOW, audience: Audience = Audience.PUBLIC, channel: str = "C1"
) -> None:
    """Add a question that was answered with the category *labor*."""
    place = Place(team="T1", channel=channel, ts=f"{n}.1")
    asked = question(n).model_copy(update={"asked_at": at, "audience": audience, "card_ts": f"{n}.2", "place": place})
    await transaction.questions.add(asked)
    await transaction.questions.add_verdict(verdict(n, f"q{n}"))


async def test_private_questions_are_only_counted(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.releases.add(release(), "U3", "first")
        await ask(transaction, 1, NOW - DAY, Audience.DIRECT, "D1")
        await ask(transaction, 2, NOW - DAY, Audience.PRIVATE)
        await ask(transaction, 3, NOW - DAY, Audience.UNKNOWN)
        await ask(transaction, 4)
        await ask(transaction, 5, NOW + DAY)
        await ask(transaction, 6)
        await transaction.questions.set_aside("q6", aside=True)
        weeks = transaction.weeks
        assert await weeks.asked(NOW - DAY, NOW + DAY) == AskedWeek(public={"labor": 1}, private=3)
        await transaction.questions.settle("q4", "other")
        assert await weeks.asked(NOW, NOW + 2 * DAY) == AskedWeek(public={"labor": 1, "other": 1}, private=0)
        waiting = await weeks.waiting(NOW - DAY, NOW + 2 * DAY)
        assert waiting is not None
        assert waiting.ts == "5.1"
        await transaction.signals.put(
            Signal(question_id="q5", message_ts="5.1", kind=SignalKind.TAKEN, by="U2", at=NOW + DAY)
        )
        assert await weeks.waiting(NOW - DAY, NOW + 2 * DAY) is None


async def test_pair_is_confused_from_the_second_time(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.releases.add(release(), "U3", "first")
        for n in (1, 2, 3):
            await ask(transaction, n, audience=Audience.PRIVATE if n == 3 else Audience.PUBLIC)
        for n, wanted in ((1, None), (3, None), (2, ("labor", "other", 2))):
            moved = correction().model_copy(update={"question_id": f"q{n}", "verdict_id": f"v{n}"})
            await transaction.corrections.add(moved)
            assert await transaction.weeks.confused(NOW, NOW + DAY) == wanted
        assert await transaction.weeks.confused(NOW - DAY, NOW) is None


async def test_solved_question_waits_for_nobody(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.prompts.put(PROMPT)
        await transaction.releases.add(release(), "U3", "first")
        await ask(transaction, 1)
        await ask(transaction, 2)
        await transaction.feedback.add(feedback(1, FeedbackKind.SOLVED))
        for seq in (1, 2):
            await transaction.feedback.add(feedback(seq).model_copy(update={"question_id": "q2"}))
        waiting = await transaction.weeks.waiting(NOW, NOW + DAY)
        assert waiting is not None
        assert waiting.ts == "2.1"
