"""An owner's answer in the thread is kept by staff, in private: as the guide at once, or as an example to switch to."""

import pytest

from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, texts, whispered

ANSWER = "Hold the power button for ten seconds"


async def opened(desk: SlackDesk) -> Json:
    """Open the form on the owner's answer and return it."""
    ts, priya = await asked(desk), await desk.priya()
    await priya.say(WATCHED, ANSWER, ts)
    await priya.shortcut("keep_this_answer", await priya.message(lambda m: m["text"] == ANSWER))
    return await priya.view()


def chosen(view: Json, kind: str) -> Json:
    options = next(b["element"]["options"] for b in view["blocks"] if b["block_id"] == "keep.as")
    option = next(o for o in options if o["value"] == kind)
    text = next(b["element"]["initial_value"] for b in view["blocks"] if b["block_id"] == "guide")
    return {
        "keep.as": {"keep.as": {"type": "radio_buttons", "selected_option": option}},
        "guide": {"guide": {"type": "plain_text_input", "value": text}},
    }


async def test_answer_becomes_guide_at_once(desk: SlackDesk) -> None:
    view, priya = await opened(desk), await desk.priya()
    assert await priya.submit(view, chosen(view, "guide")) == {}
    await priya.message(whispered("show it at once"))
    emily = await desk.emily()
    again = await emily.answer(await emily.say(WATCHED, "another laptop is broken"))
    assert f"Meanwhile: {ANSWER}" in texts(again)


async def test_question_becomes_example_of_a_candidate(desk: SlackDesk) -> None:
    view, priya = await opened(desk), await desk.priya()
    before = await desk.acts.releasing.serving()
    assert await priya.submit(view, chosen(view, "example")) == {}
    await priya.message(whispered("an admin switches"))
    category = (await desk.acts.prompting.current()).category("it")
    assert category
    assert category.examples[-1] == "my laptop is broken"
    assert (await desk.acts.releasing.serving()).id == before.id, "only an admin switches"


@pytest.mark.parametrize("who", ["asker keeps", "asker wrote"])
async def test_only_owners_answers_are_kept_by_staff(desk: SlackDesk, who: str) -> None:
    ts, priya, emily = await asked(desk), await desk.priya(), await desk.emily()
    author, keeper = (priya, emily) if who == "asker keeps" else (emily, priya)
    await author.say(WATCHED, ANSWER, ts)
    await keeper.shortcut("keep_this_answer", await keeper.message(lambda m: m["text"] == ANSWER))
    await keeper.message(whispered("Only staff" if who == "asker keeps" else "Only an answer of"))
