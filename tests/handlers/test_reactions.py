"""An owner's 👀 or ✅ on a question or its card shows on the card; removing it takes it back."""

import pytest

from tests.kits.slack_desk import EMOJI, WATCHED, SlackDesk, asked, card, eventually, texts

GENERAL, PRIYA = "C0GENERAL01", "<@U0PRIYA0001>"


async def shows(desk: SlackDesk, ts: str, text: str, *, absent: bool = False) -> None:
    async def holds() -> bool:
        return (text in texts(await card(await desk.emily(), ts))) is not absent

    await eventually(holds)


async def test_owners_reactions_show_on_card(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    shown = await card(priya, ts)
    await priya.react(WATCHED, ts, "eyes")
    await shows(desk, ts, f"👀 {PRIYA} has it")
    await priya.react(WATCHED, shown["ts"], "white_check_mark")
    await shows(desk, ts, f"✅ Done · {PRIYA}")
    await priya.react(WATCHED, shown["ts"], "white_check_mark", on=False)
    await shows(desk, ts, f"👀 {PRIYA} has it")
    await priya.react(WATCHED, ts, "eyes", on=False)
    await shows(desk, ts, "has it", absent=True)


async def test_others_reactions_say_nothing(desk: SlackDesk) -> None:
    ts, priya, emily, kenji = await asked(desk), await desk.priya(), await desk.emily(), await desk.kenji()
    for person, emoji in ((emily, "eyes"), (kenji, "white_check_mark"), (priya, "thumbsup")):
        await person.react(WATCHED, ts, emoji)
    await priya.react(WATCHED, ts, "eyes")
    await shows(desk, ts, "has it")
    async with desk.store.transaction() as tx:
        question = await tx.questions.at("T0PRACTICE1", WATCHED, ts)
        assert question
        assert [signal.by for signal in await tx.signals.of(question.id)] == [priya.user_id]


async def test_emoji_makes_a_message_a_question(desk: SlackDesk) -> None:
    emily, kenji, priya, tom = await desk.emily(), await desk.kenji(), await desk.priya(), await desk.tom()
    ts = await emily.say(GENERAL, "my laptop is broken")
    await tom.react(GENERAL, ts, EMOJI)
    await kenji.react(GENERAL, ts, "thumbsup")
    await kenji.react(GENERAL, ts, EMOJI)
    await emily.answer(ts)
    await priya.react(GENERAL, ts, EMOJI)
    own = await emily.say(GENERAL, "my laptop is broken again", ts)
    await emily.react(GENERAL, own, EMOJI)

    async def both_asked() -> bool:
        return await desk.questions() == 2

    await eventually(both_asked)
    await desk.settled()
    theirs, hers = await desk.question(GENERAL, ts), await desk.question(GENERAL, own)
    assert theirs
    assert hers
    assert ([author.id for author in theirs.authors], theirs.asker) == ([emily.user_id], emily.user_id)
    assert theirs.withheld
    assert (hers.authors, await desk.questions()) == ((), 2)


async def test_emoji_on_deleted_message_is_no_error(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    emily = await desk.emily()
    item = {"type": "message", "channel": WATCHED, "ts": "1790000600.000100"}
    event = {"type": "reaction_added", "user": emily.user_id, "reaction": EMOJI, "item": item}
    workspace = desk.server.workspace
    assert await workspace.sockets.ask("events_api", workspace._callback(event)) is None, "it is acked, not redelivered"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
