"""A slack-bolt handler as a tutorial would write it, for comparison with the bot: `python -m tests.bench.bare [how]`.

It answers each message with a fixed line; with `model` it asks the model first. With `press` its answer has a button,
and a press updates the message. Nothing survives a crash.
The benches start it with Slack's and the model's addresses in the environment.
"""

import argparse
import asyncio
import os
import sys
from typing import Any

from openai import AsyncOpenAI
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from handlers.views.ids import AGREE

ENV = os.environ  # noqa: TID251 - a program of its own


def blocks(text: str) -> list[dict[str, Any]]:
    """Return a line with a button."""
    button = {"type": "button", "action_id": AGREE, "text": {"type": "plain_text", "text": "Agree"}}
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        {"type": "actions", "elements": [button]},
    ]


async def main(*, ask_model: bool, has_button: bool) -> None:
    """Answer messages until the process ends."""
    app = AsyncApp(client=AsyncWebClient(token=ENV["SLACK_BOT_TOKEN"], base_url=ENV["SLACK_API_URL"]))
    model = AsyncOpenAI()

    @app.event("message")
    async def answer(event: dict[str, Any], say: AsyncSay) -> None:
        if "bot_id" in event or "subtype" in event:
            return
        text = "Thank you."
        if ask_model:
            chat = await model.chat.completions.create(
                model="any", messages=[{"role": "user", "content": event["text"]}]
            )
            text = chat.choices[0].message.content or text
        await say(text=text, thread_ts=event["ts"], blocks=blocks(text) if has_button else None)

    @app.action(AGREE)
    async def update(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        text = f"{body['message']['text']} Confirmed by <@{body['user']['id']}>."
        await client.chat_update(
            channel=body["channel"]["id"], ts=body["message"]["ts"], text=text, blocks=blocks(text)
        )

    socket_mode: Any = AsyncSocketModeHandler(app, ENV["SLACK_APP_TOKEN"])
    await socket_mode.connect_async()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.bare", description=__doc__)
    arguments.add_argument("how", nargs="?", choices=["model", "press"], help="ask the model, or update on a press")
    how = arguments.parse_args().how
    asyncio.run(main(ask_model=how == "model", has_button=how == "press"))
