"""Each reader sees categories by the names of their own language; a post for everybody has the workspace's names."""

from collections.abc import AsyncIterator

import pytest

from bot.practice import Person
from storage.store import SqlStore
from tests.kits.slack_desk import PROMPT, Json, SlackDesk, asked, card, open_desk, private, queue, texts

JAPANESE = {"labor": "労務課", "it": "情報システム", "other": "そのほか"}
BOTH = PROMPT.changed(categories=[c.model_copy(update={"name_ja": JAPANESE[c.id]}) for c in PROMPT.categories])


async def opened(person: Person, wanted: str) -> Json:
    """Open the person's home and return it once it holds this text."""
    await person.open_home()
    frame = await person.wait_for(lambda one: one["type"] == "home" and wanted in texts(one["view"]))
    view: Json = frame["view"]
    return view


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    async with open_desk(store, BOTH) as desk:
        yield desk


async def test_private_views_have_the_readers_names(desk: SlackDesk) -> None:
    ts, emily, kenji = await asked(desk), await desk.emily(), await desk.kenji()
    await kenji.set_locale("ja-JP")
    assert "*IT* →" in texts(await card(emily, ts))
    assert "情報システム" not in texts(await card(kenji, ts)), "a card is for everybody"
    home = texts(await opened(kenji, "情報システム"))
    assert "*労務課*" in home
    assert "*IT*" not in home
    assert "労務課" not in texts(await opened(emily, "*IT*"))
    listed = texts(await queue(kenji))
    assert "情報システム" in listed
    await kenji.press(await card(kenji, ts), "correct.open")
    assert "労務課" in texts(await kenji.view())


async def test_direct_message_has_the_askers_names(desk: SlackDesk) -> None:
    misaki = await desk.misaki()
    channel = await misaki.dm()
    shown = texts(await misaki.answer(await misaki.say(channel, "my laptop is broken")))
    assert ("*情報システム*" in shown, "*IT*" in shown) == (True, False)


async def test_model_reads_the_prompts_own_names(desk: SlackDesk) -> None:
    await asked(desk)
    assert [c.name for c in (await desk.acts.prompting.current()).categories] == PROMPT.names
    assert BOTH.id == PROMPT.id


async def test_admin_types_either_name(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    await yuko.command("/finetune prompt edit 労務課")
    assert "Labor 労務" in str(await yuko.view())


async def test_retired_category_is_told_in_the_readers_name(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    await yuko.command("/finetune prompt")
    await yuko.message(private("情報システム"))
