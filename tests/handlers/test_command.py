"""/finetune through Slack, as people type it."""

import pytest

from tests.kits.slack_desk import SlackDesk, private, texts


@pytest.mark.parametrize("typed", ["ＨＥＬＰ", "*help*", "「help」", "\u200bhelp\u00a0", "`help`"])
async def test_command_in_other_spelling_is_carried_out(desk: SlackDesk, typed: str) -> None:
    emily = await desk.emily()
    await emily.command(f"/finetune {typed}")
    shown = await emily.message(private("/finetune"))
    assert "There is no command" not in shown["text"]


async def test_audit_shows_a_repeated_refusal_once(desk: SlackDesk) -> None:
    admin, priya = await desk.window(desk.server.people.admin), await desk.priya()
    for _ in range(2):
        await priya.command("/finetune rollback")
        await priya.message(private("Only admins"))
    await admin.command("/finetune audit")
    shown = await admin.message(private("1件"))
    assert "必要な役割" in texts(shown)
    async with desk.store.snapshot() as tx:
        (entry,) = await tx.audit.last(10)
        assert await tx.audit.people() == {entry.who: desk.server.people.staff[1].id}
