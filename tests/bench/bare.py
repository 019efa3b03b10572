"""A slack-bolt handler as a tutorial would write it: the yardstick. `python -m tests.bench.bare [model]`.

It posts a line; with `model` it asks the model first. Nothing of it survives a crash.
"""

import asyncio
import os
import sys
from typing import Any

from openai import AsyncOpenAI
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

ENV = os.environ  # noqa: TID251 - a program of its own


async def main(*, asks: bool) -> None:
    """Answer until it is ended."""
    app = AsyncApp(client=AsyncWebClient(token=ENV["SLACK_BOT_TOKEN"], base_url=ENV["SLACK_API_URL"]))
    model = AsyncOpenAI()

    @app.event("message")
    async def answer(event: dict[str, Any], say: AsyncSay) -> None:
        if "bot_id" in event:
            return
        text = "Thank you."
        if asks:
            chat = await model.chat.completions.create(
                model="any", messages=[{"role": "user", "content": event["text"]}]
            )
            text = chat.choices[0].message.content or text
        await say(text=text, thread_ts=event["ts"])

    sockets: Any = AsyncSocketModeHandler(app, ENV["SLACK_APP_TOKEN"])
    await sockets.connect_async()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(asks="model" in sys.argv))
