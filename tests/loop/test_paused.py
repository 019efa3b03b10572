"""A replica paused for longer than its leases: another one answers, and the paused one then stays silent."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.practice import Person, Workspace, serve
from tests.kits.migrated import migrated_postgresql
from tests.kits.openai_server import CHAT, OpenAIServer, Reply
from tests.kits.openai_server import said as answers
from tests.loop.program import MANIFEST, environment, run_with_short_leases
from tests.loop.story import said

pytestmark = pytest.mark.timeout(120)
HELD = 1.0
"""How long the model holds its first answer back, in seconds; the leases of these replicas last nine."""


async def test_it_was_paused_while_the_model_thought(tmp_path: Path) -> None:
    model = OpenAIServer()
    model.on(CHAT, Reply(**{**vars(answers("Facilities", "It is about a desk.")), "wait_s": HELD}))
    model.on(CHAT, answers("People team", "It is about people."))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        await stack.enter_async_context(model.running())
        env = environment(tmp_path, server, model.url) | {"DATABASE_URL": migrated_postgresql()}
        asker = await stack.enter_async_context(Person(server.url, server.people.employees[1].id))
        channel = server.channels.help_desk.id
        paused = await stack.enter_async_context(run_with_short_leases(tmp_path, env))
        ts = await asker.say(channel, "Who pays for my new desk?")
        async with asyncio.timeout(20):
            while not model.sent(CHAT):  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.02)
        os.kill(paused, signal.SIGSTOP)
        await stack.enter_async_context(run_with_short_leases(tmp_path, env))
        card = await asker.answer(ts, timeout=40)
        assert said(card) == "people", "the other one asked again"
        os.kill(paused, signal.SIGCONT)
        # Both are at work again; to the paused one the answer that it waited for has come, or it gave up.
        later = [await asker.say(channel, f"And my chair number {n}?") for n in range(6)]
        for one in later:
            await asker.answer(one, timeout=40)
        await asyncio.sleep(3)
        threads = [await asker.replies(channel, one) for one in [ts, *later]]
        assert [len(thread) for thread in threads] == [2] * 7
        assert said(threads[0][1]) == "people"
