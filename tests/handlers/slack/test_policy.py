"""Events that Slack's protocol allows but its own clients rarely send."""

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.question import Via
from handlers.questions import channel_refusal
from handlers.slack.people import SlackUser
from handlers.slack.policy import Policy
from handlers.texts.escape import message_text

POLICY = Policy("U0BOT", ["C0DESK"])
RICH = [
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "user", "user_id": "U0BOT"},
                    {"type": "text", "text": " my "},
                    {"type": "text", "text": "R&D laptop", "style": {"bold": True}},
                    {"type": "emoji", "name": "fire", "unicode": "1f525"},
                    {"type": "link", "url": "https://x.example/a"},
                    {"type": "link", "url": "https://x.example/b", "text": "b"},
                ],
            },
            {
                "type": "rich_text_list",
                "style": "bullet",
                "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "channel", "channel_id": "C1"}]},
                    {"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "here"}]},
                ],
            },
            {"type": "rich_text_quote", "elements": [{"type": "usergroup", "usergroup_id": "S1"}]},
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "date", "timestamp": 1, "format": "{date}", "fallback": "1 Jan"}],
            },
        ],
    },
    {"type": "divider"},
]


def event(**more: Any) -> dict[str, Any]:
    return {"type": "message", "user": "U1", "channel": "C0DESK", "ts": "1.1", "text": "my laptop is broken", **more}


def test_message_of_blocks_alone_is_read() -> None:
    assert message_text({"text": "", "blocks": RICH}) == (
        "<@U0BOT> my R&amp;D laptop:fire:<https://x.example/a|><https://x.example/b|b>\n"
        "<#C1>\n<!here>\n<!subteam^S1>\n1 Jan"
    )
    assert message_text({"text": "typed", "blocks": RICH}) == "typed"
    assert message_text({"text": None, "blocks": None}) == ""


@pytest.mark.parametrize(
    ("more", "via"),
    [
        ({}, Via.CHANNEL),
        ({"channel": "D1"}, Via.DM),
        ({"channel": "C1", "channel_type": "im"}, Via.DM),
        ({"channel": "C1"}, None),
        ({"text": "", "blocks": RICH}, None),  # Slack sends the mention as a second event
        ({"text": "", "blocks": RICH, "type": "app_mention"}, Via.MENTION),
    ],
)
def test_via_needs_neither_text_nor_channel_type(more: dict[str, Any], via: Via | None) -> None:
    addressed = POLICY.from_event(event(**more))
    assert (addressed and addressed.via) == via


@pytest.mark.parametrize(
    ("channel", "refusal"),
    [
        ({}, None),
        ({"is_member": True}, None),
        ({"is_member": False}, "ask.not_in_channel"),
        ({"is_ext_shared": True}, "ask.outsider"),
    ],
)
async def test_channel_info_with_few_fields_is_accepted(channel: dict[str, Any], refusal: str | None) -> None:
    class Client(AsyncWebClient):
        async def conversations_info(self, **_: Any) -> Any:
            return {"channel": {"id": "C1", **channel}}

    asker = SlackUser("U1", "en", outsider=False)
    assert await channel_refusal("C1", asker, Client()) == refusal
