"""The reading of a message that is more than its text: tables, attachments, forwards and files."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.domain.question import Unread
from bot.practice import chat
from bot.practice.people import TEAM_ID
from handlers.slack.content import content_of
from tests.kits.slack_desk import Json, SlackDesk, kept, texts

WATCHED = "C0HELPDESK1"
CELL = {
    "type": "rich_text",
    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "R&D"}]}],
}
TABLE = {
    "type": "table",
    "rows": [
        [{"type": "raw_text", "text": "device"}, {"type": "raw_text", "text": "fault"}],
        [{"type": "raw_text", "text": "laptop"}, CELL],
        [{"type": "raw_number", "value": 3}, {"type": "raw_text", "text": ""}],
    ],
}
READ = "device | fault\nlaptop | R&amp;D\n3 | "
FORWARD = {"is_share": True, "author_id": "U0PRIYA0001", "channel_id": "C0SECRET001", "text": "the secret plan"}
PDF = {"id": "F1", "name": "report.pdf", "pretty_type": "PDF"}


@pytest.mark.parametrize(
    ("message", "text", "unread"),
    [
        ({"text": "typed"}, "typed", []),
        ({"text": "typed", "blocks": [CELL]}, "typed", []),
        ({"text": "see", "blocks": [TABLE]}, f"see\n{READ.strip()}", []),
        ({"text": "see", "attachments": [{"blocks": [TABLE]}]}, f"see\n{READ.strip()}", []),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*a*"}}, TABLE]},
            f"*a*\n{READ.strip()}",
            [],
        ),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "R&D"}}]}, "R&amp;D", []),
        ({"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "b"}]}]}, "b", []),
        ({"blocks": [{"type": "markdown", "text": "# c"}, {"type": "divider"}]}, "# c", []),
        ({"blocks": [{"type": "video"}]}, "", [Unread.OTHER]),
        ({"text": "please handle", "attachments": [FORWARD, FORWARD]}, "please handle", []),
        ({"text": "x", "attachments": [{**FORWARD, "blocks": [TABLE], "message_blocks": [1]}]}, "x", []),
        ({"text": "x", "attachments": [{**FORWARD, "is_share": False, "is_msg_unfurl": True}]}, "x", [Unread.FORWARD]),
        ({"text": "x", "attachments": [{"from_url": "https://x.example", "blocks": [TABLE]}]}, "x", []),
        ({"text": "x", "attachments": [{"fallback": "y"}]}, "x", [Unread.OTHER]),
        ({"text": "x", "files": [PDF]}, "x", ["report.pdf (PDF)"]),
        ({"text": "x", "files": [{"name": "a\nb", "mode": "tombstone"}, {}]}, "x", ["?"]),
        ({"text": "x", "files": [{"name": ":forward"}, *[PDF] * 9]}, "x", ["forward", "report.pdf (PDF)", "+5"]),
        ({"text": "x", "files": [{"name": "me@example.com \ud83d.txt"}]}, "x", ["[mail] .txt"]),
        ({"text": None, "blocks": None, "attachments": "odd", "files": [None]}, "", []),
    ],
)
def test_message_is_read_as_its_author_wrote_it(message: Json, text: str, unread: list[str]) -> None:
    content = content_of(message)
    assert (content.text, content.unread.split("\n") if content.unread else []) == (text, unread)


WORD = st.text("abc<&|漢", min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.integers() | WORD | st.sampled_from(["table", "rich_text", "section", "context", "raw_text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "rows", "elements", "fields", "blocks", "is_share"]), inner)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.fixed_dictionaries({"text": JSON, "blocks": JSON, "attachments": JSON, "files": JSON}))
@example({"text": "", "blocks": [{"type": ["table"]}], "attachments": None, "files": {}})
def test_no_shape_of_message_raises(message: dict[str, Any]) -> None:
    content_of(message)


@settings(deadline=None)
@given(WORD, st.lists(st.tuples(st.sampled_from(["own", "forward", "message", "link", "blank"]), WORD), max_size=5))
def test_foreign_text_is_never_read(typed: str, parts: list[tuple[str, str]]) -> None:
    marks: dict[str, Json] = {"own": {}, "blank": {}, "forward": {"is_share": True}, "link": {"from_url": "x"}}
    marks["message"] = {"is_msg_unfurl": True}
    attachments = []
    for kind, word in parts:
        cell = {"type": "raw_text", "text": "" if kind == "blank" else f"{kind}-{word}"}
        attachments.append({**marks[kind], "text": f"{kind}-{word}", "blocks": [{"type": "table", "rows": [[cell]]}]})
    content = content_of({"text": typed, "attachments": attachments})
    kinds = [kind for kind, _ in parts]
    assert content.text.count("own-") == kinds.count("own")
    assert "forward-" not in content.text
    assert "link-" not in content.text
    assert "message-" not in content.text
    assert len(content.forwards) == kinds.count("forward")
    assert (Unread.FORWARD in content.unread) == ("message" in kinds)
    assert (Unread.OTHER in content.unread) == ("blank" in kinds)


async def posted(desk: SlackDesk, text: str, **more: Any) -> str:
    """Have an employee post a message with more than text, and return its ts."""
    emily, workspace = await desk.emily(), desk.server.workspace
    message = {"user": emily.user_id, "type": "message", "ts": workspace.board.ts(), "text": text, "team": TEAM_ID}
    chat.publish(workspace, desk.server.channels.help_desk, {**message, "blocks": [], **more})
    return str(message["ts"])


async def test_pasted_table_is_part_of_question(desk: SlackDesk) -> None:
    ts = await posted(desk, "who handles this?", attachments=[{"blocks": [TABLE]}])
    card = await (await desk.emily()).answer(ts)
    assert "IT" in texts(card)
    await desk.settled()
    assert (await kept(desk, ts)).text == "who handles this?\ndevice | fault\nlaptop | R&D\n3 |"


async def test_card_says_what_was_not_read(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await posted(desk, "my laptop: please handle", attachments=[FORWARD], files=[PDF])
    await emily.answer(ts)
    card = await priya.answer(ts)
    for shown in ("report.pdf (PDF)", "forwarded message is not read"):
        assert shown in texts(card)
    assert not any("secret" in text for text in desk.model.asked)
    await priya.press(card, "correct.agree")
    settled = await priya.message(lambda m: "Confirmed by" in texts(m))
    assert "report.pdf (PDF)" in texts(settled)
    assert "secret" not in (await kept(desk, ts)).text
