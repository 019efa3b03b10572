"""The Monday summary through Slack: what people read, and who may stop it."""

from handlers.views.ids import DIGEST_RESUME, DIGEST_STOP
from tests.kits.slack_desk import SlackDesk, asked, controls, texts


async def test_admin_stops_and_resumes_the_summary(desk: SlackDesk) -> None:
    await asked(desk, "my laptop shows a blue screen")
    yuko, kenji = await desk.window(desk.server.people.admin), await desk.kenji()
    desk.clock.advance(days=1)
    await desk.digesting.tick()
    desk.deliverers.wake()
    shown = await yuko.message(lambda m: "Last week: 1 question" in texts(m))
    assert shown["channel"] == desk.server.channels.ops.id
    assert controls(shown) == [DIGEST_STOP]
    summary = texts(shown)
    for part in ("IT 1 (+1)", "Waited longest", "*Next:*"):
        assert part in summary
    assert "blue screen" not in summary
    await kenji.press(shown, DIGEST_STOP)
    await kenji.message(lambda m: bool(m.get("ephemeral")))
    await yuko.press(shown, DIGEST_STOP)
    stopped = await yuko.message(lambda m: m["ts"] == shown["ts"] and controls(m) == [DIGEST_RESUME])
    assert f"<@{yuko.user_id}>" in texts(stopped)
    await yuko.press(stopped, DIGEST_RESUME)
    await yuko.message(lambda m: m["ts"] == shown["ts"] and controls(m) == [DIGEST_STOP])
