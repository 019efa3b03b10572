"""manifest.yml: what the handlers listen to, and nothing else, within Slack's limits."""

import re

from handlers.views import ids
from tests.handlers.desk import MANIFEST

NEEDS = {
    "app_mention": {"app_mentions:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "app_home_opened": set(),
}
"""Which scope an event needs (docs.slack.dev, events)."""
RESERVED = (
    "me|status|away|dnd|shrug|remind|msg|feed|who|collapse|expand|leave|join|open|search|topic|mute|pro|shortcuts"
)


def test_each_event_has_its_scope_and_each_scope_is_known() -> None:
    scopes = set(MANIFEST["oauth_config"]["scopes"]["bot"])
    events = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    assert set(events) == set(NEEDS)
    assert [event for event in events if not NEEDS[event] <= scopes] == []
    assert not {"users:read.email", "channels:join", "chat:write.public", "chat:write.customize"} & scopes
    assert not [scope for scope in scopes if scope.startswith("admin")]


def test_the_shortcut_and_the_command_are_those_of_the_handlers() -> None:
    assert [s["callback_id"] for s in MANIFEST["features"]["shortcuts"]] == [ids.ASK]
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == "/finetune"
    assert not re.fullmatch(f"/({RESERVED})", command["command"])


def test_names_keep_slacks_limits() -> None:
    shown, features = MANIFEST["display_information"], MANIFEST["features"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4_000
    assert len(features["bot_user"]["display_name"]) <= 80
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
    for command in features["slash_commands"]:
        assert len(command["description"]) <= 2_000
        assert len(command["usage_hint"]) <= 1_000


def test_it_is_an_app_for_socket_mode_with_a_messages_tab() -> None:
    assert MANIFEST["settings"]["socket_mode_enabled"] is True
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    home = MANIFEST["features"]["app_home"]
    assert home["home_tab_enabled"]
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"]
