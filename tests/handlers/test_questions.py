"""Messages that become questions, through Slack: each row of the table in docs/slack.md; none is lost or doubled."""

import logging
from typing import Any

import pytest

from bot.domain.errors import ModelRefused
from bot.domain.intake import LONGEST_QUESTION
from bot.domain.question import Arrival
from bot.practice import Person
from bot.practice.people import TEAM_ID
from storage.store import SqlStore
from tests.kits.slack_desk import Json, SlackDesk, controls, eventually, open_desk, texts

BOT = "@madoguchi"
GENERAL, WATCHED = "C0GENERAL01", "C0HELPDESK1"


async def expect_no_answer(desk: SlackDesk, person: Person, channel: str, ts: str) -> None:
    """Check that the bot has not answered there. A later question, which it answers, proves that it had the chance."""
    before = await desk.questions()
    later = await person.say(GENERAL, f"{BOT} may I take leave?")
    await person.answer(later)
    await desk.settled()
    assert await desk.questions() == before + 1
    assert [m for m in await person.replies(channel, ts) if "bot_id" in m] == []


async def deliver(desk: SlackDesk, event: Json, **body: Any) -> None:
    """Deliver an event that no person of the practice workspace can cause."""
    workspace = desk.server.workspace
    workspace.sockets.deliver({**workspace._callback(event), **body})


def posted(user: str, text: str, ts: str = "1790000500.000100", **more: Any) -> Json:
    return {
        "type": "message",
        "channel": WATCHED,
        "channel_type": "channel",
        "user": user,
        "text": text,
        "ts": ts,
    } | more


async def test_mention_gets_one_card_in_its_thread(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(GENERAL, f"{BOT} How do I apply for leave?")
    card = await emily.answer(ts)
    assert "Labor 労務" in texts(card)
    assert "<!subteam^S0STAFF0001>" in texts(card)
    assert "87%" in texts(card)
    assert "Open the attendance system" in texts(card)
    assert controls(card) == ["correct.agree", "correct.change.0", "correct.change.1", "correct.open"]
    await desk.settled()
    question = await desk.question(GENERAL, ts)
    assert question is not None
    assert (question.text, question.language) == ("How do I apply for leave?", "en")


async def test_person_is_answered_in_own_language(desk: SlackDesk) -> None:
    misaki = await desk.misaki()
    card = await misaki.answer(await misaki.say(WATCHED, "有給の申請方法は？"))
    assert "正しい" in texts(card)
    assert "おそらく正しい回答です（87%）" in texts(card)


async def test_direct_message_is_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    assert "IT" in texts(await emily.answer(await emily.say(channel, "my laptop is broken")))


async def test_top_level_message_in_watched_channel_is_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    assert "IT" in texts(await emily.answer(await emily.say(WATCHED, "my laptop is broken")))


async def test_message_in_unwatched_channel_is_ignored(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(GENERAL, "my laptop is broken")
    await expect_no_answer(desk, emily, GENERAL, ts)


async def test_mention_in_watched_channel_is_one_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, f"{BOT} my laptop is broken")
    await emily.answer(ts)
    await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert len(desk.model.asked) == 1


async def test_replies_in_a_thread_are_ignored(desk: SlackDesk) -> None:
    emily = await desk.emily()
    root = await emily.say(GENERAL, "lunch?")
    await emily.say(GENERAL, "my laptop is broken", thread_ts=root)
    await expect_no_answer(desk, emily, GENERAL, root)


async def test_thread_replies_in_dm_are_no_questions(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    root = await emily.say(channel, "my laptop is broken")
    await emily.answer(root)
    await emily.say(channel, "thank you", thread_ts=root)
    later = await emily.say(channel, "and may I take leave?")
    await emily.answer(later)
    await desk.settled()
    assert await desk.questions() == 2


async def test_mention_in_thread_is_answered_there(desk: SlackDesk) -> None:
    emily = await desk.emily()
    root = await emily.say(GENERAL, "lunch?")
    ts = await emily.say(GENERAL, f"{BOT} my laptop is broken", thread_ts=root)
    await emily.answer(root)
    await desk.settled()
    question = await desk.question(GENERAL, ts)
    assert question is not None
    assert question.place.thread_ts == root


@pytest.mark.parametrize(("text", "words"), [(BOT, "could not find a question"), (f"{BOT} :tada:", "Thank you!")])
async def test_mention_without_question_gets_one_notice(desk: SlackDesk, text: str, words: str) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, text)
    assert words in texts(await emily.answer(ts))
    await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert await desk.questions() == 0


async def test_emoji_in_watched_channel_is_ignored(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, ":tada:")
    await expect_no_answer(desk, emily, WATCHED, ts)


async def test_attachment_alone_gets_a_notice(desk: SlackDesk) -> None:
    emily = await desk.emily()
    sent = await emily._post("messages", channel=await emily.dm(), text="", files=[{"name": "photo.png"}])
    assert "read text only" in texts(await emily.answer(sent["ts"]))
    await desk.settled()
    assert await desk.questions() == 0


async def test_text_with_attachment_is_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    sent = await emily._post("messages", channel=WATCHED, text="my laptop is broken", files=[{"name": "photo.png"}])
    assert "IT" in texts(await emily.answer(sent["ts"]))


async def test_long_message_is_cut_and_card_says_so(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken " * 400)
    assert "only its beginning was read" in texts(await emily.answer(ts))
    await desk.settled()
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert len(question.text) <= LONGEST_QUESTION


async def test_edited_question_is_classified_again(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    first = await emily.answer(ts)
    await emily.edit(WATCHED, ts, "may I take leave?")
    second = await emily.answer(ts)
    assert second["ts"] == first["ts"]
    assert "Labor 労務" in texts(second)
    block = [b["block_id"] for m in (first, second) for b in m["blocks"] if b["type"] == "actions"]
    assert block[0] != block[1]


async def test_edit_after_settlement_changes_nothing(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await emily.say(WATCHED, "my laptop is broken")
    card = await priya.answer(ts)
    await priya.press(card, "correct.agree")
    await priya.answer(ts)
    await emily.edit(WATCHED, ts, "may I take leave?")
    await desk.settled()
    await emily.answer(await emily.say(WATCHED, "another one"))
    await desk.settled()
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert question.text == "my laptop is broken"


async def test_deleted_question_is_forgotten(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await emily.answer(ts)
    await emily.delete(WATCHED, ts)
    await emily.answer(await emily.say(WATCHED, "may I take leave?"))

    async def gone() -> bool:
        return await desk.question(WATCHED, ts) is None

    await eventually(gone)


async def test_messages_of_apps_are_never_questions(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await deliver(desk, posted(emily.user_id, "my laptop is broken", bot_id="B0OTHER0001", app_id="A0OTHER0001"))
    await deliver(desk, posted("USLACKBOT", "my laptop is broken", ts="1790000501.000100"))
    await deliver(desk, posted(desk.server.people.bot.id, "my laptop is broken", ts="1790000502.000100"))
    await deliver(desk, posted(emily.user_id, "joined", ts="1790000503.000100", subtype="channel_join"))
    await emily.answer(await emily.say(WATCHED, "may I take leave?"))
    await desk.settled()
    assert await desk.questions() == 1


async def test_guest_gets_private_notice_and_nothing_is_stored(desk: SlackDesk) -> None:
    tom, emily = await desk.tom(), await desk.emily()
    ts = await tom.say(WATCHED, f"{BOT} may I take leave? my secret is 4711")
    reply = await tom.message(lambda m: "organisation's own members" in m.get("text", ""))
    assert reply.get("ephemeral")
    await expect_no_answer(desk, emily, WATCHED, ts)
    assert not any("4711" in text for text in desk.model.asked)


@pytest.mark.parametrize("who", ["user", "channel"])
async def test_slack_connect_message_gets_private_notice_only(desk: SlackDesk, who: str) -> None:
    emily = await desk.emily()
    event = posted(emily.user_id, "my laptop is broken", **({"user_team": "T0FOREIGN01"} if who == "user" else {}))
    await deliver(desk, event, is_ext_shared_channel=who == "channel")
    assert (await emily.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")
    await desk.settled()
    assert await desk.questions() == 0


@pytest.mark.parametrize("new_event_ids", [False, True])
async def test_message_delivered_four_times_gets_one_answer(desk: SlackDesk, *, new_event_ids: bool) -> None:
    emily = await desk.emily()
    desk.server.workspace.faults.duplicate_events(3, new_event_ids=new_event_ids)
    ts = await emily.say(WATCHED, f"{BOT} my laptop is broken")
    await emily.answer(ts)
    await desk.settled()
    desk.server.workspace.faults.duplicate_events(0)
    await emily.answer(await emily.say(WATCHED, "may I take leave?"))
    await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert await desk.questions() == 2


async def test_event_is_redelivered_when_author_lookup_fails(store: SqlStore) -> None:
    async with open_desk(store, ack=0.2) as desk:
        emily = await desk.emily()
        desk.server.workspace.faults.fail("users.info", calls=2)
        ts = await emily.say(WATCHED, "my laptop is broken")
        assert "IT" in texts(await emily.answer(ts))


async def test_event_is_redelivered_when_storing_fails(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_desk(store, ack=0.2) as desk:
        emily = await desk.emily()
        receive, tries = desk.answering.receive, iter([True, True])

        async def failing(arrival: Arrival) -> bool:
            if next(tries, False):
                raise OSError("the disk is full")
            return await receive(arrival)

        monkeypatch.setattr(desk.answering, "receive", failing)
        ts = await emily.say(WATCHED, "my laptop is broken")
        assert "IT" in texts(await emily.answer(ts))
        await desk.settled()
        assert await desk.questions() == 1


async def test_log_has_no_question_and_no_token(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    emily = await desk.emily()
    desk.server.workspace.faults.fail("chat.postMessage")
    async with desk.time_passes():
        card = await emily.answer(await emily.say(WATCHED, "my laptop is broken"))
        await emily.press(card, "correct.agree")
        await emily.message(lambda m: "Only staff" in m.get("text", ""))
        await desk.settled()
    assert "try 1 failed" in caplog.text
    assert "laptop" not in caplog.text
    assert desk.server.bot_token not in caplog.text
    assert desk.server.app_token not in caplog.text


async def test_card_is_posted_once_when_response_is_lost(desk: SlackDesk) -> None:
    emily = await desk.emily()
    desk.server.workspace.faults.drop("chat.postMessage", after=True)
    async with desk.time_passes():
        ts = await emily.say(WATCHED, "my laptop is broken")
        await emily.answer(ts)
        await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert question.card_ts


@pytest.mark.parametrize("status", [429, 500])
async def test_slack_error_delays_card_without_a_duplicate(desk: SlackDesk, status: int) -> None:
    emily = await desk.emily()
    faults = desk.server.workspace.faults
    if status == 429:
        faults.rate_limit("chat.postMessage")
    else:
        faults.fail("chat.postMessage")
    async with desk.time_passes():
        ts = await emily.say(WATCHED, "my laptop is broken")
        await emily.answer(ts)
        await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1


async def test_asker_is_told_when_model_refuses(desk: SlackDesk) -> None:
    emily = await desk.emily()
    desk.model.fail(1, ModelRefused("no such model"))
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert "could not find out who can help" in texts(await emily.answer(ts))
    await desk.settled()


async def test_shortcut_asks_on_behalf_of_author(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await emily.say(GENERAL, "my laptop is broken")
    (message,) = [m for m in await priya.history(GENERAL) if m["ts"] == ts]
    await priya.shortcut("ask_madoguchi", message)
    assert "IT" in texts(await emily.answer(ts))
    await priya.message(lambda m: "taken up this question" in m.get("text", ""))
    await desk.settled()
    question = await desk.question(GENERAL, ts)
    assert question is not None
    assert question.asker == emily.user_id

    await priya.shortcut("ask_madoguchi", message)
    reply = await priya.message(lambda m: "has its answer already" in m.get("text", ""))
    assert reply.get("ephemeral")
    assert "/archives/" in reply["text"]
    assert await desk.questions() == 1


async def test_shortcut_rejects_messages_of_guests_and_apps(desk: SlackDesk) -> None:
    tom, priya = await desk.tom(), await desk.priya()
    of_guest = await tom.say(GENERAL, "my laptop is broken")
    (message,) = [m for m in await priya.history(GENERAL) if m["ts"] == of_guest]
    await priya.shortcut("ask_madoguchi", message)
    assert (await priya.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")
    await tom.shortcut("ask_madoguchi", message)
    assert (await tom.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")

    await desk.client.chat_postMessage(channel=GENERAL, text="my laptop is broken")
    of_app = next(m for m in await priya.history(GENERAL) if "bot_id" in m and not m.get("ephemeral"))
    await priya.shortcut("ask_madoguchi", of_app)
    assert (await priya.message(lambda m: "posted by an app" in m.get("text", ""))).get("ephemeral")
    assert await desk.questions() == 0


async def test_shortcut_asks_for_invitation_outside_bots_channels(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(GENERAL, "my laptop is broken")
    (message,) = [m for m in await emily.history(GENERAL) if m["ts"] == ts]
    desk.server.channels.general.members.remove(desk.server.people.bot.id)
    await emily.shortcut("ask_madoguchi", message)
    reply = await emily.message(lambda m: "invite me" in m.get("text", ""))
    assert reply.get("ephemeral")
    assert await desk.questions() == 0


async def test_shortcut_works_in_direct_messages_with_bot(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    root = await emily.say(channel, "my laptop is broken")
    await emily.answer(root)
    ts = await emily.say(channel, "and may I take leave?", thread_ts=root)
    (message,) = [m for m in await emily.replies(channel, root) if m["ts"] == ts]
    await emily.shortcut("ask_madoguchi", message)
    await emily.message(lambda m: "Labor 労務" in texts(m))
    await desk.settled()
    assert await desk.questions() == 2


async def test_personal_data_is_masked_before_it_is_stored(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken, write to emily@example.com")
    await emily.answer(ts)
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert "example.com" not in question.text
    assert question.place.team == TEAM_ID
