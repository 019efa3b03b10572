"""Modals and App Homes. Each person has a stack of at most three modals."""

import json
import secrets
from collections.abc import Callable

from bot.practice.board import with_ids
from bot.practice.manifest import AppManifest
from bot.practice.people import TEAM_ID
from bot.practice.wire import Json, SlackError, new_id

_MAX_DEPTH = 3
_MAX_VIEW_CHARACTERS = 250_000
_DEFAULTS: Json = {
    "private_metadata": "",
    "callback_id": "",
    "external_id": "",
    "title": None,
    "submit": None,
    "close": None,
    "clear_on_close": False,
    "notify_on_close": False,
}


class Views:
    """The store of open views. The `owner` of a view is the person who sees it; each person has one home view."""

    def __init__(self, app: AppManifest, clock: Callable[[], float]) -> None:
        self.homes: dict[str, Json] = {}
        self._app = app
        self._clock = clock
        self._open: dict[str, tuple[str, Json]] = {}
        self._stacks: dict[str, list[str]] = {}

    def get(self, view_id: str, external_id: str = "") -> tuple[str, Json]:
        """Return a view's owner and the view.

        Raises:
            SlackError: `not_found`.
        """
        if view_id in self._open:
            return self._open[view_id]
        for owner, view in self._open.values():
            if external_id and view["external_id"] == external_id:
                return owner, view
        raise SlackError("not_found")

    def stack(self, owner: str) -> list[Json]:
        """Return a person's modals, bottom of the stack first."""
        return [self._open[view_id][1] for view_id in self._stacks.get(owner, [])]

    def open(self, owner: str, definition: Json) -> Json:
        """Open a modal as a new stack; the person's older stack is closed.

        Raises:
            SlackError: `view_too_large` or `duplicate_external_id`.
        """
        self.clear(owner)
        return self._push(owner, definition)

    def push(self, owner: str, definition: Json) -> Json:
        """Push a modal on a person's stack.

        Raises:
            SlackError: `not_found` without an open modal, `push_limit_reached` for a fourth one, `view_too_large` or
                `duplicate_external_id`.
        """
        depth = len(self._stacks.get(owner, []))
        if not depth:
            raise SlackError("not_found")
        if depth >= _MAX_DEPTH:
            raise SlackError("push_limit_reached")
        return self._push(owner, definition)

    def _push(self, owner: str, definition: Json) -> Json:
        stack = self._stacks.setdefault(owner, [])
        view = self._build(definition, new_id("V"))
        view |= {"root_view_id": stack[0] if stack else view["id"], "previous_view_id": stack[-1] if stack else None}
        stack.append(view["id"])
        self._open[view["id"]] = (owner, view)
        return view

    def update(self, view: Json, definition: Json, known_hash: str = "") -> Json:
        """Replace a view's definition.

        Raises:
            SlackError: `hash_conflict` if the view has changed since `known_hash`, `view_too_large` or
                `duplicate_external_id`.
        """
        if known_hash and known_hash != view["hash"]:
            raise SlackError("hash_conflict")
        new = self._build(definition, view["id"])
        new |= {key: view[key] for key in ("root_view_id", "previous_view_id")}
        owner, _ = self._open[view["id"]]
        self._open[view["id"]] = (owner, new)
        if view["type"] == "home":
            self.homes[owner] = new
        return new

    def publish(self, owner: str, definition: Json, known_hash: str = "") -> Json:
        """Set or replace a person's App Home.

        Raises:
            SlackError: `hash_conflict` if the home has changed since `known_hash`, `view_too_large` or
                `duplicate_external_id`.
        """
        if old := self.homes.get(owner):
            return self.update(old, definition, known_hash)
        view = self._build(definition, new_id("V"))
        view |= {"root_view_id": view["id"], "previous_view_id": None}
        self._open[view["id"]] = (owner, view)
        self.homes[owner] = view
        return view

    def close(self, owner: str, view_id: str) -> None:
        """Close a modal and all modals above it."""
        stack = self._stacks.get(owner, [])
        while view_id in stack:
            del self._open[stack.pop()]

    def clear(self, owner: str) -> None:
        """Close all modals of a person."""
        for view_id in self._stacks.pop(owner, []):
            del self._open[view_id]

    def _build(self, definition: Json, view_id: str) -> Json:
        if len(json.dumps(definition)) > _MAX_VIEW_CHARACTERS:
            raise SlackError("view_too_large")
        external_id = definition.get("external_id")
        if external_id and any(
            view["external_id"] == external_id and key != view_id for key, (_, view) in self._open.items()
        ):
            raise SlackError("duplicate_external_id")
        return {
            **_DEFAULTS,
            **definition,
            "id": view_id,
            "team_id": TEAM_ID,
            "app_id": self._app.app_id,
            "app_installed_team_id": TEAM_ID,
            "bot_id": self._app.bot_id,
            "blocks": with_ids(definition["blocks"]),
            "state": {"values": {}},
            "hash": f"{int(self._clock())}.{secrets.token_hex(4)}",
        }
