"""Payloads that the practice workspace sends while people use the bot, and those that they cannot cause there."""

import contextlib
import copy
from typing import Any

from bot.practice.people import TEAM_ID
from handlers.views import ids
from tests.fuzz.mutating import Json, Sample
from tests.kits.slack_desk import WATCHED, SlackDesk, asked, card

COMMANDS = (
    "",
    "help",
    "status",
    "review",
    "export",
    "recall 4",
    "prompt",
    "unsure",
    "shadow",
    "audit",
    "switch v1",
    "ｈｅｌｐ",
)
TYPES = {name: value for name, value in vars(ids).items() if isinstance(value, str) and name.isupper()}
"""All ids of controls and forms: name in handlers/views/ids.py → id."""


async def recorded(desk: SlackDesk) -> list[Sample]:
    """Use the bot as people do, and return kind and payload of everything that Slack sent to it."""
    heard: list[Sample] = []
    sockets = desk.server.workspace.sockets
    ask = sockets.ask

    async def listening(kind: str, payload: Json, **extra: Any) -> Json | None:
        heard.append((kind, copy.deepcopy(payload)))
        return await ask(kind, payload, **extra)

    sockets.ask = listening  # type: ignore[method-assign]
    await _walk(desk)
    sockets.ask = ask  # type: ignore[method-assign]
    return heard + _events(heard) + _controls(heard)


async def _walk(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await asked(desk)
    await emily.say("C0GENERAL01", "@madoguchi may I take leave?")
    await emily.open_home()
    shown = await card(priya, ts)
    await priya.press(shown, ids.CORRECT_OPEN)
    with contextlib.suppress(TimeoutError):
        await priya.submit(await priya.view())
    await emily.shortcut(ids.ASK, {"channel": WATCHED, "ts": ts})
    admin = await desk.window(desk.server.people.admin)
    for line in COMMANDS:
        await admin.command(f"/finetune {line}".strip())
    await desk.settled()


def _events(heard: list[Sample]) -> list[Sample]:
    """Return events of kinds that nobody in the practice workspace causes, and messages with all their parts."""
    base = next(payload for kind, payload in heard if kind == "events_api")
    said = {"channel": WATCHED, "channel_type": "channel", "user": "U0EMILY0001", "ts": "1790000600.000100"}
    share = {"is_share": True, "channel_id": "C0GENERAL01", "author_id": "U0MISAKI001", "ts": "1790000000.000200"}
    blocks = [
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "a"}]}]}
    ]
    events: list[Json] = [
        {"type": "message", "text": "my laptop", "thread_ts": "1790000500.000100", **said},
        {"type": "message", "text": "", "blocks": blocks, "attachments": [share | {"text": "leave"}], **said},
        {"type": "message", "subtype": "file_share", "files": [{"id": "F1", "name": "a.pdf"}], "text": "see", **said},
        {
            "type": "message",
            "subtype": "message_changed",
            "message": {**said, "text": "b"},
            "previous_message": said,
            **said,
        },
        {"type": "message", "subtype": "message_deleted", "deleted_ts": said["ts"], "previous_message": said, **said},
        {"type": "app_mention", "text": "<@U0BOTUSER01> leave?", **said},
        {
            "type": "reaction_added",
            "user": "U0EMILY0001",
            "reaction": "raised_hands",
            "item_user": "U0EMILY0001",
            "item": {"type": "message", "channel": WATCHED, "ts": said["ts"]},
        },
        {"type": "app_home_opened", "user": "U0EMILY0001", "channel": "D0EMILY0001", "tab": "home"},
        {"type": "user_change", "user": {"id": "U0EMILY0001", "team_id": TEAM_ID, "deleted": False, "locale": "ja-JP"}},
        {"type": "subteam_members_changed", "subteam_id": "S0STAFF0001", "added_users": ["U0EMILY0001"]},
        {"type": "subteam_updated", "subteam": {"id": "S0STAFF0001", "users": ["U0PRIYA0001"]}},
        {"type": "channel_id_changed", "old_channel_id": "C0OLD000001", "new_channel_id": "C0NEW000001"},
        {"type": "app_uninstalled"},
    ]
    return [("events_api", base | {"event": event}) for event in events]


def _controls(heard: list[Sample]) -> list[Sample]:
    """Return a press and a submission for each id, with the values of other controls."""
    press = next(p for kind, p in heard if kind == "interactive" and p["type"] == "block_actions")
    submit = next((p for kind, p in heard if kind == "interactive" and p["type"] == "view_submission"), None)
    made: list[Sample] = []
    for action_id in TYPES.values():
        one = copy.deepcopy(press)
        one["actions"][0] |= {"action_id": action_id}
        made.append(("interactive", one))
        if submit:
            form = copy.deepcopy(submit)
            form["view"] |= {"callback_id": action_id}
            made.append(("interactive", form))
    return made
