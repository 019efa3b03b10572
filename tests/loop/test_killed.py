"""A replica killed by kill -9 in the middle of messages with two questions: nothing is lost, nothing comes twice."""

import os
import signal
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from bot.practice import Person, Workspace, serve
from tests.kits.openai_server import CHAT, OpenAIServer, ReceivedRequest, Reply
from tests.kits.openai_server import said as answers
from tests.kits.slack_desk import eventually
from tests.loop.program import MANIFEST, environment, run_with_short_leases
from tests.loop.story import words

pytestmark = pytest.mark.timeout(180)
CHAIR, LEAVE = "My chair in room 3 is broken, who can fix it?", "how do I apply for parental leave?"
LAPTOP, GYM = "My laptop does not start, who can fix it?", "how do I sign up for the gym?"
ANSWERS = {CHAIR: "Facilities", LEAVE: "People team", LAPTOP: "Facilities", GYM: "People team"}
LONG_HELD = 60.0
"""Seconds for which the model thinks about the held question: longer than the replica lives."""


class ThinkingModel(OpenAIServer):
    """A model that counts what it is asked, and takes very long over the first try of one question."""

    def __init__(self, held: str) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self._held = held

    def choose(self, got: ReceivedRequest) -> Reply:
        if got.route != CHAT:
            return super().choose(got)
        text = got.json["messages"][-1]["content"].casefold()
        (question,) = [one for one in ANSWERS if one.casefold() in text]
        self.asked[question] += 1
        wait = LONG_HELD if question == self._held and self.asked[question] == 1 else 0.0
        return Reply(**{**vars(answers(ANSWERS[question])), "wait_s": wait})


async def test_killed_between_two_questions_loses_nothing(tmp_path: Path) -> None:
    """One message has its first answer, the card of the other is posted, but Slack has not said so yet."""
    model = ThinkingModel(LEAVE)

    def read(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(tmp_path / "elsewhere.db")) as database:
            return database.execute(query).fetchall()

    async def all_done() -> bool:
        return read("SELECT count(*) FROM inbox WHERE ending IS NULL") == [(0,)]

    async def thinks() -> bool:
        return model.asked[LEAVE] == 1

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        await stack.enter_async_context(model.running())
        env = environment(tmp_path, server, model.url)
        asker = await stack.enter_async_context(Person(server.url, server.people.employees[1].id))
        channel = server.channels.help_desk.id
        killed = await stack.enter_async_context(run_with_short_leases(tmp_path, env))
        thinking = await asker.say(channel, f"{CHAIR}\nAlso, {LEAVE}")
        await eventually(thinks, 40)
        answer_held = server.faults.hold("chat.postMessage")
        posted = await asker.say(channel, f"{LAPTOP}\nAlso, {GYM}")
        await asker.answer(posted, timeout=40)
        os.kill(killed, signal.SIGKILL)
        answer_held.set()
        await stack.enter_async_context(run_with_short_leases(tmp_path, env))
        card = await asker.answer(thinking, timeout=60)
        await eventually(all_done, 40)

        assert ["Facilities" in words(card), "People team" in words(card)] == [True, True]
        assert [len(await asker.replies(channel, one)) for one in (thinking, posted)] == [2, 2], "one card each"
        assert model.asked == {CHAIR: 1, LEAVE: 2, LAPTOP: 1, GYM: 1}, "what was answered is not asked again"
        kept = "SELECT q.part_of IS NOT NULL, v.category FROM questions q JOIN verdicts v ON v.question_id = q.id"
        assert sorted(read(kept)) == sorted([(0, "facilities"), (1, "people")] * 2)
        assert read("SELECT count(*) FROM outbox WHERE topic = 'card'") == [(0,)]
