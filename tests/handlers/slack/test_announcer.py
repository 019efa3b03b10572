"""The announcer, with the practice workspace: fine-tunes, switches, and messages that Slack refuses."""

from datetime import UTC, datetime

import pytest

from bot.domain.digest import AskedWeek, Digest, Judgement
from bot.domain.errors import Undelivered
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.next_step import NextStep, Step
from bot.domain.question import Arrival, Notice, Place, Via
from bot.domain.release import ModelName, Release, ReleaseState
from bot.practice.people import TEAM_ID
from handlers.slack.announcer import SlackAnnouncer
from handlers.views import card as card_views
from handlers.views.ids import DETAILS, FINETUNE_ROLLBACK, FINETUNE_SWITCH
from handlers.views.message import Message
from tests.kits.slack_desk import MODEL, PROMPT, SlackDesk, controls, eventually, texts

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
MADE = Release(
    id="abc12345", model=MODEL, prompt_id="p", state=ReleaseState.CANDIDATE, created_at=AT, version=7, examples=50
)


def arrival(ts: str, channel: str = WATCHED) -> Arrival:
    place = Place(team=TEAM_ID, channel=channel, ts=ts)
    return Arrival(event_id="Ev1", via=Via.DM, place=place, asker="U0EMILY0001", text="x")


async def test_fine_tune_end_is_announced_in_progress_thread(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    channel, ts = await desk.announcer.show_finetune(RUNNING, again=False)
    assert channel == OPS
    assert DETAILS in controls(await yuko.message(lambda m: m["ts"] == ts))
    shown = DONE.model_copy(update={"channel": channel, "channel_ts": ts})
    assert await desk.announcer.show_finetune(shown, again=False) == (channel, ts)
    assert "完了" in texts(await yuko.message(lambda m: m["ts"] == ts and "完了" in texts(m)))
    await desk.announcer.announce_finetune(shown, MADE, again=False)
    message = await yuko.answer(ts)
    assert f"<@{YUKO}>" in message["text"]
    assert "v7" in message["text"]
    assert FINETUNE_SWITCH in controls(message)


async def test_fine_tune_progress_falls_back_to_dm(desk: SlackDesk) -> None:
    announcer = SlackAnnouncer(desk.client, desk.people)
    channel, ts = await announcer.show_finetune(RUNNING, again=False)
    assert channel == await (await desk.window(desk.server.people.admin)).dm()
    failed = RUNNING.model_copy(update={"state": FinetuneState.FAILED, "error": "<!channel> out of quota"})
    failed = failed.model_copy(update={"channel": channel, "channel_ts": ts})
    await announcer.announce_finetune(failed, None, again=False)
    message = await (await desk.window(desk.server.people.admin)).answer(ts)
    assert "&lt;!channel&gt; out of quota" in texts(message)


async def test_summary_reaches_each_admin_once(desk: SlackDesk) -> None:
    yuko, emily = await desk.window(desk.server.people.admin), await desk.emily()

    async def admins() -> list[str]:
        return ["U0FORMER001", yuko.user_id, emily.user_id]

    announcer = SlackAnnouncer(desk.client, desk.people, admins=admins)
    week, before = AskedWeek(public={"labor": 2}, private=1), AskedWeek(public={}, private=0)
    judged = Judgement(judged=2, right=1)
    digest = Digest(
        until=AT,
        asked=week,
        asked_before=before,
        judgement=judged,
        judgement_before=judged,
        waiting=None,
        confused=("it", "labor", 2),
        gained=1,
        next=NextStep(step=Step.SWITCH, confirm=0, name="v2", fixed=3),
    )
    for _ in range(2):
        await announcer.post_digest(digest, PROMPT)
    for person, parts in (
        (yuko, ["先週の質問：3件", "非公開 1件"]),
        (emily, ["3 questions", "in private 1", "v2 is ready"]),
    ):
        (message,) = await person.history(await person.dm())
        assert all(part in texts(message) for part in parts)
        assert len(message["blocks"][0]["text"]["text"].splitlines()) <= 6


async def test_deleted_progress_message_is_posted_again(desk: SlackDesk) -> None:
    channel, ts = await desk.announcer.show_finetune(RUNNING, again=False)
    await desk.client.chat_delete(channel=channel, ts=ts)
    again = await desk.announcer.show_finetune(
        RUNNING.model_copy(update={"channel": channel, "channel_ts": ts}), again=False
    )
    assert again[0] == channel
    assert again[1] != ts


async def test_switch_is_announced_only_in_ops_channel(desk: SlackDesk) -> None:
    await SlackAnnouncer(desk.client, desk.people).announce_switch(MADE, YUKO, message_id="1", again=False)
    await desk.announcer.announce_switch(MADE, YUKO, message_id="1", again=False)
    yuko = await desk.window(desk.server.people.admin)
    (message,) = [m for m in await yuko.history(OPS) if "bot_id" in m]
    assert "v7" in texts(message)
    assert "abc12345" not in texts(message)
    assert controls(message) == [FINETUNE_ROLLBACK, DETAILS]
    assert f"<@{YUKO}>" in texts(message)


@pytest.mark.parametrize(
    ("cause", "final"), [("not_in_channel", True), ("channel_not_found", True), ("503", False), ("cut", False)]
)
async def test_error_tells_whether_a_retry_can_help(desk: SlackDesk, cause: str, *, final: bool) -> None:
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


async def test_notice_is_not_posted_twice(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    root = str((await desk.client.chat_postMessage(channel=channel, text="root"))["ts"])
    for again in (False, True, True):
        await desk.announcer.post_notice(arrival(root, channel), Notice.EMPTY, again=again)
    assert len(await emily.replies(channel, root)) == 2


async def test_message_of_others_is_no_earlier_copy(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say("C0GENERAL01", "root")
    desk.server.workspace.board.message("C0GENERAL01", ts)["metadata"] = {
        "event_type": "madoguchi_notice",
        "event_payload": {"event_id": "Ev1"},
    }
    await desk.announcer.post_notice(arrival(ts, "C0GENERAL01"), Notice.EMPTY, again=True)
    assert len(await emily.replies("C0GENERAL01", ts)) == 2


async def test_card_is_text_when_slack_refuses_blocks(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = card_views.card

    def broken(*facts: object) -> Message:
        message = real(*facts)  # type: ignore[arg-type]  # passed on unchanged
        return Message(message.text, [*message.blocks, {"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])

    monkeypatch.setattr("handlers.slack.announcer.card_view", broken)
    emily = await desk.emily()
    message = await emily.answer(await emily.say(WATCHED, "my laptop is broken"))
    assert "IT" in message["text"]
    assert not any(block["type"] == "actions" for block in message.get("blocks", []))


async def test_deleted_card_is_left_alone(desk: SlackDesk) -> None:
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
