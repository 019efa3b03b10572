"""A bot at work keeps its connections to Slack: questions, presses and private lines share them."""

import pytest

from handlers.slack.connection import CONNECTIONS_PER_HOST
from handlers.views.ids import AGREE
from storage.store import SqlStore
from tests.kits.slack_desk import WATCHED, asked, card, open_desk, queue

SOCKET_MODE = 1
"""The websocket, which is a connection of its own."""


@pytest.mark.parametrize("questions", [pytest.param(500, marks=pytest.mark.tour), 20])
async def test_bot_at_work_needs_few_connections(store: SqlStore, questions: int) -> None:
    async with open_desk(store, counted=True) as desk:
        emily, priya = await desk.emily(), await desk.priya()
        for n in range(questions - 1):
            await emily.say(WATCHED, f"my laptop number {n} is broken")
            if n % 10 == 9:
                await desk.settled()
        ts = await asked(desk)
        await priya.press(await card(priya, ts), AGREE)
        await queue(priya)
        assert await desk.questions() == questions
        assert desk.front is not None
        assert 1 < desk.front.connections <= CONNECTIONS_PER_HOST + SOCKET_MODE
