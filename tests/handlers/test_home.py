"""App Home through Slack: its content by role and language."""

from datetime import UTC, datetime, timedelta

from bot.domain.release import ModelName
from bot.finetunes.glancing import Week
from bot.practice import Person
from handlers.texts.words import Words
from handlers.views.glance import right_by_week
from storage.store import SqlStore
from tests.kits.slack_desk import WATCHED, SlackDesk, open_desk, texts


async def open_home(person: Person) -> str:
    await person.open_home()
    return texts((await person.wait_for(lambda frame: frame["type"] == "home"))["view"])


async def test_everybody_reads_what_the_bot_does(desk: SlackDesk) -> None:
    home = await open_home(await desk.emily())
    assert "How to ask" in home
    assert "Labor 労務" in home
    assert "<!subteam^S0STAFF0001>" in home
    assert "You may" not in home


async def test_new_language_holds_at_once(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await open_home(emily)
    await emily.set_locale("ja-JP")
    published = await emily.wait_for(lambda frame: frame["type"] == "home")
    assert "How to ask" not in texts(published["view"])
    answer = await emily.answer(await emily.say(WATCHED, "my laptop is broken"))
    assert "正しい" in texts(answer)


async def test_staff_and_admins_read_their_permissions(desk: SlackDesk) -> None:
    assert "You may confirm and change answers" in await open_home(await desk.priya())
    admin = await open_home(await desk.window(desk.server.people.admin))
    assert "/finetune help" in admin
    assert "回答を確定・変更できます" not in admin


async def test_admin_sees_the_version_and_one_next_step(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    home = await open_home(yuko)
    for part in ("いまの状況", "使用中", "v1", "学習データ", "今月の費用", "あと20件を確認する"):
        assert part in home
    assert "この4週間ではまだありません" in home
    assert "件中" not in home
    assert "いまの状況" not in await open_home(await desk.kenji())


async def test_weeks_before_the_first_answer_are_hidden() -> None:
    monday = datetime(2026, 11, 9, tzinfo=UTC)
    weeks = tuple(
        Week(start=monday + timedelta(weeks=n), judged=judged, right=judged) for n, judged in enumerate([0, 4, 0, 2])
    )
    lines = right_by_week(weeks, Words("en")).splitlines()
    assert len(lines) == 4
    assert "100% (4 of 4)" in lines[1]
    assert "too few answers were confirmed (0)" in lines[2]


async def test_admin_is_warned_of_models_that_end(store: SqlStore) -> None:
    serving, student = ModelName.parse("openai/ft:gpt-4.1-mini:org::1"), ModelName.parse("openai/gpt-4o-mini")
    async with open_desk(store, serving=serving, student=student) as desk:
        home = await open_home(await desk.window(desk.server.people.admin))
    assert home.count("提供が終了します") == 2
    assert "2027-01-14" in home
