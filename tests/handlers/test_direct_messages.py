"""Direct messages: private until their askers send them, and then delivered once, with a name or without."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.corrections.readership import is_direct
from bot.domain.correction import Press
from bot.domain.errors import Reason, Refused
from bot.domain.question import Question
from bot.practice import Person
from bot.practice.people import Channel
from storage.store import SqlStore
from tests.kits.slack_desk import PROMPT, Json, SlackDesk, controls, eventually, open_desk, queue, texts, whispered

OPS, GENERAL = "C0OPS000001", "C0GENERAL01"
LAPTOP, LEAVE = "my laptop is broken", "may I take leave without telling my boss"
WITH_TEAM_CHANNEL = PROMPT.changed(
    categories=[c.model_copy(update={"channel": GENERAL}) if c.id == "labor" else c for c in PROMPT.categories]
)


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    async with open_desk(store, WITH_TEAM_CHANNEL) as desk:
        yield desk


class DirectQuestion:
    """A question in somebody's direct message, and what this person presses."""

    def __init__(self, desk: SlackDesk, asker: Person, channel: str, ts: str) -> None:
        self.desk, self.asker, self.channel, self.ts = desk, asker, channel, ts

    @classmethod
    async def ask(cls, desk: SlackDesk, text: str, asker: Person | None = None) -> "DirectQuestion":
        asker = asker or await desk.emily()
        channel = await asker.dm()
        ts = await asker.say(channel, text)
        await asker.answer(ts)
        await desk.settled()
        return cls(desk, asker, channel, ts)

    async def card(self) -> Json:
        found = [m for m in await self.asker.replies(self.channel, self.ts) if "bot_id" in m and not m.get("ephemeral")]
        return found[0] | {"channel": self.channel}

    async def kept(self) -> Question:
        question = await self.desk.question(self.channel, self.ts)
        assert question is not None
        return question

    async def step(self) -> Json:
        await self.asker.press(await self.card(), "direct.send")
        return await self.asker.message(whispered("cannot be undone"))

    async def send(self, how: str) -> None:
        await self.asker.press(await self.step(), how)
        await eventually(self._is_shown)

    async def _is_shown(self) -> bool:
        return "Sent to the people" in texts(await self.card())


async def posted(person: Person, channel: str, text: str) -> list[Json]:
    """Return the bot's messages in a channel with this text."""
    return [m | {"channel": channel} for m in await person.history(channel) if "bot_id" in m and text in texts(m)]


async def delivered(desk: SlackDesk) -> None:
    async def nothing_waits() -> bool:
        async with desk.store.transaction() as tx:
            return (await tx.outbox.lag(desk.clock.now()))[0] == 0

    desk.deliverers.wake()
    await eventually(nothing_waits)


async def test_nobody_hears_of_a_kept_message(desk: SlackDesk) -> None:
    asked, priya = await DirectQuestion.ask(desk, LAPTOP), await desk.priya()
    card = await asked.card()
    assert "Nobody has been told." in texts(card)
    assert "<@" not in texts(card)
    assert controls(card) == ["direct.send", "direct.keep"]
    await asked.asker.press(card, "direct.keep")
    await eventually(lambda: is_kept(asked))
    assert controls(await asked.card()) == ["direct.send"]
    question = await asked.kept()
    assert is_direct(question)
    with pytest.raises(Refused) as refused:
        await desk.acts.correcting.settle(Press(question_id=question.id, category="it", seen=0, by=priya.user_id))
    assert refused.value.reason is Reason.NOT_SENT
    assert LAPTOP not in texts(await queue(priya))
    assert [await posted(priya, channel, LAPTOP) for channel in (OPS, GENERAL, await priya.dm())] == [[], [], []]
    await asked.asker.press(await asked.card(), "direct.send")
    await asked.asker.press(await asked.asker.message(whispered("cannot be undone")), "direct.not_now")
    assert (await asked.kept()).unsent


async def is_kept(asked: DirectQuestion) -> bool:
    return "Kept private" in texts(await asked.card())


async def test_sent_message_reaches_ops_and_staff_once(desk: SlackDesk) -> None:
    asked, kenji = await DirectQuestion.ask(desk, LAPTOP), await desk.kenji()
    step = await asked.step()
    await asked.send("direct.named")
    await delivered(desk)
    (message,) = await posted(kenji, OPS, LAPTOP)
    assert message["text"] == f"<@U0PRIYA0001> <@{asked.asker.user_id}> sends a question in confidence (*IT*):"
    assert LAPTOP in texts(await queue(kenji))
    await asked.asker.press(step, "direct.unnamed")
    await asked.asker.message(whispered("sent already"))
    await delivered(desk)
    assert len(await posted(kenji, OPS, LAPTOP)) == 1
    question = await asked.kept()
    await desk.acts.correcting.settle(Press(question_id=question.id, category="it", seen=0, by=kenji.user_id))
    (row,) = await desk.rows()
    assert (row.id, is_direct(row)) == (question.id, True)


async def test_unnamed_message_and_replies_show_no_asker(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    asked, priya = await DirectQuestion.ask(desk, LEAVE), await desk.priya()
    await asked.send("direct.unnamed")
    await delivered(desk)
    (message,) = await posted(priya, GENERAL, LEAVE)
    assert asked.asker.user_id not in str(message)
    assert "gives no name" in texts(message)
    assert await posted(priya, OPS, LEAVE) == []
    assert asked.asker.user_id not in texts(await queue(priya))
    await priya.say(GENERAL, "Yes, you may.", message["ts"])
    reply = await asked.asker.message(lambda m: "Yes, you may." in texts(m) and m.get("thread_ts") == asked.ts)
    assert f"<@{priya.user_id}>" in texts(reply)
    await delivered(desk)
    assert len([m for m in await asked.asker.replies(asked.channel, asked.ts) if "Yes, you may." in texts(m)]) == 1
    ours = [record for record in caplog.records if record.name.startswith(("bot", "handlers"))]
    assert not [record for record in ours if asked.asker.user_id in record.getMessage() or LEAVE in record.getMessage()]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_interrupted_delivery_goes_on_and_posts_once(desk: SlackDesk, lost: str) -> None:
    asked, priya = await DirectQuestion.ask(desk, LEAVE), await desk.priya()
    step = await asked.step()
    await desk.deliverers.stop(0)
    await asked.asker.press(step, "direct.named")
    await eventually(lambda: is_sent(asked))
    assert await posted(priya, GENERAL, LEAVE) == []
    desk.server.faults.drop("chat.postMessage", after=lost == "after")
    desk.deliverers.start()
    async with desk.time_passes():
        await eventually(lambda: posted(priya, GENERAL, LEAVE))
        await delivered(desk)
    assert len(await posted(priya, GENERAL, LEAVE)) == 1


async def is_sent(asked: DirectQuestion) -> bool:
    return not (await asked.kept()).unsent


@pytest.mark.parametrize("trouble", [{"is_ext_shared": True}, {"is_pending_ext_shared": True}, {"is_member": False}])
async def test_channel_with_other_readers_is_passed_over(
    desk: SlackDesk, trouble: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Channel.conversation

    def changed(channel: Channel, bot_user: str) -> Any:
        return conversation(channel, bot_user) | (trouble if channel.id == GENERAL else {})

    asked, kenji = await DirectQuestion.ask(desk, LEAVE), await desk.kenji()
    step = await asked.step()
    monkeypatch.setattr(Channel, "conversation", changed)
    await asked.asker.press(step, "direct.named")
    await eventually(lambda: posted(kenji, OPS, LEAVE))
    assert await posted(kenji, GENERAL, LEAVE) == []
