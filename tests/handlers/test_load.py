"""Long texts at the wire: while one of them is masked, everybody else is acked and answered."""

import threading
from dataclasses import replace

import pytest

from bot.domain import intake
from bot.domain.intake import LONGEST_QUESTION, MOST_MASKED
from bot.domain.masking import masked
from tests.kits.slack_desk import WATCHED, SlackDesk, kept, texts

LONGEST_MESSAGE = 40_000
"""Slack's own limit, in characters."""
PHONES = ("call 090-1234-5678 " * LONGEST_MESSAGE)[:LONGEST_MESSAGE]
HALTED_SECONDS = 20.0
"""Longest wait of a halted masking, so that a failed test ends."""


class Halt:
    """A masking that takes as long as a test wants for long texts, and as long as ever for short ones."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.begun = threading.Event()
        self.over = threading.Event()

    def __call__(self, text: str) -> str:
        self.lengths.append(len(text))
        if len(text) > LONGEST_QUESTION:
            self.begun.set()
            if not self.over.wait(HALTED_SECONDS):
                self.over.set()
        return masked(text)


@pytest.fixture
def halt(monkeypatch: pytest.MonkeyPatch) -> Halt:
    halt = Halt()
    monkeypatch.setattr(intake, "masked", halt)
    return halt


async def test_others_are_answered_while_long_text_is_masked(desk: SlackDesk, halt: Halt) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    pasted = [await emily.say(WATCHED, PHONES) for _ in range(5)]
    try:
        # Only an event loop that is free can take this question, store it, ack it and answer it.
        asked = await misaki.say(WATCHED, "my laptop is broken")
        assert "IT" in texts(await misaki.answer(asked))
        assert halt.begun.is_set()
        assert [await desk.question(WATCHED, ts) for ts in pasted] == [None] * 5
    finally:
        halt.over.set()
    for ts in pasted:
        await emily.answer(ts)
        question = await kept(desk, ts)
        assert (question.text.startswith("call [phone] call [phone]"), question.cut) == (True, True)


async def test_work_on_each_long_message_is_bounded(desk: SlackDesk, halt: Halt) -> None:
    halt.over.set()
    emily, sockets = await desk.emily(), desk.server.workspace.sockets
    # On a busy machine the ack may be late, and the text of a redelivered message is masked again.
    sockets.timing = replace(sockets.timing, redeliver=())
    await emily.answer(await emily.say(WATCHED, PHONES))
    assert sum(halt.lengths) <= MOST_MASKED
