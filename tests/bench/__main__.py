"""How much the whole bot costs over a bare slack-bolt handler, as a ratio within one run: `make bench`.

Both answer the same questions, a few at a time, in the same practice workspace with the same embedded model. The bare
handler asks the model and posts a line; nothing of it survives a crash.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from bot.local.workspace import Person, Server
from bot.running import open_bot, open_workspace
from bot.settings import Settings
from bot.wiring import House, open_house

QUESTIONS = 200
ABREAST = 8


@asynccontextmanager
async def bare() -> AsyncIterator[Server]:
    """A handler as a tutorial would write it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_workspace(None, 0))
        house = await stack.enter_async_context(open_house(settings(stack)))
        serving = await house.releasing.serving()
        app = AsyncApp(client=AsyncWebClient(token=server.bot_token, base_url=server.api_url))

        @app.event("message")
        async def answer(event: dict[str, Any], say: AsyncSay) -> None:
            if "bot_id" not in event:
                said = await house.model.classify(serving.model, house.prompt, event["text"])
                await say(text=said.category, thread_ts=event["ts"])

        sockets: Any = AsyncSocketModeHandler(app, server.app_token)
        await sockets.connect_async()
        stack.push_async_callback(sockets.close_async)
        yield server


@asynccontextmanager
async def whole() -> AsyncIterator[Server]:
    """The bot."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(open_bot(settings(stack)))
        assert running.practice
        assert isinstance(running.house, House)
        yield running.practice


def settings(stack: AsyncExitStack) -> Settings:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    return Settings(_env_file=None, database_url=f"sqlite:///{folder}/bench.db", bot_language="en")


async def measured(server: Server) -> tuple[float, float, float]:
    """Questions a second, and the median and 99th percentile of the time to an answer in milliseconds."""
    channel, gate = server.channels.help_desk.id, asyncio.Semaphore(ABREAST)
    taken: list[float] = []
    async with Person(server.url, server.people.employees[1].id) as person:

        async def ask(n: int) -> None:
            async with gate:
                started = time.perf_counter()
                await person.answer(await person.say(channel, f"How do I reset password number {n}?"), timeout=60)
                taken.append(time.perf_counter() - started)

        await ask(-1)  # the first question makes caches and connections
        taken.clear()
        started = time.perf_counter()
        await asyncio.gather(*map(ask, range(QUESTIONS)))
        seconds = time.perf_counter() - started
    taken.sort()
    return QUESTIONS / seconds, taken[len(taken) // 2] * 1000, taken[int(len(taken) * 0.99)] * 1000


async def main() -> None:
    rates = {}
    print(f"{QUESTIONS} questions, {ABREAST} at a time      a second   p50 ms   p99 ms")  # noqa: T201 - a bench prints
    for name, opened in (("bare handler", bare), ("whole bot", whole)):
        async with opened() as server:
            rate, p50, p99 = await measured(server)
        rates[name] = rate
        print(f"{name:<35} {rate:>8.0f} {p50:>8.1f} {p99:>8.1f}")  # noqa: T201 - a bench prints
    print(f"the whole bot costs {rates['bare handler'] / rates['whole bot']:.1f} times a bare handler")  # noqa: T201 - a bench prints


if __name__ == "__main__":
    asyncio.run(main())
