"""The announcer, spoken to the practice workspace: fine-tunes, switches, and what Slack refuses."""

from datetime import UTC, datetime

import pytest

from bot.domain.errors import Undelivered
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.question import Arrival, Notice, Place, Via
from bot.domain.release import ModelName, Release, ReleaseState
from bot.practice.people import TEAM_ID
from handlers.slack.announcer import SlackAnnouncer
from handlers.views import card as card_views
from handlers.views.message import Message
from tests.kits.slack_desk import MODEL, SlackDesk, eventually, texts

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
OPS, WATCHED, YUKO = "C0OPS000001", "C0HELPDESK1", "U0YUKO00001"
RUNNING = Finetune(
    id="ft-1",
    student=MODEL,
    dataset_id="d",
    prompt_id="p",
    estimate=Estimate(rows=50, tokens=1_000, epochs=3, usd=None, price_date=None),
    state=FinetuneState.RUNNING,
    requested_by=YUKO,
    language="ja",
    created_at=AT,
    updated_at=AT,
    progress="step 10 of 50",
)
DONE = RUNNING.model_copy(
    update={"state": FinetuneState.SUCCEEDED, "model": ModelName(provider="local", model="ft:base:1"), "progress": None}
)


def arrival(ts: str, channel: str = WATCHED) -> Arrival:
    place = Place(team=TEAM_ID, channel=channel, ts=ts)
    return Arrival(event_id="Ev1", via=Via.DM, place=place, asker="U0EMILY0001", text="x")


async def test_a_fine_tune_is_followed_in_one_message_and_its_end_told_in_its_thread(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    channel, ts = await desk.announcer.show_finetune(RUNNING, again=False)
    assert channel == OPS
    assert "step 10 of 50" in texts(await yuko.message(lambda m: m["ts"] == ts))
    shown = DONE.model_copy(update={"channel": channel, "channel_ts": ts})
    assert await desk.announcer.show_finetune(shown, again=False) == (channel, ts)
    assert "完了" in texts(await yuko.message(lambda m: m["ts"] == ts and "完了" in texts(m)))
    await desk.announcer.announce_finetune(shown, again=False)
    told = await yuko.answer(ts)
    assert f"<@{YUKO}>" in told["text"]
    assert "/finetune switch local/ft:base:1" in told["text"]


async def test_without_an_ops_channel_who_asked_for_it_follows_it_in_a_direct_message(desk: SlackDesk) -> None:
    announcer = SlackAnnouncer(desk.client, desk.people)
    channel, ts = await announcer.show_finetune(RUNNING, again=False)
    assert channel == await (await desk.window(desk.server.people.admin)).dm()
    failed = RUNNING.model_copy(update={"state": FinetuneState.FAILED, "error": "<!channel> out of quota"})
    await announcer.announce_finetune(failed.model_copy(update={"channel": channel, "channel_ts": ts}), again=False)
    told = await (await desk.window(desk.server.people.admin)).answer(ts)
    assert "&lt;!channel&gt; out of quota" in told["text"]


async def test_a_progress_message_that_was_deleted_is_posted_anew(desk: SlackDesk) -> None:
    channel, ts = await desk.announcer.show_finetune(RUNNING, again=False)
    await desk.client.chat_delete(channel=channel, ts=ts)
    again = await desk.announcer.show_finetune(
        RUNNING.model_copy(update={"channel": channel, "channel_ts": ts}), again=False
    )
    assert again[0] == channel
    assert again[1] != ts


async def test_a_switch_is_told_in_the_ops_channel_alone(desk: SlackDesk) -> None:
    release = Release(id="abc12345", model=MODEL, prompt_id="p", state=ReleaseState.SERVING, created_at=AT)
    await SlackAnnouncer(desk.client, desk.people).announce_switch(release, YUKO, telling="1", again=False)
    await desk.announcer.announce_switch(release, YUKO, telling="1", again=False)
    yuko = await desk.window(desk.server.people.admin)
    (told,) = [m for m in await yuko.history(OPS) if "bot_id" in m]
    assert "`local/base`" in texts(told)
    assert f"<@{YUKO}>" in texts(told)


@pytest.mark.parametrize(
    ("cause", "final"), [("not_in_channel", True), ("channel_not_found", True), ("503", False), ("cut", False)]
)
async def test_slacks_word_says_whether_trying_again_helps(desk: SlackDesk, cause: str, *, final: bool) -> None:
    faults = desk.server.workspace.faults
    channel = "C0NOWHERE01" if cause == "channel_not_found" else WATCHED
    if cause == "not_in_channel":
        desk.server.channels.help_desk.members.remove(desk.server.people.bot.id)
    elif cause == "503":
        faults.fail("chat.postMessage", 503)
    elif cause == "cut":
        faults.drop("chat.postMessage")
    with pytest.raises(Undelivered) as undelivered:
        await desk.announcer.post_notice(arrival("1790000000.000100", channel), Notice.FAILED, again=False)
    assert undelivered.value.final is final


async def test_a_notice_that_was_posted_is_not_posted_again(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    root = str((await desk.client.chat_postMessage(channel=channel, text="root"))["ts"])
    for again in (False, True, True):
        await desk.announcer.post_notice(arrival(root, channel), Notice.EMPTY, again=again)
    assert len(await emily.replies(channel, root)) == 2


async def test_only_our_own_message_counts_as_posted_already(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say("C0GENERAL01", "root")
    desk.server.workspace.board.message("C0GENERAL01", ts)["metadata"] = {
        "event_type": "madoguchi_notice",
        "event_payload": {"event_id": "Ev1"},
    }
    await desk.announcer.post_notice(arrival(ts, "C0GENERAL01"), Notice.EMPTY, again=True)
    assert len(await emily.replies("C0GENERAL01", ts)) == 2


async def test_where_slack_refuses_the_blocks_the_card_comes_as_text(
    desk: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = card_views.card

    def broken(*facts: object) -> Message:
        message = real(*facts)  # type: ignore[arg-type]  # handed through as it came
        return Message(message.text, [*message.blocks, {"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])

    monkeypatch.setattr("handlers.slack.announcer.card_view", broken)
    emily = await desk.emily()
    told = await emily.answer(await emily.say(WATCHED, "my laptop is broken"))
    assert "IT" in told["text"]
    assert "'laptop' stands in it" in told["text"]
    assert not any(block["type"] == "actions" for block in told.get("blocks", []))


async def test_a_card_that_was_deleted_in_slack_is_left_alone(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    card = await emily.answer(ts)
    await desk.settled()
    await desk.client.chat_delete(channel=WATCHED, ts=card["ts"])
    question = await desk.question(WATCHED, ts)
    assert question is not None
    async with desk.store.transaction() as tx:
        await tx.outbox.add("card", question.id, {}, desk.clock.now())
    desk.deliverers.wake()

    async def delivered() -> bool:
        async with desk.store.transaction() as tx:
            return (await tx.outbox.lag(desk.clock.now()))[0] == 0

    await eventually(delivered)
