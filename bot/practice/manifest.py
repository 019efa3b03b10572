"""The part of an app's manifest that the stand-in uses: name, commands, shortcuts, scopes and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.practice.wire import Json


@dataclass(frozen=True)
class AppManifest:
    """The installed app. The ids are the stand-in's own; everything else comes from the manifest."""

    name: str
    bot_name: str
    commands: list[Json] = field(default_factory=list)
    shortcuts: list[Json] = field(default_factory=list)
    scopes: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    app_id: str = "A0PRACTICE1"
    bot_id: str = "B0PRACTICE1"
    bot_user: str = "U0BOTUSER01"

    @classmethod
    def parse(cls, manifest: Mapping[str, Any]) -> "AppManifest":
        """Build the app from a parsed manifest of Slack's manifest schema, version 1 or 2."""
        features: Json = manifest.get("features") or {}
        settings: Json = manifest.get("settings") or {}
        name = str((manifest.get("display_information") or {}).get("name", "app"))
        return cls(
            name=name,
            bot_name=str((features.get("bot_user") or {}).get("display_name", name)),
            commands=list(features.get("slash_commands") or []),
            shortcuts=list(features.get("shortcuts") or []),
            scopes=frozenset(((manifest.get("oauth_config") or {}).get("scopes") or {}).get("bot") or []),
            events=frozenset((settings.get("event_subscriptions") or {}).get("bot_events") or []),
        )

    def command(self, name: str) -> Json | None:
        return next((command for command in self.commands if command.get("command") == name), None)

    def shortcut(self, callback_id: str) -> Json | None:
        return next((shortcut for shortcut in self.shortcuts if shortcut.get("callback_id") == callback_id), None)
