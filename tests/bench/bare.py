"""A slack-bolt handler as a tutorial would write it, for comparison with the bot: `python -m tests.bench.bare [model]`.

It answers each message with a fixed line; with `model` it asks the model first. Nothing survives a crash.
The benches start it with Slack's and the model's addresses in the environment.
"""

import argparse
import asyncio
import os
import sys
from typing import Any

from openai import AsyncOpenAI
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

ENV = os.environ  # noqa: TID251 - a program of its own


async def main(*, ask_model: bool) -> None:
    """Answer messages until the process ends."""
    app = AsyncApp(client=AsyncWebClient(token=ENV["SLACK_BOT_TOKEN"], base_url=ENV["SLACK_API_URL"]))
    model = AsyncOpenAI()

    @app.event("message")
    async def answer(event: dict[str, Any], say: AsyncSay) -> None:
        if "bot_id" in event:
            return
        text = "Thank you."
        if ask_model:
            chat = await model.chat.completions.create(
                model="any", messages=[{"role": "user", "content": event["text"]}]
            )
            text = chat.choices[0].message.content or text
        await say(text=text, thread_ts=event["ts"])

    socket_mode: Any = AsyncSocketModeHandler(app, ENV["SLACK_APP_TOKEN"])
    await socket_mode.connect_async()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.bare", description=__doc__)
    arguments.add_argument("model", nargs="?", choices=["model"], help="ask the model before each answer")
    asyncio.run(main(ask_model=arguments.parse_args().model is not None))
