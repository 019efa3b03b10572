"""Questions that are deleted before their answer: Slack would post the answer at the channel's top level."""

import pytest

from bot.domain.errors import ModelRefused
from bot.domain.question import Ending, Place
from bot.practice import Person
from bot.practice.people import TEAM_ID
from tests.kits.slack_desk import SlackDesk, eventually

WATCHED, POST = "C0HELPDESK1", "chat.postMessage"


async def deleted_before_answer(desk: SlackDesk, *, lost: bool = False) -> tuple[Person, str]:
    """Ask a question and delete it while its answer is on the way.

    Args:
        desk: The bot.
        lost: Whether Slack's response to the post is lost.

    Returns:
        The asker's window and the question's ts.
    """
    emily = await desk.emily()
    faults = desk.server.workspace.faults
    gate = faults.hold(POST, before=True)
    faults._waiting[POST][0].drop = lost
    ts = await emily.say(WATCHED, "my laptop is broken")

    async def posting() -> bool:
        return not faults.waiting(POST)

    await eventually(posting)
    await emily.delete(WATCHED, ts)
    gate.set()
    return emily, ts


async def ending(desk: SlackDesk, ts: str) -> Ending | None:
    """Return how the arrival ended; IGNORED also if it is forgotten already, as everything of a deleted message is."""
    async with desk.store.transaction() as tx:
        endings = [ended for _, ended in await tx.inbox.of(Place(team=TEAM_ID, channel=WATCHED, ts=ts))]
    return endings[0] if endings else Ending.IGNORED


@pytest.mark.parametrize("model_refuses", [False, True])
async def test_answer_to_deleted_question_leaves_no_trace(desk: SlackDesk, *, model_refuses: bool) -> None:
    if model_refuses:
        desk.model.fail(1, ModelRefused("no such model"))
    emily, ts = await deleted_before_answer(desk)
    await desk.settled()
    assert await emily.history(WATCHED) == []
    assert await ending(desk, ts) is Ending.IGNORED


async def test_orphan_is_deleted_when_response_is_lost(desk: SlackDesk) -> None:
    async with desk.time_passes():
        emily, ts = await deleted_before_answer(desk, lost=True)
        await desk.settled()
    assert await emily.history(WATCHED) == []
    assert await ending(desk, ts) is Ending.IGNORED


async def test_orphan_is_deleted_when_deletion_fails_once(desk: SlackDesk) -> None:
    desk.server.workspace.faults.fail("chat.delete", 503)
    async with desk.time_passes():
        emily, ts = await deleted_before_answer(desk)
        await desk.settled()
    assert await emily.history(WATCHED) == []
    assert await ending(desk, ts) is Ending.IGNORED
