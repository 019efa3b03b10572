"""The permission to train, through Slack: asked in a modal, once, by admins alone."""

from collections.abc import AsyncIterator

import pytest

from bot.domain.dataset import Split
from bot.domain.permission import TrainingPermission
from bot.ports import Store
from bot.practice import Person
from handlers.texts.words import Words
from handlers.views.ids import (
    FINETUNE_CONFIRM,
    HOME_TRAIN,
    PERMISSION_ASK,
    PERMISSION_FORM,
    PERMISSION_WITHDRAW,
    PermissionForm,
)
from handlers.views.permission import form
from tests.bot.things import rows_of
from tests.kits.slack_desk import MODEL, Json, SlackDesk, controls, eventually, open_desk, private, texts


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[SlackDesk]:
    async with open_desk(store, training_allowed=False) as desk:
        async with store.transaction() as tx:
            await tx.rows.put(*rows_of(Split.TRAIN, "labor", 15), *rows_of(Split.TRAIN, "it", 15))
        yield desk


async def yuko(desk: SlackDesk) -> Person:
    return await desk.window(desk.server.people.admin)


async def opened_home(person: Person) -> Json:
    await person.open_home()
    view: Json = (await person.wait_for(lambda frame: frame["type"] == "home"))["view"]
    return view


async def under_way(desk: SlackDesk) -> int:
    async with desk.store.transaction() as tx:
        return len(await tx.finetunes.under_way())


async def audited(desk: SlackDesk) -> list[str]:
    return [entry.act.value for entry in await desk.acts.auditing.entries()]


async def test_start_asks_for_permission_and_goes_on(desk: SlackDesk) -> None:
    admin = await yuko(desk)
    await admin.command("/finetune start")
    modal = await admin.view()
    assert modal["callback_id"] == PERMISSION_FORM
    assert "ダイレクトメッセージの質問は送りません" in texts(modal)
    assert await audited(desk) == []
    await admin.submit(modal)
    plan = await admin.message(lambda m: FINETUNE_CONFIRM in controls(m))
    await admin.press(plan, FINETUNE_CONFIRM)

    async def begun() -> bool:
        return await under_way(desk) == 1

    await eventually(begun)
    assert await audited(desk) == ["training_allowed", "training_started"]


async def test_older_plans_button_asks_too(desk: SlackDesk) -> None:
    admin = await yuko(desk)
    await desk.acts.permitting.allow(admin.user_id, MODEL)
    await admin.command("/finetune start")
    plan = await admin.message(lambda m: FINETUNE_CONFIRM in controls(m))
    await admin.command("/finetune consent")
    standing = await admin.message(lambda m: PERMISSION_WITHDRAW in controls(m))
    await admin.press(standing, PERMISSION_WITHDRAW)
    await admin.message(private("許可を取り消しました"))
    await admin.press(plan, FINETUNE_CONFIRM)
    modal = await admin.view()
    assert (modal["callback_id"], await under_way(desk)) == (PERMISSION_FORM, 0)
    await admin.submit(modal)

    async def begun() -> bool:
        return await under_way(desk) == 1

    await eventually(begun)
    assert await audited(desk) == ["training_allowed", "training_forbidden", "training_allowed", "training_started"]


def test_form_names_the_service_that_reads_texts() -> None:
    """A model that learns in this process may have its vectors from a service."""
    here = TrainingPermission(student=MODEL, embedded=True, reads_here=True, private=True, by_setting=False)
    elsewhere = here.model_copy(update={"reads_here": False, "private": False})
    said = [texts(form(one, PermissionForm(student=str(MODEL)), Words("en"))) for one in (here, elsewhere)]
    assert ["no text is sent anywhere" in one for one in said] == [True, False]
    assert "BOT_ENCODER" in said[1]
    assert "private channels or direct messages is left out" in said[1]


async def test_admins_are_asked_in_ops_channel_once(desk: SlackDesk) -> None:
    admin, kenji = await yuko(desk), await desk.kenji()
    for _ in range(2):
        await desk.acts.proposing.step()
    desk.deliverers.wake()
    asked = await admin.message(lambda m: PERMISSION_ASK in controls(m))
    assert asked["channel"] == desk.server.channels.ops.id
    assert "Enough answers are confirmed" in texts(asked)
    await kenji.press(asked, PERMISSION_ASK)
    await kenji.message(private("管理者"))
    await admin.press(asked, PERMISSION_ASK)
    await admin.submit(await admin.view())
    await admin.message(private("これから学習できます"))
    await admin.press(asked, PERMISSION_ASK)
    await admin.message(private("から許可されています"))
    assert len([m for m in await admin.history(asked["channel"]) if PERMISSION_ASK in controls(m)]) == 1


async def test_home_and_status_say_that_training_is_paused(desk: SlackDesk) -> None:
    admin = await yuko(desk)
    home = await opened_home(admin)
    assert "学習を止めています" in texts(home)
    await admin.command("/finetune status")
    await admin.message(private("学習を止めています", "/finetune consent"))
    await admin.press(home, PERMISSION_ASK)
    await admin.submit(await admin.view())
    await admin.wait_for(lambda frame: frame["type"] == "home" and "学習を止めています" not in texts(frame["view"]))
    await admin.command("/finetune status")
    stands = private("から回答しています")
    await admin.message(lambda m: stands(m) and "止めています" not in texts(m))


async def test_training_button_of_home_is_the_question(desk: SlackDesk) -> None:
    admin = await yuko(desk)
    home = await opened_home(admin)
    await admin.press(home, HOME_TRAIN)
    modal = await admin.view()
    assert modal["callback_id"] == PERMISSION_FORM
    await admin.submit(modal)

    async def begun() -> bool:
        return await under_way(desk) == 1

    await eventually(begun)
