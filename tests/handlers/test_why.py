"""The shortcut *Why this answer?* through Slack: what it explains, to whom, and when it stays silent."""

import pytest

from bot.corrections.explaining import Explaining
from bot.domain.errors import Reason, Refused
from bot.domain.release import ModelName, ReleaseState
from bot.practice import Person
from tests.bot.things import row
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, card, texts, whispered

WHY = "why_this_answer"


async def explanation(person: Person, message: Json, *words: str) -> str:
    await person.shortcut(WHY, message)
    return texts(await person.message(whispered(*words)))


async def question(person: Person, ts: str) -> Json:
    return next(m for m in await person.history(WATCHED) if m["ts"] == ts)


async def test_card_and_question_get_the_same_explanation(desk: SlackDesk) -> None:
    ts, emily = await asked(desk), await desk.emily()
    async with desk.store.transaction() as tx:
        serving = await tx.releases.serving()
    assert serving
    on_card = await explanation(emily, await card(emily, ts), "Why IT?")
    on_question = await explanation(emily, await question(emily, ts), "Why IT?")
    assert on_card == on_question
    for part in (
        "'laptop' stands in it · The bot is fairly sure (87%)",
        "Nobody has confirmed it yet",
        "Answered by v1 (<!date",
        "was in use from <!date",
        f"It was shown up to {serving.recall} similar questions",
        "19 tokens in, 10 out",
    ):
        assert part in on_card


async def test_explanation_is_in_japanese(desk: SlackDesk) -> None:
    ts, kenji = await asked(desk, "有給の残り"), await desk.kenji()
    text = await explanation(kenji, await card(kenji, ts), "なぜLabor 労務か")
    assert "ボットの理由：'有給' stands in it · " in text
    assert "v1（" in text


async def test_explanation_names_release_that_answered(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    async with desk.store.transaction() as tx:
        old = await tx.releases.serving()
        assert old
        new = old.model_copy(
            update={"id": "newer", "model": ModelName(provider="x", model="y"), "state": ReleaseState.CANDIDATE}
        )
        await tx.releases.add(new, "U9", "trained")
        await tx.releases.enter(old.id, ReleaseState.RETIRED, "U9", "switch", desk.clock.now())
        await tx.releases.enter(new.id, ReleaseState.SERVING, "U9", "switch", desk.clock.now())
    await priya.press(await card(priya, ts), "correct.agree")
    await priya.message(lambda m: "Confirmed by" in texts(m))
    text = await explanation(priya, await card(priya, ts), "Why IT?")
    assert "Answered by v1" in text
    assert "(now: used before)" in text
    assert f"Confirmed by <@{priya.user_id}>" in text
    assert "v2" not in text


async def test_only_staff_read_others_questions(desk: SlackDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.rows.put(*(row(f"my laptop is slow {n}", "it", row_id=f"r{n}") for n in range(40)))
    ts, emily, priya = await asked(desk), await desk.emily(), await desk.priya()
    for_all = await explanation(emily, await card(emily, ts), "Why IT?")
    for_staff = await explanation(priya, await card(priya, ts), "similar confirmed questions today")
    assert for_staff.count("% alike)") == 3
    for told in ("slow", "alike", "similar confirmed questions"):
        assert told not in for_all
    assert for_staff.count("my laptop is slow") == 3


async def test_guest_gets_no_explanation(desk: SlackDesk) -> None:
    ts, tom = await asked(desk), await desk.tom()
    text = await explanation(tom, await question(tom, ts), "only to this organisation")
    assert "laptop" not in text
    assert "local/base" not in text


async def test_other_message_has_no_answer_to_explain(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say("C0GENERAL01", "hello")
    message = next(m for m in await emily.history("C0GENERAL01") if m["ts"] == ts)
    await explanation(emily, message, "no answer here")


@pytest.mark.parametrize("channel", ["C0ELSEWHERE", "D1"])
async def test_card_is_explained_only_in_its_channel(desk: SlackDesk, channel: str) -> None:
    """A copy of a card's blocks in another channel reveals nothing about a private question."""
    ts = await asked(desk)
    kept = await desk.question(WATCHED, ts)
    assert kept
    with pytest.raises(Refused) as refused:
        await Explaining(desk.store, desk.neighbours).answer(kept.id, "T1", channel, "1.1")
    assert refused.value.reason is Reason.UNKNOWN_QUESTION
