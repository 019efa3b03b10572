"""A reminder of a question that nobody took up: once, within working hours, off by default."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.corrections.signalling import Signalling
from bot.domain.prompt import Category, Prompt
from bot.domain.signal import SignalKind
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from bot.questions.delivering import Delivering
from bot.releases.releasing import Releasing
from storage.database import Database
from storage.store import SqlStore
from tests.bot.things import BASE, arrival
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer

MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PROMPT = Prompt(
    language="ja",
    template="分類してください。",
    categories=(Category(id="labor", name="労務", owner="U5"), Category(id="other", name="その他", other=True)),
)


class ReminderDesk:
    """One question that was answered, and the deliverer of reminders."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        self.store = store
        self.clock = clock
        self.board = FakeAnnouncer()
        self.question = ""

    async def ask(self, hours: float | None) -> None:
        await Releasing(self.store, self.clock).ensure(PROMPT, BASE)
        classifying = Classifying(self.store, RuleModel({"有給": "labor"}), MemoryNeighbours(), self.clock)
        after = timedelta(hours=hours) if hours else None
        answering = Answering(self.store, classifying, self.board, self.clock, remind_after=after)
        await answering.receive(arrival())
        await answering.answer_next()
        (self.question,) = self.board.cards

    async def after(self, hours: float) -> int:
        """Let time pass, deliver what is due, and return how many reminders were posted."""
        self.clock.advance(seconds=hours * 3600)
        delivering = Delivering(self.store, self.board, self.clock)
        while await delivering.deliver_next():
            pass
        return len(self.board.reminded)


@pytest.fixture
def desk(database: Database, clock: StepClock) -> ReminderDesk:
    clock.advance(seconds=(MONDAY - clock.now()).total_seconds())
    return ReminderDesk(SqlStore(database), clock)


async def test_owner_is_reminded_once(desk: ReminderDesk) -> None:
    await desk.ask(hours=4)
    assert await desk.after(3) == 0
    assert await desk.after(2) == 1
    assert await desk.after(48) == 1


async def test_reminder_waits_for_the_morning(desk: ReminderDesk) -> None:
    await desk.ask(hours=10)
    assert await desk.after(11) == 0, "it is evening"
    assert await desk.after(12) == 0, "it is 8:30"
    assert await desk.after(1) == 1


async def test_who_has_it_or_replied_is_left_alone(desk: ReminderDesk) -> None:
    await desk.ask(hours=1)
    desk.board.replies.add(desk.question)
    assert await desk.after(2) == 0
    desk.board.replies.clear()
    assert await desk.after(2) == 0, "it is asked only once whether somebody replied"


async def test_signalled_question_is_left_alone(desk: ReminderDesk) -> None:
    await desk.ask(hours=1)
    signalling = Signalling(desk.store, desk.clock)
    assert await signalling.note(desk.question, "1.000100", SignalKind.TAKEN, "U5", desk.clock.now())
    assert await desk.after(2) == 0


async def test_nobody_is_reminded_by_default(desk: ReminderDesk) -> None:
    await desk.ask(hours=None)
    assert await desk.after(100) == 0
