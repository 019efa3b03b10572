"""A message with two clear questions through Slack: one card names both teams, each part has its own controls."""

from tests.kits.slack_desk import (
    WATCHED,
    Json,
    SlackDesk,
    asked,
    card,
    controls,
    eventually,
    kept,
    queue,
    texts,
    whispered,
)

LAPTOP, LEAVE = "My laptop does not start, who can fix it?", "How do I apply for parental leave?"
BOTH = f"{LAPTOP}\nAlso, {LEAVE}"


def actions(message: Json) -> list[list[str]]:
    """Return the labels of the buttons for staff, by question."""
    return [[e["text"]["text"] for e in b["elements"]] for b in message["blocks"] if b["type"] == "actions"]


def seen(message: Json) -> str:
    """Return the text of the blocks, without that of the notification."""
    return texts({"blocks": message["blocks"]})


async def shows(desk: SlackDesk, ts: str, *words: str) -> Json:
    async def holds() -> bool:
        shown = texts(await card(await desk.emily(), ts))
        return all(word in shown for word in words)

    await eventually(holds)
    return await card(await desk.emily(), ts)


async def test_one_card_names_and_corrects_both(desk: SlackDesk) -> None:
    ts, priya = await asked(desk, BOTH), await desk.priya()
    shown = await card(priya, ts)
    assert len([m for m in await priya.replies(WATCHED, ts) if "bot_id" in m]) == 1
    assert seen(shown).count("<@U0PRIYA0001>") == 1
    assert all(word in texts(shown) for word in ("*IT* →", "*Labor 労務* →", "> My laptop", "> How do I apply"))
    assert actions(shown) == [["Right", "Labor 労務", "More…"], ["Right", "IT", "More…"]]
    assert controls(shown).count("asker.feedback") <= 1
    second_right = [e for b in shown["blocks"] if b["type"] == "actions" for e in b["elements"]][3]
    await priya.press(shown, lambda e: e.get("value") == second_right["value"])
    after = await shows(desk, ts, "Confirmed by")
    assert actions(after) == [["Right", "Labor 労務", "More…"], ["Undo", "Change and explain…"]]
    (row,) = await desk.rows()
    assert (row.text, row.category, row.ts) == (LEAVE, "labor", ts)
    await priya.press(after, "correct.undo")
    await eventually(lambda: _is_open(desk, ts))
    shown = await card(priya, ts)
    assert actions(shown) == [["Right", "Labor 労務", "More…"], ["Right", "IT", "More…"]]


async def _is_open(desk: SlackDesk, ts: str) -> bool:
    shown = texts(await card(await desk.emily(), ts))
    return await desk.rows() == [] and "Confirmed by" not in shown


async def test_each_is_in_the_review_list(desk: SlackDesk) -> None:
    await asked(desk, BOTH)
    priya = await desk.priya()
    first = await queue(priya)
    other = LAPTOP if LEAVE in texts(first) else LEAVE
    await priya.press(first, "queue.skip")
    await priya.message(lambda m: bool(m.get("ephemeral")) and other in texts(m))


async def test_same_owner_is_mentioned_once(desk: SlackDesk) -> None:
    ts = await asked(desk, f"{LAPTOP}\nAlso, how do I clean the laptop screen at home?")
    shown = seen(await card(await desk.priya(), ts))
    assert (shown.count("<@U0PRIYA0001>"), "*IT* → the same team" in shown) == (1, True)


async def test_reaction_counts_for_owned_questions(desk: SlackDesk) -> None:
    ts, priya = await asked(desk, f"{LEAVE}\nAlso, my laptop does not start. Who can fix it?"), await desk.priya()
    await priya.react(WATCHED, ts, "eyes")
    await shows(desk, ts, "has it")
    first = await kept(desk, ts)
    async with desk.store.transaction() as tx:
        second = await tx.questions.second(first)
        assert second is not None
        assert [len(await tx.signals.of(one.id)) for one in (first, second)] == [1, 1], "staff own both"


async def test_three_questions_are_answered_as_one(desk: SlackDesk) -> None:
    ts = await asked(desk, f"{BOTH}\nOne more thing: where do I order business cards?")
    shown = await card(await desk.priya(), ts)
    assert len(actions(shown)) == 1
    assert "in a message of its own" in texts(shown)


async def test_direct_message_sends_each_alone(desk: SlackDesk) -> None:
    emily = await desk.emily()
    channel = await emily.dm()
    ts = await emily.say(channel, BOTH)
    shown = (await emily.answer(ts)) | {"channel": channel}
    await desk.settled()
    assert controls(shown) == ["direct.send", "direct.send", "direct.keep"]
    assert (seen(shown).count("Nobody has been told."), "<@" in texts(shown)) == (1, False)
    sends = [e for b in shown["blocks"] if b["type"] == "actions" for e in b["elements"]]
    await emily.press(shown, lambda e: e.get("value") == sends[1]["value"])
    await emily.press(await emily.message(whispered("cannot be undone")), "direct.named")

    async def is_sent() -> bool:
        now = await emily.replies(channel, ts)
        return any("Sent to the people" in texts(m) and "Nobody has been told." in texts(m) for m in now)

    await eventually(is_sent)
    first = await desk.question(channel, ts)
    assert first is not None
    async with desk.store.transaction() as tx:
        second = await tx.questions.second(first)
    assert second is not None
    assert (first.unsent, second.unsent) == (True, False)
    assert LAPTOP not in texts(await queue(await desk.priya()))
