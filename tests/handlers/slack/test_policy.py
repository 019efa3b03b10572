"""What is legal in Slack's protocol and is not how its own clients mostly say it."""

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.question import Via
from handlers.questions import refused_here
from handlers.slack.people import SlackUser
from handlers.slack.policy import Policy
from handlers.texts.escape import written

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


def test_a_message_of_blocks_alone_is_read() -> None:
    assert written({"text": "", "blocks": RICH}) == (
        "<@U0BOT> my R&amp;D laptop:fire:<https://x.example/a|><https://x.example/b|b>\n"
        "<#C1>\n<!here>\n<!subteam^S1>\n1 Jan"
    )
    assert written({"text": "typed", "blocks": RICH}) == "typed"
    assert written({"text": None, "blocks": None}) == ""


@pytest.mark.parametrize(
    ("more", "via"),
    [
        ({}, Via.CHANNEL),
        ({"channel": "D1"}, Via.DM),
        ({"channel": "C1", "channel_type": "im"}, Via.DM),
        ({"channel": "C1"}, None),
        ({"text": "", "blocks": RICH}, None),  # its mention comes as an event of its own
        ({"text": "", "blocks": RICH, "type": "app_mention"}, Via.MENTION),
    ],
)
def test_how_a_message_reached_us_needs_neither_text_nor_channel_type(more: dict[str, Any], via: Via | None) -> None:
    heard = POLICY.heard(event(**more))
    assert (heard and heard.via) == via


@pytest.mark.parametrize(
    ("channel", "refusal"),
    [
        ({}, None),
        ({"is_member": True}, None),
        ({"is_member": False}, "ask.not_in_channel"),
        ({"is_ext_shared": True}, "ask.outsider"),
    ],
)
async def test_a_channel_with_few_fields_is_not_taken_for_a_strange_one(
    channel: dict[str, Any], refusal: str | None
) -> None:
    class Client(AsyncWebClient):
        async def conversations_info(self, **_: Any) -> Any:
            return {"channel": {"id": "C1", **channel}}

    asker = SlackUser("U1", "en", outsider=False)
    assert await refused_here("C1", asker, Client()) == refusal
