"""The bot as a program of its own; its environment names Slack and the model."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import pytest

from bot.practice import Person, Workspace, serve
from handlers.views import ids
from tests.kits.forked_programs import forked
from tests.kits.openai_server import CHAT, OpenAIServer, Reply
from tests.kits.openai_server import said as answers
from tests.loop.program import MANIFEST, environment, running
from tests.loop.story import actions, said

pytestmark = pytest.mark.timeout(90)


async def test_program_finds_slack_and_model_by_environment(tmp_path: Path) -> None:
    model = OpenAIServer()
    model.on(CHAT, answers("Facilities", "It is about a desk."))
    async with serve(Workspace(MANIFEST)) as server, model.running():
        env = environment(tmp_path, server, model.url) | {"BOT_DRAIN_SECONDS": "0.2"}
        channel = server.channels.help_desk.id
        async with (
            running(tmp_path, env, [sys.executable, "-m", "bot", "run"]) as bot,
            Person(server.url, server.people.employees[1].id) as asker,
            Person(server.url, server.people.staff[1].id) as staff,
        ):
            card = await asker.answer(await asker.say(channel, "Who pays for my new desk?"), timeout=60)
            assert said(card) == "facilities"
            assert "<@U0PRIYA0001>" in json.dumps(card)
            body = model.sent(CHAT)[0].json
            assert body["messages"][0]["content"].startswith("Sort questions.")
            assert body["messages"][-1] == {"role": "user", "content": "Who pays for my new desk?"}
            assert body["response_format"]["json_schema"]["schema"]["properties"]["category"]["enum"] == [
                *("Facilities", "People team", "Rest")
            ]
            await staff.press(
                card,
                lambda e: bool(re.match(ids.CHANGES, e["action_id"])) and '"people"' in e.get("value", ""),
            )
            settled = await asker.message(lambda m: m["ts"] == card["ts"] and ids.UNDO in actions(m), timeout=60)
            assert "People team" in settled["text"]
            # A model that thinks for minutes keeps nobody from stopping the bot.
            model.on(CHAT, Reply(wait_s=300))
            await asker.say(channel, "And who pays for my old one?")
            async with asyncio.timeout(20):
                while len(model.sent(CHAT)) < 2:  # noqa: ASYNC110 - what it waits for comes over the wire
                    await asyncio.sleep(0.02)
            bot.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(bot.wait(), 30) == 0
        again = await asyncio.create_subprocess_exec(
            *forked("bot", "export", str(tmp_path / "out")), cwd=tmp_path, env=env
        )
        code = await asyncio.wait_for(again.wait(), 40)
        files = list((tmp_path / "out").glob("*.jsonl")) if code == 0 else []
    # The one row is either written or held out, which an export of nothing says in words.
    assert code == (0 if files else 1)
    assert all("People team" in file.read_text(encoding="utf-8") for file in files)


async def test_a_wrong_token_is_one_line(tmp_path: Path) -> None:
    async with serve(Workspace(MANIFEST)) as server:
        env = environment(tmp_path, server, "http://127.0.0.1:9/v1") | {"SLACK_BOT_TOKEN": "xoxb-wrong"}
        bot = await asyncio.create_subprocess_exec(
            *forked("bot", "run"), cwd=tmp_path, env=env, stderr=asyncio.subprocess.PIPE
        )
        _, told = await asyncio.wait_for(bot.communicate(), 40)
    assert bot.returncode == 1
    lines = [line for line in told.decode().splitlines() if line]
    assert len(lines) == 1, lines
    assert "SLACK_BOT_TOKEN" in lines[0]
    assert "wrong" not in lines[0]
