"""Which messages become questions, at the wire: each row of the policy in docs/slack.md; none is lost or doubled."""

import logging
from typing import Any

import pytest

from bot.domain.errors import ModelRefused
from bot.domain.intake import LONGEST_QUESTION
from bot.domain.question import Arrival
from bot.practice import Person
from bot.practice.people import TEAM_ID
from storage.store import SqlStore
from tests.kits.slack_desk import Json, SlackDesk, controls, open_desk, texts

BOT = "@madoguchi"
GENERAL, WATCHED = "C0GENERAL01", "C0HELPDESK1"


async def nothing_said(desk: SlackDesk, person: Person, channel: str, ts: str) -> None:
    """Nobody was answered there: proven by a later question that was."""
    before = await desk.questions()
    later = await person.say(GENERAL, f"{BOT} may I take leave?")
    await person.answer(later)
    await desk.settled()
    assert await desk.questions() == before + 1
    assert [m for m in await person.replies(channel, ts) if "bot_id" in m] == []


async def deliver(desk: SlackDesk, event: Json, **body: Any) -> None:
    """Send an event that no sample person could cause."""
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


async def test_a_mention_gets_one_card_in_its_thread(desk: SlackDesk) -> None:
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


async def test_a_person_is_answered_in_their_own_language(desk: SlackDesk) -> None:
    misaki = await desk.misaki()
    card = await misaki.answer(await misaki.say(WATCHED, "有給の申請方法は？"))
    assert "合っています" in texts(card)
    assert "確信度 87%" in texts(card)


async def test_a_direct_message_is_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    assert "IT" in texts(await emily.answer(await emily.say(channel, "my laptop is broken")))


async def test_a_top_level_message_of_a_watched_channel_is_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    assert "IT" in texts(await emily.answer(await emily.say(WATCHED, "my laptop is broken")))


async def test_talk_in_a_channel_that_is_not_watched_is_left_alone(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(GENERAL, "my laptop is broken")
    await nothing_said(desk, emily, GENERAL, ts)


async def test_a_mention_in_a_watched_channel_is_one_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, f"{BOT} my laptop is broken")
    await emily.answer(ts)
    await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert len(desk.model.asked) == 1


async def test_replies_in_a_thread_are_talk_between_people(desk: SlackDesk) -> None:
    emily = await desk.emily()
    root = await emily.say(GENERAL, "lunch?")
    await emily.say(GENERAL, "my laptop is broken", thread_ts=root)
    await nothing_said(desk, emily, GENERAL, root)


async def test_replies_in_a_thread_of_a_direct_message_are_no_new_questions(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    root = await emily.say(channel, "my laptop is broken")
    await emily.answer(root)
    await emily.say(channel, "thank you", thread_ts=root)
    later = await emily.say(channel, "and may I take leave?")
    await emily.answer(later)
    await desk.settled()
    assert await desk.questions() == 2


async def test_a_mention_in_a_thread_is_answered_in_that_thread(desk: SlackDesk) -> None:
    emily = await desk.emily()
    root = await emily.say(GENERAL, "lunch?")
    ts = await emily.say(GENERAL, f"{BOT} my laptop is broken", thread_ts=root)
    await emily.answer(root)
    await desk.settled()
    question = await desk.question(GENERAL, ts)
    assert question is not None
    assert question.place.thread_ts == root


@pytest.mark.parametrize(("text", "words"), [(BOT, "could not find a question"), (f"{BOT} :tada:", "Thank you!")])
async def test_a_mention_without_a_question_is_told_so_once(desk: SlackDesk, text: str, words: str) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, text)
    assert words in texts(await emily.answer(ts))
    await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert await desk.questions() == 0


async def test_an_emoji_in_a_watched_channel_is_talk(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, ":tada:")
    await nothing_said(desk, emily, WATCHED, ts)


async def test_only_an_attachment_is_told_that_text_is_read(desk: SlackDesk) -> None:
    emily = await desk.emily()
    sent = await emily._post("messages", channel=await emily.dm(), text="", file_names=["photo.png"])
    assert "read text only" in texts(await emily.answer(sent["ts"]))
    await desk.settled()
    assert await desk.questions() == 0


async def test_text_with_an_attachment_is_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    sent = await emily._post("messages", channel=WATCHED, text="my laptop is broken", file_names=["photo.png"])
    assert "IT" in texts(await emily.answer(sent["ts"]))


async def test_a_long_message_is_cut_and_the_card_says_so(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken " * 400)
    assert "only its beginning was read" in texts(await emily.answer(ts))
    await desk.settled()
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert len(question.text) <= LONGEST_QUESTION


async def test_an_edited_question_is_classified_anew(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    first = await emily.answer(ts)
    await emily.edit(WATCHED, ts, "may I take leave?")
    second = await emily.answer(ts)
    assert second["ts"] == first["ts"]
    assert "Labor 労務" in texts(second)
    block = [b["block_id"] for m in (first, second) for b in m["blocks"] if b["type"] == "actions"]
    assert block[0] != block[1]


async def test_an_edit_after_the_settlement_changes_nothing(desk: SlackDesk) -> None:
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


async def test_a_deleted_question_keeps_its_record(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await emily.answer(ts)
    await emily.delete(WATCHED, ts)
    await emily.answer(await emily.say(WATCHED, "may I take leave?"))
    await desk.settled()
    assert await desk.question(WATCHED, ts) is not None


async def test_what_apps_post_is_never_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await deliver(desk, posted(emily.user_id, "my laptop is broken", bot_id="B0OTHER0001", app_id="A0OTHER0001"))
    await deliver(desk, posted("USLACKBOT", "my laptop is broken", ts="1790000501.000100"))
    await deliver(desk, posted(desk.server.people.bot.id, "my laptop is broken", ts="1790000502.000100"))
    await deliver(desk, posted(emily.user_id, "joined", ts="1790000503.000100", subtype="channel_join"))
    await emily.answer(await emily.say(WATCHED, "may I take leave?"))
    await desk.settled()
    assert await desk.questions() == 1


async def test_a_guest_is_told_in_private_and_nothing_is_kept(desk: SlackDesk) -> None:
    tom, emily = await desk.tom(), await desk.emily()
    ts = await tom.say(WATCHED, f"{BOT} may I take leave? my secret is 4711")
    told = await tom.message(lambda m: "organisation's own members" in m.get("text", ""))
    assert told.get("ephemeral")
    await nothing_said(desk, emily, WATCHED, ts)
    assert not any("4711" in text for text in desk.model.asked)


@pytest.mark.parametrize("who", ["user", "channel"])
async def test_slack_connect_is_told_in_private_and_nothing_is_kept(desk: SlackDesk, who: str) -> None:
    emily = await desk.emily()
    event = posted(emily.user_id, "my laptop is broken", **({"user_team": "T0FOREIGN01"} if who == "user" else {}))
    await deliver(desk, event, is_ext_shared_channel=who == "channel")
    assert (await emily.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")
    await desk.settled()
    assert await desk.questions() == 0


@pytest.mark.parametrize("new_event_ids", [False, True])
async def test_the_same_message_delivered_four_times_gives_one_answer(desk: SlackDesk, *, new_event_ids: bool) -> None:
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


async def test_while_nobody_can_tell_who_asks_nothing_is_acked_and_slack_delivers_again(store: SqlStore) -> None:
    async with open_desk(store, ack=0.2) as desk:
        emily = await desk.emily()
        desk.server.workspace.faults.fail("users.info", calls=2)
        ts = await emily.say(WATCHED, "my laptop is broken")
        assert "IT" in texts(await emily.answer(ts))


async def test_what_could_not_be_written_down_is_not_acked_and_slack_delivers_again(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
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


async def test_no_question_and_no_token_stands_in_the_log(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
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


async def test_an_answer_that_was_lost_after_the_post_is_found_and_not_posted_twice(desk: SlackDesk) -> None:
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
async def test_slack_in_trouble_delays_the_card_and_does_not_double_it(desk: SlackDesk, status: int) -> None:
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


async def test_who_cannot_be_answered_is_told(desk: SlackDesk) -> None:
    emily = await desk.emily()
    desk.model.fail(1, ModelRefused("no such model"))
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert "could not find out who can help" in texts(await emily.answer(ts))
    await desk.settled()


async def test_the_shortcut_asks_for_the_author_of_the_message(desk: SlackDesk) -> None:
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
    told = await priya.message(lambda m: "has its answer already" in m.get("text", ""))
    assert told.get("ephemeral")
    assert "/archives/" in told["text"]
    assert await desk.questions() == 1


async def test_the_shortcut_takes_nothing_of_guests_or_apps(desk: SlackDesk) -> None:
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


async def test_the_shortcut_where_the_bot_is_not_asks_to_be_invited(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(GENERAL, "my laptop is broken")
    (message,) = [m for m in await emily.history(GENERAL) if m["ts"] == ts]
    desk.server.channels.general.members.remove(desk.server.people.bot.id)
    await emily.shortcut("ask_madoguchi", message)
    told = await emily.message(lambda m: "invite me" in m.get("text", ""))
    assert told.get("ephemeral")
    assert await desk.questions() == 0


async def test_the_shortcut_works_in_our_own_direct_messages(desk: SlackDesk) -> None:
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


async def test_personal_data_is_masked_before_it_is_written_down(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken, write to emily@example.com")
    await emily.answer(ts)
    question = await desk.question(WATCHED, ts)
    assert question is not None
    assert "example.com" not in question.text
    assert question.place.team == TEAM_ID
