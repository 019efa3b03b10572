"""What counts as Slack's shape: everything that the practice workspace sends, and no payload without what is read."""

import copy
from typing import Any

import pytest

from handlers.slack.shapes import misshapen
from tests.fuzz.recording import recorded
from tests.kits.deep_json import DEEP
from tests.kits.slack_desk import SlackDesk

PRESS: dict[str, Any] = {
    "type": "block_actions",
    "user": {"id": "U1"},
    "trigger_id": "1.2.abc",
    "actions": [{"action_id": "a", "block_id": "b", "value": "c"}],
}
EVENT: dict[str, Any] = {
    "event_id": "Ev1",
    "event": {"type": "message", "channel": "C1", "ts": "1.2", "user": "U1", "text": "a"},
}


async def test_payloads_of_the_workspace_are_taken(desk: SlackDesk) -> None:
    sent = await recorded(desk)
    assert {kind for kind, _ in sent} == {"events_api", "interactive", "slash_commands"}
    assert [payload for _, payload in sent if misshapen(payload)] == []


@pytest.mark.parametrize(
    ("payload", "flaw"),
    [
        (EVENT, None),
        (EVENT | {"event": {"type": "message"}}, "event.channel"),
        (EVENT | {"event": {"type": "user_change", "user": {"id": "U1"}}}, None),
        (EVENT | {"event": EVENT["event"] | {"ts": "1\0"}}, "event.ts"),
        (EVENT | {"event": EVENT["event"] | {"blocks": {}}}, "event.blocks"),
        (EVENT | {"event": []}, "event"),
        ({"event": EVENT["event"]}, "event_id"),
        (PRESS, None),
        (PRESS | {"actions": []}, "actions"),
        (PRESS | {"user": None}, "user"),
        (PRESS | {"type": "view_submission"}, "view"),
        (PRESS | {"type": ["block_actions"]}, "type"),
        ({"command": "/finetune", "user_id": "U1"}, "channel_id"),
        ([], "payload"),
        ("words", "payload"),
    ],
)
def test_first_field_of_another_shape_is_named(payload: Any, flaw: str | None) -> None:
    assert misshapen(payload) == flaw


@pytest.mark.parametrize("levels", DEEP)
def test_deep_payload_is_misshapen(levels: int) -> None:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    assert misshapen(copy.copy(PRESS) | {"state": inner}) == "depth"
    while inner:
        inner = inner[0]
