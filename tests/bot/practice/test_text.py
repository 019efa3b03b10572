"""Typed text as mrkdwn, and as the rich_text of Slack's composer."""

import pytest

from bot.practice.manifest import AppManifest
from bot.practice.sample import Channels, SamplePeople
from bot.practice.text import rich_text, to_command_text, to_mrkdwn

PEOPLE = SamplePeople.sample(AppManifest(name="Desk", bot_name="Help Desk"))
CHANNELS = Channels.sample(PEOPLE)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("@Help Desk 有給は？", "<@U0BOTUSER01> 有給は？"),
        ("@help_desk有給は？", "<@U0BOTUSER01>有給は？"),
        ("@高橋 健司さん", "<@U0KENJI0001>さん"),
        ("@emily.carter2", "@emily.carter2"),
        ("<@U0EMILY0001> and <!channel>", "<@U0EMILY0001> and &lt;!channel&gt;"),
        ("in #help-desk", "in <#C0HELPDESK1|help-desk>"),
        ("see https://example.com/?a=1&b=2 now", "see <https://example.com/?a=1&amp;b=2> now"),
        ("mail me@example.co.jp", "mail <mailto:me@example.co.jp|me@example.co.jp>"),
    ],
)
def test_typed_text_is_converted_to_mrkdwn(text: str, stored: str) -> None:
    assert to_mrkdwn(text, PEOPLE, CHANNELS) == stored


def test_mentions_in_a_command_carry_names() -> None:
    assert to_command_text("@Priya Nair", PEOPLE, CHANNELS) == "<@U0PRIYA0001|priya.nair>"


def test_rich_text_has_every_part_of_the_mrkdwn() -> None:
    text = "<@U1> *big* _slanted_ ~gone~ `a&lt;b` :tada: <#C1|general> <!subteam^S1> <!here> <https://x.example|x>"
    section = rich_text(text + " 5 * 3 * 2 <!date^1790000000^{time}|then>")["elements"][0]["elements"]
    assert [one for one in section if one.get("text") != " "] == [
        {"type": "user", "user_id": "U1"},
        {"type": "text", "text": "big", "style": {"bold": True}},
        {"type": "text", "text": "slanted", "style": {"italic": True}},
        {"type": "text", "text": "gone", "style": {"strike": True}},
        {"type": "text", "text": "a<b", "style": {"code": True}},
        {"type": "emoji", "name": "tada"},
        {"type": "channel", "channel_id": "C1"},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "broadcast", "range": "here"},
        {"type": "link", "url": "https://x.example", "text": "x"},
        {"type": "text", "text": " 5 * 3 * 2 "},
        {"type": "date", "timestamp": 1790000000, "format": "{time}", "fallback": "then"},
    ]


def test_preformatted_text_is_a_part_of_its_own() -> None:
    kinds = [part["type"] for part in rich_text("before ```x = 1``` after")["elements"]]
    assert kinds == ["rich_text_section", "rich_text_preformatted", "rich_text_section"]
