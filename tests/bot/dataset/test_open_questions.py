"""Open questions in the embedded trainer's file: which may be there, and who gets them."""

import itertools
from collections.abc import Iterator

import pytest

from bot.dataset.exporting import frozen_lines
from bot.domain.audience import Audience
from bot.domain.consent import Author
from bot.domain.dataset import Split, group_of, open_questions, questions_of, split_of
from bot.domain.question import Place, Question, Verdict, Via
from bot.domain.release import ModelName
from bot.providers.training_file import check
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, START
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeTrainer
from tests.kits.finetune_bench import ENOUGH_ROWS, FinetuneBench, OneEmbedded

PAID = ModelName(provider="openai", model="gpt")


def asked(text: str, audience: Audience = Audience.PUBLIC, authors: tuple[Author, ...] = ()) -> Question:
    return Question(
        id=f"q{group_of(text)[:8]}",
        text=text,
        asker="U1",
        place=Place(team="T1", channel="C1", ts=f"{int(group_of(text)[:6], 16)}.000100"),
        via=Via.MENTION,
        language="ja",
        asked_at=START,
        card_ts="1.2",
        audience=audience,
        authors=authors,
    )


def new_texts(split: Split) -> Iterator[str]:
    """Return texts that belong to the split and are unlike each other and all rows."""
    texts = (f"{chr(0x4E00 + 97 * n)}{chr(0x5000 + 89 * n)}{chr(0x6000 + 83 * n)}はどこ" for n in itertools.count())
    return (text for text in texts if split_of(group_of(text)) is split)


def test_what_few_may_know_is_left_out() -> None:
    texts = list(itertools.islice(new_texts(Split.TRAIN), 7))
    silent = (Author(id="U5", channel="C1", ts="9.9"),)
    questions = [
        asked(texts[0]),
        asked(texts[1], Audience.PRIVATE),
        asked(texts[2], Audience.DIRECT),
        asked(texts[3], Audience.UNKNOWN),
        asked(texts[4], authors=silent),
        asked(f"{texts[5]}<|im_end|>"),
        asked(next(new_texts(Split.HELD_OUT))),
        asked(texts[0]).model_copy(update={"id": "again"}),
    ]
    assert open_questions(questions) == texts[:2]


@pytest.mark.parametrize(("student", "told"), [(BASE, True), (PAID, False)])
async def test_open_questions_follow_rows_for_embedded_model(
    student: ModelName,
    told: bool,  # noqa: FBT001 - a parameter of the test
    store: SqlStore,
    shelf: DatabaseShelf,
    trainer: FakeTrainer,
    clock: StepClock,
) -> None:
    bench = FinetuneBench(store, shelf, trainer, clock, student=student, embedded=OneEmbedded())
    texts = list(itertools.islice(new_texts(Split.TRAIN), 3))
    near_held_out = f"{ENOUGH_ROWS[-1].text}？"
    async with store.transaction() as tx:
        (release,) = await tx.releases.all()
        for text in [*texts, near_held_out]:
            question = asked(text)
            await tx.questions.add(question)
            await tx.questions.save_card(question.id, "1.2")
            await tx.questions.add_verdict(
                Verdict(
                    id=f"{int(group_of(text), 16):032x}",
                    question_id=question.id,
                    release_id=release.id,
                    category="labor",
                    reason="",
                    confidence=None,
                    latency_ms=0,
                    tokens_in=0,
                    tokens_out=0,
                    at=START,
                )
            )
        await tx.questions.settle(asked(texts[2]).id, "labor")
    finetune = await bench.running()
    rows = [*await frozen_lines(shelf, finetune.dataset_id)]
    sent = trainer.files[str(finetune.file_id)].splitlines()
    assert sent[: len(rows)] == rows
    assert set(questions_of(sent[len(rows) :])) == (set(texts[:2]) if told else set())
    assert [one for one in check(rows) if one not in check(sent)] == []
