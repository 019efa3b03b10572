"""/finetune through Slack, as people type it."""

import pytest

from tests.kits.slack_desk import SlackDesk, private


@pytest.mark.parametrize("typed", ["ＨＥＬＰ", "*help*", "「help」", "\u200bhelp\u00a0", "`help`"])
async def test_command_in_other_spelling_is_carried_out(desk: SlackDesk, typed: str) -> None:
    emily = await desk.emily()
    await emily.command(f"/finetune {typed}")
    shown = await emily.message(private("/finetune"))
    assert "There is no command" not in shown["text"]
