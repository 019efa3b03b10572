"""Questions asked while the program was stopped: two replicas start, and answer each once, with an apology."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.practice import Person, Timing, Workspace, serve
from tests.kits.migrated import migrated_postgresql
from tests.loop.program import MANIFEST, at_slack, running
from tests.loop.story import ENGLISH, words

pytestmark = pytest.mark.timeout(120)
TWO_MINUTES = 120.0


async def test_missed_questions_are_answered_once_by_two_replicas(tmp_path: Path) -> None:
    # Each message is two minutes old when it is said, and Slack tries to deliver it once.
    workspace = Workspace(MANIFEST, lambda: time.time() - TWO_MINUTES, timing=Timing(redeliver=()))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(workspace))
        env = at_slack(server) | {"DATABASE_URL": migrated_postgresql(), "BOT_LANGUAGE": "en"}
        asker = await stack.enter_async_context(Person(server.url, server.people.employees[1].id))
        channel = server.channels.help_desk.id
        async with running(tmp_path, env) as bot:
            before = await asker.say(channel, ENGLISH.asked)
            assert "Sorry for the late" not in words(await asker.answer(before, timeout=60))
            bot.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(bot.wait(), 30) == 0
        asked = [await asker.say(channel, text) for text in ENGLISH.perks]
        for _ in range(2):
            await stack.enter_async_context(running(tmp_path, env))
        for ts in asked:
            assert "Sorry for the late" in (await asker.answer(ts, timeout=60))["text"]
        replies = [await asker.replies(channel, ts) for ts in [before, *asked]]
    assert [len(thread) for thread in replies] == [2] * len(replies), "the question and one answer"
