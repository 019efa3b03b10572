"""Frames and answers of Slack's that nothing can read: the bot ignores them, without a stack trace, and goes on."""

import json
import logging

import pytest

from bot.practice.sockets import _Socket
from tests.kits.deep_json import DEEP
from tests.kits.slack_desk import WATCHED, SlackDesk, asked, card, whispered


def frames() -> list[str]:
    """Return frames that are no envelope of Slack's."""
    envelope = {"envelope_id": "1", "type": "events_api", "accepts_response_payload": False}
    nested = [json.dumps(envelope)[:-1] + f', "payload": {{"event": {deep}}}}}' for deep in DEEP.values()]
    payloads: list[object] = [
        None,
        [],
        5,
        "words",
        {},
        {"event": []},
        {"event": "words"},
        {"event": {"type": 5}},
        {"event": None},
    ]
    broken = [json.dumps(envelope | {"payload": payload}) for payload in payloads]
    interactive = [json.dumps(envelope | {"type": "interactive", "payload": payload}) for payload in payloads]
    twice = {"type": "view_submission", "user": {"id": "U1"}, "response_urls": [{"block_id": "a"}, {"block_id": "b"}]}
    form = {"id": "V1", "callback_id": "x", "private_metadata": "", "hash": "1.a", "state": {"values": {}}}
    interactive.append(json.dumps(envelope | {"type": "interactive", "payload": twice | {"view": form}}))
    return [*nested, *DEEP.values(), *broken, *interactive, "{", '{"a": NaN}', "[]", "5", "\ufffd", "{}"]


async def test_unreadable_frames_are_passed_over(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    sockets: list[_Socket] = list(desk.server.workspace.sockets._sockets)
    for frame in frames():
        await sockets[0].ws.send_text(frame)
    await asked(desk)
    assert [r.getMessage() for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []


async def test_control_of_another_version_is_explained(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    ts, priya = await asked(desk), await desk.priya()
    shown = await card(priya, ts)
    press = {
        "type": "block_actions",
        "user": {"id": priya.hello["user"]["id"]},
        "trigger_id": "1.2.abc",
        "channel": {"id": WATCHED},
        "container": {"type": "message", "channel_id": WATCHED, "message_ts": shown["ts"]},
    }
    for value in ("", "{", '{"q": 5}', DEEP[900], None):
        action = {"action_id": "correct.agree", "block_id": "b", "type": "button", "value": value}
        await desk.server.workspace.sockets.ask("interactive", press | {"actions": [action]})
        await priya.message(whispered("another version of the bot"))
    assert await desk.rows() == []
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
