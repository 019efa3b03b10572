"""Slack's shape: everything that the practice workspace sends has it, and no payload without what is read."""

import copy
from typing import Any

import pytest

from handlers.slack.shapes import entered, misshapen
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
VIEW: dict[str, Any] = {
    "id": "V1",
    "team_id": "T1",
    "type": "modal",
    "callback_id": "a_form",
    "private_metadata": "",
    "hash": "1600000000.a1B2c3",
    "blocks": [{"type": "section", "block_id": "9xY=", "text": {"type": "mrkdwn", "text": "Really?"}}],
    "root_view_id": "V1",
    "previous_view_id": None,
    "external_id": "",
    "app_installed_team_id": "E1",
}
INSTALLED_IN_ORGANISATION: dict[str, Any] = {
    "team": None,
    "enterprise": {"id": "E1", "name": "Sandbox"},
    "is_enterprise_install": True,
    "api_app_id": "A1",
    "token": "t",
}
PERSON = {"id": "W1", "username": "a", "name": "a", "team_id": "T1"}
DOCUMENTED: dict[str, dict[str, Any]] = {
    "press in an organisation": PRESS | INSTALLED_IN_ORGANISATION | {"user": PERSON},
    "press in an ephemeral message": PRESS
    | {
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "D1", "is_ephemeral": True},
        "channel": {"id": "D1", "name": "directmessage"},
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/a",
    },
    "press below an attachment": PRESS
    | {
        "container": {"type": "message_attachment", "message_ts": "1.2", "attachment_id": 1, "is_app_unfurl": False},
        "message": {"type": "message", "ts": "1.2", "text": "", "attachments": [{"id": 1, "blocks": []}]},
    },
    "choice of a person": PRESS
    | {"actions": [{"type": "users_select", "action_id": "a", "block_id": "b", "selected_user": "U1"}]},
    "choice in an overflow menu": PRESS
    | {
        "actions": [
            {
                "type": "overflow",
                "action_id": "a",
                "block_id": "/x=",
                "selected_option": {"text": {"type": "plain_text", "text": "A", "emoji": True}, "value": "a"},
            }
        ]
    },
    "choice taken back": PRESS
    | {"actions": [{"type": "static_select", "action_id": "a", "block_id": "b", "selected_option": None}]},
    "form without inputs and state": {"type": "view_submission", "user": PERSON, "view": VIEW, "response_urls": []},
    "form in an organisation": INSTALLED_IN_ORGANISATION
    | {
        "type": "view_submission",
        "user": PERSON,
        "view": VIEW
        | {
            "state": {
                "values": {
                    "owner": {"owner": {"type": "users_select", "selected_user": None}},
                    "day": {"day": {"type": "datetimepicker", "selected_date_time": 1_700_000_000}},
                    "text": {"text": {"type": "rich_text_input", "rich_text_value": {"type": "rich_text"}}},
                    "files": {"files": {"type": "file_input", "files": [{"id": "F1"}]}},
                }
            }
        },
    },
    "closed form": {"type": "view_closed", "user": PERSON, "view": VIEW, "is_cleared": False},
    "shortcut without a team": {"type": "shortcut", "user": PERSON, "trigger_id": "1.2.a", "callback_id": "a"},
    "shortcut of a bot's message": {
        "type": "message_action",
        "user": PERSON,
        "trigger_id": "1.2.a",
        "callback_id": "a",
        "channel": {"id": "C1", "name": "general"},
        "message_ts": "1.2",
        "message": {"type": "message", "subtype": "bot_message", "bot_id": "B1", "ts": "1.2", "username": "a bot"},
    },
    "command without words": {
        "command": "/finetune",
        "user_id": "U1",
        "channel_id": "C1",
        "trigger_id": "1.2.a",
        "enterprise_id": "E1",
        "is_enterprise_install": "false",
    },
    "shared file": EVENT
    | {"event": {"type": "file_shared", "channel_id": "C1", "file_id": "F1", "user_id": "U1", "file": {"id": "F1"}}},
    "message with files": EVENT
    | {
        "event": EVENT["event"]
        | {"subtype": "file_share", "files": [{"id": "F1", "size": 3}], "upload": False, "display_as_bot": False}
    },
    "message of an organisation": EVENT
    | {
        "event": EVENT["event"] | {"team": "T2", "user_team": "E1", "source_team": "E1", "user_profile": {"name": "a"}},
        "enterprise_id": "E1",
        "authorizations": [{"enterprise_id": "E1", "team_id": None, "user_id": "U2", "is_enterprise_install": True}],
        "is_ext_shared_channel": False,
        "event_context": "4-a",
    },
    "reaction to a file": EVENT
    | {"event": {"type": "reaction_added", "user": "U1", "reaction": "eyes", "item": {"type": "file", "file": "F1"}}},
    "changed user group": EVENT | {"event": {"type": "subteam_updated", "subteam": {"id": "S1", "users": ["U1"]}}},
    "renamed channel": EVENT | {"event": {"type": "channel_rename", "channel": {"id": "C1", "created": 1}}},
    "app that was removed": EVENT | {"event": {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U2"]}}},
    "opened home": EVENT
    | {"event": {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home", "view": VIEW}},
    "too many events": {"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1, "api_app_id": "A1"},
    "check of the address": {"type": "url_verification", "token": "t", "challenge": "c"},
}
"""Payloads as Slack's reference describes them, of kinds that the practice workspace does not send."""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_payloads_of_slacks_reference_are_taken(name: str) -> None:
    assert misshapen(DOCUMENTED[name]) is None


@pytest.mark.parametrize("state", [{}, {"state": None}, {"state": {}}, {"state": {"values": {}}}])
def test_form_without_inputs_holds_nothing(state: dict[str, Any]) -> None:
    assert misshapen({"type": "view_submission", "user": PERSON, "view": VIEW | state}) is None
    assert entered(VIEW | state, "reason") == {}


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
