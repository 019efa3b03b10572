"""The workspace: its people, channels, messages, files, the installed app and the page's open windows."""

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.practice.board import Board, public
from bot.practice.delivery import Delivery, Timing
from bot.practice.faults import InjectedFaults
from bot.practice.files import Uploads
from bot.practice.hooks import Hooks
from bot.practice.manifest import AppManifest
from bot.practice.people import TEAM_ID, Channel, Group, Member
from bot.practice.requests import HttpMode
from bot.practice.sample import Channels, SamplePeople
from bot.practice.sockets import SocketMode, token
from bot.practice.views import Views
from bot.practice.windows import Windows
from bot.practice.wire import Json, SlackError, new_id

_SAVE_DELAY = 0.05


class Workspace:
    """A sample workspace in which one app, described by its manifest, is installed.

    Args:
        manifest: The app's parsed manifest (Slack's schema) with its name, commands, shortcuts, scopes and events.
        clock: Returns seconds since 1970, for timestamps and for the expiry of trigger_ids, response_urls and tickets.
        state: A JSON file that keeps messages, files and locales across restarts; None keeps nothing.
        timing: The deadline of acks and the delays of redelivery, in seconds of the event loop.

    Callers use `people`, `sample` (the channels), `faults` and `sockets.disconnect`; `serve` needs the rest.

    Raises:
        ValueError: The file `state` exists but is not JSON.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        clock: Callable[[], float] = time.time,
        state: Path | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.app = AppManifest.parse(manifest)
        self.clock = clock
        self.people = SamplePeople.sample(self.app)
        self.sample = Channels.sample(self.people)
        self.board = Board(self.sample, self.app.bot_user, clock)
        self.files = Uploads(clock)
        self.views = Views(self.app, clock)
        self.hooks = Hooks(clock)
        self.faults = InjectedFaults()
        self.windows = Windows()
        self.sockets = SocketMode(self.app.app_id, timing or Timing(), clock)
        self.requests = HttpMode(self.sockets.timing, clock)
        self.sockets.on_change = self.requests.on_change = self._connection_changed
        self.bot_token, self.app_token = token("xoxb"), token("xapp")
        self.url = ""
        self._state = state
        self._save_seconds = 0.0
        self._save_timer: asyncio.TimerHandle | None = None
        if state and state.exists():
            self._load(state)

    @property
    def delivery(self) -> Delivery:
        """Return the delivery to the app: requests if the app has a request URL, otherwise its sockets."""
        return self.requests if self.requests.url else self.sockets

    def member(self, user_id: str) -> Member:
        """Return a person or the bot user.

        Raises:
            SlackError: `user_not_found`.
        """
        member = self.people.get(user_id)
        if member is None:
            raise SlackError("user_not_found")
        return member

    def group(self, group_id: str) -> Group:
        """Return a user group.

        Raises:
            SlackError: `no_such_subteam`.
        """
        for group in self.people.groups:
            if group.id == group_id:
                return group
        raise SlackError("no_such_subteam")

    def dm(self, user_id: str) -> Channel:
        """Return a person's DM with the bot. A new DM is announced to the page."""
        known = len(self.board.channels)
        channel = self.board.dm(user_id)
        if len(self.board.channels) > known:
            self.windows.tell({"type": "channel", "channel": channel.summary()}, channel.members)
        return channel

    def show(self, channel: Channel, message: Json | None) -> None:
        """Send a new or changed message to the windows of the channel's members, and schedule a save."""
        if message is not None:
            frame = {"type": "message", "channel": channel.id, "message": public(message)}
            self.windows.tell(frame, channel.members)
        self.save_soon()

    def emit(self, event: Json, name: str = "") -> None:
        """Deliver an event to the app if the manifest subscribes to it.

        Args:
            event: The event.
            name: The event's name in the manifest where it differs from its type, such as `message.channels`.
        """
        if (name or event["type"]) not in self.app.events:
            return
        callback = self._callback(event)
        self.delivery.deliver(callback)
        for _ in range(self.faults.duplicates):
            self.delivery.deliver(self._callback(event) if self.faults.new_event_ids else callback)

    def _callback(self, event: Json) -> Json:
        enterprise = self.people.bot.enterprise_id or None
        authorization = {"enterprise_id": enterprise, "team_id": TEAM_ID, "user_id": self.app.bot_user}
        author = self.people.get(str(event.get("user")))
        return {
            "token": "practice",
            "team_id": TEAM_ID,
            "context_team_id": TEAM_ID,
            "context_enterprise_id": enterprise,
            "api_app_id": self.app.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(self.clock()),
            "authorizations": [authorization | {"is_bot": True, "is_enterprise_install": False}],
            "is_ext_shared_channel": author is not None and not self.people.is_colleague(author),
            "event_context": f"4-{new_id('x')}",
        }

    def _connection_changed(self) -> None:
        self.windows.tell({"type": "connection", "connected": self.delivery.connected > 0})

    def save_soon(self) -> None:
        """Schedule a save that combines the changes until then.

        The delay is ten times the duration of the last save, and at least `_SAVE_DELAY` seconds.
        """
        if self._state and self._save_timer is None:
            delay = max(_SAVE_DELAY, 10 * self._save_seconds)
            self._save_timer = asyncio.get_running_loop().call_later(delay, self.save)

    def save(self) -> None:
        """Write the state file now, atomically."""
        if self._save_timer:
            self._save_timer.cancel()
            self._save_timer = None
        if self._state is None:
            return
        started = time.perf_counter()
        saved = {
            **self.board.dump(),
            "locales": {one.id: one.locale for one in self.people},
            "files": [[file, base64.b64encode(content).decode()] for file, content in self.files.completed()],
        }
        for folder in reversed(self._state.parents):
            if not folder.exists():
                folder.mkdir(mode=0o700)
        fresh = self._state.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # only its owner may read it
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(saved, ensure_ascii=False))
        fresh.replace(self._state)
        self._save_seconds = time.perf_counter() - started

    def _load(self, state: Path) -> None:
        try:
            saved: Json = json.loads(state.read_text("utf-8"))
        except ValueError:
            raise ValueError(f"{state} is not a workspace's state file; move it away to start afresh") from None
        self.board.load(saved)
        for user_id, locale in saved["locales"].items():
            self.member(user_id).locale = locale
        for file, content in saved["files"]:
            self.files.restore(file, base64.b64decode(content))
