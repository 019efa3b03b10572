"""Failures of Slack: nothing is posted twice and nothing stays open. The table is in docs/operate.md."""

from datetime import UTC, datetime

import pytest

from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.question import Question
from bot.practice.people import TEAM_ID
from bot.releases.releasing import Releasing, add_candidate
from handlers.slack.announcer import SlackAnnouncer
from tests.kits.slack_desk import MODEL, PROMPT, Json, SlackDesk, eventually

WATCHED, OPS, YUKO = "C0HELPDESK1", "C0OPS000001", "U0YUKO00001"
POST = "chat.postMessage"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


async def ops_messages(desk: SlackDesk) -> list[Json]:
    yuko = await desk.window(desk.server.people.admin)
    return [m for m in await yuko.history(OPS) if "bot_id" in m]


async def delivered(desk: SlackDesk) -> None:
    async def done() -> bool:
        async with desk.store.transaction() as tx:
            return not (await tx.outbox.lag(desk.clock.now()))[0]

    async with desk.time_passes():
        await eventually(done)


async def test_message_with_eleven_event_ids_is_one_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    desk.server.workspace.faults.duplicate_events(10, new_event_ids=True)
    ts = await emily.say(WATCHED, "my laptop is broken")
    await emily.answer(ts)

    async def all_arrived() -> bool:
        place = (await stored_question(desk, ts)).place
        async with desk.store.transaction() as tx:
            arrivals = [a for a, ending in await tx.inbox.of(place) if ending]
        return len(arrivals) == 11

    await eventually(all_arrived)
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert len(desk.model.asked) == 1


async def stored_question(desk: SlackDesk, ts: str) -> Question:
    question = await desk.question(WATCHED, ts)
    assert question is not None
    return question


async def test_switch_is_announced_once_after_lost_response(desk: SlackDesk) -> None:
    async with desk.store.transaction() as tx:
        release = await add_candidate(tx, desk.clock.now(), MODEL, prompt_id=PROMPT.id, by="U1", why="x", recall=3)
    desk.server.workspace.faults.drop(POST, after=True)
    await Releasing(desk.store, desk.clock).switch(release.id, YUKO)
    desk.deliverers.wake()
    await delivered(desk)
    assert len(await ops_messages(desk)) == 1


@pytest.mark.parametrize("ops", [True, False])
async def test_fine_tune_messages_are_not_posted_again(desk: SlackDesk, *, ops: bool) -> None:
    finetune = Finetune(
        id="ft-1",
        student=MODEL,
        dataset_id="d",
        prompt_id="p",
        estimate=Estimate(rows=50, tokens=1_000, epochs=3, usd=None, price_date=None),
        state=FinetuneState.FAILED,
        requested_by=YUKO,
        language="en",
        created_at=AT,
        updated_at=AT,
    )
    announcer = desk.announcer if ops else SlackAnnouncer(desk.client, desk.people)
    first = await announcer.show_finetune(finetune, again=False)
    assert await announcer.show_finetune(finetune, again=True) == first
    channel, ts = first
    shown = finetune.model_copy(update={"channel": channel, "channel_ts": ts})
    for again in (False, True):
        await announcer.announce_finetune(shown, None, again=again)
    yuko = await desk.window(desk.server.people.admin)
    assert len([m for m in await yuko.replies(channel, ts) if "bot_id" in m]) == 2


async def test_question_deleted_before_its_card_is_closed(desk: SlackDesk) -> None:
    await desk.answerers.stop(5)
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await eventually(lambda: inbox_is_open(desk))
    await emily.delete(WATCHED, ts)
    desk.answerers.start()
    await desk.settled()
    assert [m for m in await emily.history(WATCHED) if "bot_id" in m] == []


async def inbox_is_open(desk: SlackDesk) -> bool:
    async with desk.store.transaction() as tx:
        return await tx.inbox.open() > 0


async def test_question_is_closed_and_logged_after_removal(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.answerers.stop(5)
    emily = await desk.emily()
    await emily.say(WATCHED, "my laptop is broken")
    await eventually(lambda: inbox_is_open(desk))
    desk.server.channels.help_desk.members.remove(desk.server.people.bot.id)
    desk.answerers.start()
    await desk.settled()
    assert "could not be told: not_in_channel" in caplog.text
    assert "laptop" not in caplog.text


async def test_question_during_socket_renewal_is_answered_once(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await desk.server.disconnect()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await emily.answer(ts)
    await desk.settled()
    assert len([m for m in await emily.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert (await stored_question(desk, ts)).place.team == TEAM_ID
