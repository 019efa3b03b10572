"""The answer to a cry for help: its asker sees it in private, everybody else nothing."""

import pytest

from bot.domain.question import Arrival, Notice, Place, Via
from handlers.slack.announcer import SlackAnnouncer
from handlers.texts.words import Words
from handlers.views.care import care
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, private, texts

CRY = "my manager keeps touching me, who can i tell"
DANGER = "call the emergency number first"


def from_bot(messages: list[Json]) -> list[str]:
    return [texts(m) for m in messages if "bot_id" in m]


async def test_cry_in_a_channel_is_answered_in_private(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await emily.say(WATCHED, CRY)
    answer = texts(await emily.message(private(DANGER)))
    assert "your company's HR" in answer
    assert "Your own message can still be read here" in answer
    assert "If you meant something else" in answer
    await desk.settled()
    assert from_bot(await priya.history(WATCHED) + await priya.replies(WATCHED, ts)) == []
    assert (await desk.questions(), desk.model.asked) == (0, [])


async def test_cry_in_a_direct_message_is_answered_there(desk: SlackDesk) -> None:
    misaki = await desk.misaki()
    ts = await misaki.say(await misaki.dm(), "ｼﾆﾀｲ")
    answer = texts(await misaki.answer(ts))
    assert "0120-279-338" in answer
    assert "別のご用件でしたら" in answer
    assert "ほかの人も読めます" not in answer
    await desk.settled()
    assert await desk.questions() == 0


async def test_edit_into_cry_removes_the_card(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    ts = await asked(desk)
    await emily.edit(WATCHED, ts, CRY)
    await emily.message(private(DANGER))
    await desk.settled()
    assert from_bot(await priya.replies(WATCHED, ts)) == []
    async with desk.store.transaction() as tx:
        assert await tx.questions.open(10) == []


async def test_old_missed_cry_is_answered_and_not_listed(desk: SlackDesk) -> None:
    await desk.catch_up.tick()
    desk.clock.advance(minutes=5)
    await desk.away()
    emily = await desk.emily()
    await emily.say(WATCHED, CRY)
    desk.clock.advance(hours=30)
    await desk.back()
    await desk.catch_up.tick()
    await emily.message(private(DANGER))
    await desk.settled()
    async with desk.store.transaction() as tx:
        assert (await tx.outbox.lag(desk.clock.now(), "missed"))[0] == 0
    assert "hours old" not in str(await emily.history(WATCHED))


async def test_cry_reaches_an_asker_who_left_the_channel(desk: SlackDesk) -> None:
    emily = await desk.emily()
    place = Place(team="T1", channel="C0NOWHERE01", ts="1.000100")
    lost = Arrival(event_id="1", via=Via.MENTION, place=place, asker=desk.server.people.employees[1].id, text=CRY)
    announcer = SlackAnnouncer(desk.client, desk.people, contacts=["Desk 7777"])
    await announcer.post_notice(lost, Notice.CARE, again=False)
    await announcer.post_notice(lost, Notice.CARE, again=True)
    messages = from_bot(await emily.history(await emily.dm()))
    assert ["• Desk 7777" in text for text in messages] == [True]


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("U0CARE001", "• <@U0CARE001>"),
        ("S0CARE001", "• <!subteam^S0CARE001>"),
        ("Safe & sound <!here>", "• Safe &amp; sound &lt;!here&gt;"),
        ("STOP", "• STOP"),
    ],
)
def test_contacts_are_shown_as_mentions_or_texts(contact: str, shown: str) -> None:
    message = care([contact], Words("en"), in_channel=False)
    assert shown in message.text
    assert "HR, compliance" not in message.text
