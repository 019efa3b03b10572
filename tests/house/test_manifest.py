"""manifest.yml declares exactly the commands, events and scopes that the code uses."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from handlers.registration import STORIES, register

ROOT = Path(__file__).resolve().parents[2]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
RESERVED = {
    *("me", "status", "away", "dnd", "shrug", "remind", "msg", "feed", "who", "collapse", "expand", "leave"),
    *("join", "open", "search", "topic", "mute", "pro", "shortcuts"),
}
EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "app_home_opened": None,
    "app_uninstalled": None,
    "tokens_revoked": None,
    "channel_id_changed": "channels:read",
    "subteam_members_changed": "usergroups:read",
    "subteam_updated": "usergroups:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "user_change": "users:read",
}
METHOD_SCOPES = {
    "chat_postMessage": "chat:write",
    "chat_postEphemeral": "chat:write",
    "chat_delete": "chat:write",
    "chat_update": "chat:write",
    "users_info": "users:read",
    "usergroups_list": "usergroups:read",
    "usergroups_users_list": "usergroups:read",
    "bots_info": "users:read",
    "conversations_open": "im:write",
    "conversations_info": "channels:read",
    "conversations_members": "channels:read",
    "conversations_history": "channels:history",
    "conversations_replies": "channels:history",
    "files_upload_v2": "files:write",
    "files_delete": "files:write",
    "chat_getPermalink": None,
    "views_open": None,
    "views_update": None,
    "views_publish": None,
    "auth_test": None,
}


class Recorder:
    """Stand-in for Bolt's app that records what is registered."""

    def __init__(self) -> None:
        self.commands: set[str] = set()
        self.shortcuts: set[str] = set()
        self.events: set[str] = set()

    def command(self, name: str) -> Any:
        self.commands.add(name)
        return lambda listener: listener

    def shortcut(self, name: Any) -> Any:
        self.shortcuts.add(name if isinstance(name, str) else name["callback_id"])
        return lambda listener: listener

    message_shortcut = shortcut

    def event(self, name: Any) -> Any:
        self.events.add(name if isinstance(name, str) else name["type"])
        return lambda listener: listener

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_kwargs: lambda listener: listener


@pytest.fixture(scope="module")
def registered() -> Recorder:
    recorder = Recorder()
    nothing = cast(
        "Any", type("Anything", (), {"__getattr__": lambda self, name: self, "__iter__": lambda _: iter(())})()
    )
    register(cast("Any", recorder), nothing)
    return recorder


def test_commands_and_shortcuts_are_the_registered_ones(registered: Recorder) -> None:
    assert {c["command"] for c in MANIFEST["features"]["slash_commands"]} == registered.commands
    assert {s["callback_id"] for s in MANIFEST["features"]["shortcuts"]} == registered.shortcuts


def test_events_are_the_registered_ones(registered: Recorder) -> None:
    subscribed = {e.partition(".")[0] for e in MANIFEST["settings"]["event_subscriptions"]["bot_events"]}
    assert subscribed == registered.events


def test_no_command_is_reserved_by_slack() -> None:
    for command in MANIFEST["features"]["slash_commands"]:
        name = command["command"].removeprefix("/")
        assert re.fullmatch(r"[a-z0-9_-]{1,31}", name)
        assert name not in RESERVED


def test_usage_hint_names_every_subcommand() -> None:
    hint = MANIFEST["features"]["slash_commands"][0]["usage_hint"]
    for verb in [*(verb for story in STORIES for verb in story.verbs), "help"]:
        assert verb in hint, verb


def test_scopes_are_exactly_the_needed_ones() -> None:
    scopes = set(MANIFEST["oauth_config"]["scopes"]["bot"])
    events = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    source = "\n".join(
        p.read_text(encoding="utf-8") for room in ("bot", "handlers") for p in (ROOT / room).rglob("*.py")
    )
    called = set(
        re.findall(r"client\.((?:chat|views|users|usergroups|conversations|files|auth|reactions|bots)_\w+)\(", source)
    )
    assert called <= METHOD_SCOPES.keys(), called - METHOD_SCOPES.keys()
    needed = {EVENT_SCOPES[e] for e in events} | {METHOD_SCOPES[m] for m in called} | {"commands"}
    if "message.groups" in events:
        needed.add("groups:history")
    assert needed - {None} <= scopes
    assert scopes - needed <= {"channels:read", "groups:read"}


def test_lengths_are_within_slacks_schema() -> None:
    """The limits are those of slackapi/manifest-schema, manifest.schema.2.0.0.json."""
    about = MANIFEST["display_information"]
    assert len(about["name"]) <= 35
    assert len(about.get("description", "")) <= 140
    assert len(about.get("long_description", "x" * 175)) in range(175, 4001)
    assert len(MANIFEST["features"]["bot_user"]["display_name"]) <= 80
    for shortcut in MANIFEST["features"]["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
    assert len(MANIFEST["features"]["slash_commands"][0]["usage_hint"]) <= 1000
    assert MANIFEST["settings"]["socket_mode_enabled"] is True
