"""Forwarded messages: read only where author and channel are surely our own, and a row only with the author's yes."""

from typing import Any

import pytest

from bot.domain.consent import Consent
from bot.practice import Person, chat
from bot.practice.people import Channel
from tests.kits.slack_desk import Json, SlackDesk, eventually, kept, private, texts

GENERAL, WATCHED, OPS = "C0GENERAL01", "C0HELPDESK1", "C0OPS000001"
SECRET = "the secret plan"
YES, NO = "consent.yes", "consent.no"


async def said(person: Person, text: str, channel: str = GENERAL) -> Json:
    """Post a message as this person and return it."""
    ts = await person.say(channel, text)
    return next(m for m in await person.history(channel) if m["ts"] == ts)


async def forwarded(desk: SlackDesk, caption: str = "please handle", **changed: Any) -> str:
    """Have an employee post a forward with some of its facts changed (None: left out); return its ts."""
    emily, priya, workspace = await desk.emily(), await desk.priya(), desk.server.workspace
    facts = {"is_share": True, "author_id": priya.user_id, "channel_id": GENERAL, "text": SECRET, "ts": "1.000100"}
    facts = {name: value for name, value in (facts | changed).items() if value is not None}
    message = chat.say(workspace, emily.user_id, desk.server.channels.help_desk, caption, attachments=[facts])
    return str(message["ts"])


async def card_in(desk: SlackDesk, ts: str) -> Json:
    card = await (await desk.priya()).answer(ts)
    await desk.settled()
    return card


async def test_forward_of_member_is_the_question(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    ts = await emily.forward(await said(misaki, "ノートが laptop です"), WATCHED, "please handle")
    card = await card_in(desk, ts)
    assert "IT" in texts(card)
    assert "forwarded" not in texts(card)
    question = await kept(desk, ts)
    assert (question.text, question.asker) == ("please handle\nノートが laptop です", emily.user_id)
    assert [author.id for author in question.authors] == [misaki.user_id]


async def test_mention_with_forward_is_read(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.forward(await said(await desk.misaki(), "my laptop died"), GENERAL, "@madoguchi who handles this?")
    assert "IT" in texts(await emily.answer(ts))


async def test_forward_without_a_text_is_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.forward(await said(await desk.misaki(), "my laptop died"), await emily.dm())
    assert "IT" in texts(await emily.answer(ts))


async def test_message_in_blocks_only_is_read(desk: SlackDesk) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "my *laptop* died"}}
    ts = await forwarded(
        desk, "see", text="", message_blocks=[{"message": {"blocks": [section]}}, 1, {"message": None}]
    )
    await card_in(desk, ts)
    assert (await kept(desk, ts)).text == "see\nmy *laptop* died"


@pytest.mark.parametrize(
    "changed",
    [
        {"author_id": None},
        {"author_id": "U0TOM000001"},
        {"author_id": "U0LENA00001"},
        {"author_id": "U0NOBODY001"},
        {"author_id": ["U0PRIYA0001"]},
        {"author_id": "USLACKBOT"},
        {"author_id": None, "bot_id": "B0OTHER0001"},
        {"bot_id": "B0OTHER0001"},
        {"msg_subtype": "bot_message"},
        {"channel_id": None},
        {"channel_id": OPS},
        {"channel_id": "C0NOWHERE01"},
        {"channel_id": "D0EMILY0001"},
        {"channel_id": {}},
        {"channel_team": "T0FOREIGN01"},
        {"is_share": False, "is_msg_unfurl": True},
    ],
)
async def test_unverified_forward_is_not_read(desk: SlackDesk, changed: Json) -> None:
    ts = await forwarded(desk, "my laptop: please handle", **changed)
    card = await card_in(desk, ts)
    assert "IT" in texts(card)
    assert "forwarded message is not read" in texts(card)
    question = await kept(desk, ts)
    assert (question.text, question.authors) == ("my laptop: please handle", ())
    assert not any(SECRET in text for text in desk.model.asked)


async def test_forward_from_shared_channel_is_not_read(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = Channel.conversation

    def shared(channel: Channel, bot_user: str) -> Json:
        return conversation(channel, bot_user) | {"is_ext_shared": channel.id == "C0RANDOM001"}

    monkeypatch.setattr(Channel, "conversation", shared)
    ts = await forwarded(desk, "my laptop", channel_id="C0RANDOM001")
    assert "forwarded message is not read" in texts(await card_in(desk, ts))


async def test_forward_of_deactivated_author_is_not_read(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack no longer says whether a deactivated person was a guest."""
    member = desk.server.people.staff[1]
    user = type(member).user
    monkeypatch.setattr(type(member), "user", lambda one, **kw: user(one, **kw) | {"deleted": one is member})
    ts = await forwarded(desk, "my laptop")
    await (await desk.emily()).answer(ts)
    await desk.settled()
    assert (await kept(desk, ts)).text == "my laptop"


async def test_private_conversation_may_quote_itself(desk: SlackDesk) -> None:
    kenji, priya = await desk.kenji(), await desk.priya()
    message = await said(priya, "my laptop died", OPS)
    ts = await kenji.forward(message, OPS, "@madoguchi who handles this?")
    assert "IT" in texts(await kenji.answer(ts))
    ts = await kenji.forward(message, WATCHED)
    assert "社内の方が公開チャンネルかこの会話に書いたものだけ" in texts(await kenji.answer(ts))


# --- agreement


async def asked_author(author: Person) -> Json:
    """Return the private message that asks the author for an agreement."""
    return await author.message(lambda m: YES in str(m.get("blocks")))


async def test_row_waits_for_the_authors_yes(desk: SlackDesk) -> None:
    emily, misaki, priya = await desk.emily(), await desk.misaki(), await desk.priya()
    ts = await emily.forward(await said(misaki, "my laptop died"), WATCHED, "please handle")
    card = await priya.answer(ts)
    question = await asked_author(misaki)
    assert question["channel"] == await misaki.dm()
    assert "C0GENERAL01" in texts(question)
    assert "/archives/" in texts(question)
    assert emily.user_id not in str(question)
    await priya.press(card, "correct.agree")
    settled = await priya.message(lambda m: "Confirmed by" in texts(m))
    assert "only once the author of the quoted message agrees" in texts(settled)
    assert await desk.rows() == []
    await misaki.press(question, YES)
    await eventually(desk.rows)
    (row,) = await desk.rows()
    assert (row.text, row.category, row.by) == ("please handle\nmy laptop died", "it", priya.user_id)
    await misaki.message(lambda m: "ありがとうございます" in texts(m) and YES not in str(m))
    await priya.message(lambda m: "Confirmed by" in texts(m) and "agrees" not in texts(m))


async def test_no_keeps_the_correction_without_a_row(desk: SlackDesk) -> None:
    emily, misaki, priya = await desk.emily(), await desk.misaki(), await desk.priya()
    ts = await emily.forward(await said(misaki, "my laptop died"), WATCHED, "please handle")
    card = await priya.answer(ts)
    await misaki.press(await asked_author(misaki), NO)
    await misaki.message(lambda m: "承知しました" in texts(m))
    await priya.press(card, "correct.agree")
    await priya.message(lambda m: "Confirmed by" in texts(m))
    assert len(await desk.corrections(await kept(desk, ts))) == 1
    assert await desk.rows() == []


async def test_press_by_anybody_else_is_refused(desk: SlackDesk) -> None:
    emily, misaki, priya = await desk.emily(), await desk.misaki(), await desk.priya()
    ts = await emily.forward(await said(misaki, "my laptop died"), WATCHED, "please handle")
    await priya.press(await priya.answer(ts), "correct.agree")
    question = await asked_author(misaki)
    dm = desk.server.workspace.dm(misaki.user_id)
    for other in (emily, priya):
        dm.members.append(other.user_id)
        await other.press(question, YES)
        await other.message(private("Only the person who wrote that message"))
    assert await desk.rows() == []
    assert (await kept(desk, ts)).withheld


async def test_own_message_needs_no_agreement(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await emily.forward(await said(emily, "my laptop died"), WATCHED, "please handle")
    await priya.press(await priya.answer(ts), "correct.agree")
    await eventually(desk.rows)
    (author,) = (await kept(desk, ts)).authors
    assert (author.id, author.consent) == (emily.user_id, Consent.YES)


async def test_shortcut_on_colleagues_message_needs_agreement(desk: SlackDesk) -> None:
    misaki, priya = await desk.misaki(), await desk.priya()
    message = await said(misaki, "my laptop is broken")
    await priya.shortcut("ask_madoguchi", message)
    card = await priya.answer(message["ts"])
    question = await asked_author(misaki)
    await priya.press(card, "correct.agree")
    await priya.message(lambda m: "さんが確定" in texts(m))
    assert await desk.rows() == []
    await misaki.press(question, YES)
    await eventually(desk.rows)


async def test_shortcut_on_own_message_needs_none(desk: SlackDesk) -> None:
    misaki = await desk.misaki()
    message = await said(misaki, "my laptop is broken")
    await misaki.shortcut("ask_madoguchi", message)
    await misaki.answer(message["ts"])
    question = await desk.question(GENERAL, message["ts"])
    assert question is not None
    assert question.authors == ()
