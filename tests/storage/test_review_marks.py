from datetime import timedelta

from bot.domain.dataset import Source
from bot.domain.mark import ImportedBefore, MarkKind, QueueMark
from bot.ports import Store
from tests.storage.things import NOW, add_answered_question, correction


async def test_marks_are_read_by_person_and_time(store: Store) -> None:
    marks = [
        QueueMark(key="q1", kind=MarkKind.SKIP, by="U1", at=NOW),
        QueueMark(key="q2", kind=MarkKind.SKIP, by="U1", at=NOW + timedelta(seconds=1)),
        QueueMark(
            key="q1",
            kind=MarkKind.BACK,
            by="U1",
            at=NOW + timedelta(seconds=2),
            before={"r1": ImportedBefore(category="it", source=Source.IMPORT)},
        ),
        QueueMark(key="q1", kind=MarkKind.SKIP, by="U2", at=NOW),
    ]
    async with store.transaction() as transaction:
        for mark in marks:
            await transaction.marks.add(mark)
        assert await transaction.marks.of("U1", NOW) == marks[:3]
        assert await transaction.marks.of("U1", NOW + timedelta(seconds=2)) == marks[2:3]
        assert await transaction.marks.skipped("U1") == {"q2": marks[1].at}
        assert await transaction.marks.skipped("U2") == {"q1": NOW}


async def test_set_aside_question_waits_only_once_settled_again(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.questions.save_card("q1", "9.1")
        assert [one.id for one in await transaction.questions.waiting(5)] == ["q1"]
        await transaction.questions.set_aside("q1", aside=True)
        assert await transaction.questions.waiting(5) == []
        await transaction.questions.settle("q1", "labor")
        await transaction.questions.settle("q1", None)
        assert [one.id for one in await transaction.questions.waiting(5)] == ["q1"]
        assert [one.id for one in await transaction.questions.last_of("U1", 3)] == ["q1"]
        await transaction.corrections.add(correction())
        assert await transaction.corrections.by(correction().by, correction().at) == [correction()]
