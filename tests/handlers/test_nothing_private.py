"""Attacks on private channels: every screen of people who are not members, searched for what was said there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.correction import Press
from bot.domain.dataset import Split, split_of
from bot.domain.question import Question
from bot.practice import Person
from bot.similarity.neighbours import RowNeighbours
from handlers.views.ids import CORRECT_OPEN
from storage.database import Database
from storage.store import SqlStore
from tests.bot.things import rows_of
from tests.kits.migrated import migrated_sqlite
from tests.kits.slack_desk import Json, SlackDesk, asked, card

SECRET, REASON = "Hammerhead", "Tigershark"
"""Words of the private questions, and of the reasons that staff gave there."""
PRIVATE = "C0RANDOM001"
WHY = "why_this_answer"
COMMANDS = (
    *("status", "evaluate", "shadow", "unsure", "recall", "prompt"),
    *("review", "audit", "export", "start", "switch"),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    """Return a store of its own: the last press may still work when a test ends."""
    database = Database(migrated_sqlite(tmp_path / "private.db"))
    yield SqlStore(database)
    await database.close()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Json]]:
    """Return everything that each person's window was ever sent, by user id."""
    frames: dict[str, list[Json]] = {}
    dispatch = Person._dispatch

    def record(person: Person, frame: Json) -> None:
        frames.setdefault(person.user_id, []).append(frame)
        dispatch(person, frame)

    monkeypatch.setattr(Person, "_dispatch", record)
    return frames


async def ask_in_private(desk: SlackDesk, text: str) -> Question:
    """Ask as the only person in the private channel, and return the question once it is answered."""
    kenji = await desk.kenji()
    ts = await kenji.say(PRIVATE, f"@madoguchi {text}")
    await kenji.answer(ts)
    await desk.settled()
    question = await desk.question(PRIVATE, ts)
    assert question is not None
    return question


async def prepare(desk: SlackDesk) -> None:
    """Fill the private channel: settled, unsettled and contested questions on both sides of the split."""
    channel = desk.server.channels.random
    channel.is_private = True
    kenji = await desk.kenji()
    channel.members[:] = [kenji.user_id, desk.server.people.bot.id]
    sides: dict[Split, int] = dict.fromkeys(Split, 0)
    n = 0
    while min(sides.values()) < 2:
        n += 1
        text = f"my laptop shows the {SECRET} plan number {n}"
        side = split_of((await RowNeighbours(desk.store).groups([text]))[0])
        if sides[side] >= 2:
            continue
        sides[side] += 1
        question = await ask_in_private(desk, text)
        category = "it" if n % 2 else "labor"
        press = Press(question_id=question.id, category=category, reason=f"{REASON} says so", seen=0, by=kenji.user_id)
        await desk.acts.correcting.settle(press)
    await ask_in_private(desk, f"who knows of {SECRET}")
    async with desk.store.transaction() as tx:
        for split in Split:
            await tx.rows.put(*rows_of(split, "labor", 8), *rows_of(split, "it", 8))


def is_private_answer(frame: Json) -> bool:
    return frame["type"] == "message" and bool(frame["message"].get("ephemeral"))


async def walk_home(person: Person) -> None:
    await person.open_home()
    await person.wait_for(lambda frame: frame["type"] == "home")


async def walk_commands(person: Person) -> None:
    for command in COMMANDS:
        await person.command(f"/finetune {command}")
        await person.wait_for(is_private_answer, 30)


async def walk_answer(desk: SlackDesk, person: Person) -> None:
    """Ask nearly the same in public, and open everything that hangs on the answer."""
    ts = await asked(desk, f"my laptop shows a plan number {person.user_id}")
    shown = await card(person, ts)
    await person.shortcut(WHY, shown)
    await person.wait_for(is_private_answer)
    await person.press(shown, CORRECT_OPEN)
    opened = await person.wait_for(lambda frame: frame["type"] == "view" or is_private_answer(frame))
    if opened["type"] == "view":
        await person.view()  # the draft has come: nothing works on when the test ends


@pytest.mark.parametrize("who", ["staff", "employee", "admin"])
async def test_no_screen_of_a_non_member_shows_it(desk: SlackDesk, seen: dict[str, list[Json]], who: str) -> None:
    await prepare(desk)
    priya, emily = await desk.priya(), await desk.emily()
    person = {"staff": priya, "employee": emily}.get(who) or await desk.window(desk.server.people.admin)
    await walk_home(person)
    await walk_commands(person)
    await walk_answer(desk, person)
    if who == "staff":
        await priya.command("/finetune review here")
        await priya.message(lambda m: "bot_id" in m and not m.get("ephemeral"))
    await desk.digesting.tick()
    desk.deliverers.wake()
    for frame in seen[person.user_id]:
        for secret in (SECRET, REASON):
            assert secret.casefold() not in str(frame).casefold()
    for example in (one for shown in desk.model.shown for one in shown):
        assert SECRET not in example.text


async def test_member_reads_the_same_screens(desk: SlackDesk, seen: dict[str, list[Json]]) -> None:
    """Without this the attacks above would prove nothing."""
    await prepare(desk)
    kenji = await desk.kenji()
    await walk_home(kenji)
    assert SECRET in str(seen[kenji.user_id][-1])


async def test_export_holds_nothing_private(desk: SlackDesk) -> None:
    await prepare(desk)
    frozen = await desk.acts.exporting.export()
    assert frozen.manifest.left_out["private"] == 2
    assert SECRET.encode() not in frozen.data
