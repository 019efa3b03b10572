"""The queue in App Home and as the answer to /finetune review, through Slack."""

from collections.abc import Callable

from bot.domain.dataset import Source
from bot.practice import Person
from handlers import home
from handlers.views.ids import QUEUE_ASIDE, QUEUE_RESUME, QUEUE_SKIP, QUEUE_UNDO
from tests.kits.slack_desk import Json, SlackDesk, asked, card, eventually, private, queue, texts


async def home_with(person: Person, *wanted: str) -> Json:
    """Wait for the person's home with these texts."""
    frame = await person.wait_for(
        lambda one: one["type"] == "home" and all(text in texts(one["view"]) for text in wanted)
    )
    view: Json = frame["view"]
    return view


async def opened(person: Person, *wanted: str) -> Json:
    await person.open_home()
    return await home_with(person, *wanted)


def named(text: str) -> Callable[[Json], bool]:
    return lambda element: bool(element.get("text", {}).get("text") == text)


async def test_staff_settle_questions_in_app_home(desk: SlackDesk) -> None:
    await asked(desk, "my laptop is broken")
    await asked(desk, "how do I take leave")
    priya = await desk.priya()
    home = await opened(priya, "1 of 2", "<@U0EMILY", "<#C0HELPDESK1>", "The bot said")
    laptop_first = "> my laptop" in texts(home)
    await priya.press(home, named("IT" if laptop_first else "Labor 労務"))
    home = await home_with(priya, "Last one")
    desk.clock.advance(seconds=5)
    await priya.press(home, QUEUE_ASIDE)
    home = await home_with(priya, "1 answer confirmed", "19 more confirmed answers, and training v2 is worth it.")
    await priya.press(home, QUEUE_UNDO)
    home = await home_with(priya, "Last one")
    await priya.press(home, QUEUE_SKIP)
    home = await home_with(priya, "You skipped 1 question")
    await priya.press(home, QUEUE_RESUME)
    await home_with(priya, "Last one")
    assert [row.source for row in await desk.rows()] == [Source.AGREE]


async def test_notice_stays_until_the_next_press(desk: SlackDesk) -> None:
    await asked(desk, "my laptop is broken")
    await asked(desk, "how do I take leave")
    priya = await desk.priya()
    shown = await opened(priya, "1 of 2")
    await priya.press(shown, named("IT" if "> my laptop" in texts(shown) else "Labor 労務"))
    settled = "laptop" if "> my laptop" in texts(shown) else "leave"
    assert settled in texts(await home_with(priya, "✅", "Last one"))
    await asked(desk, "my screen flickers")
    await home.refresh(desk.context)
    shown = await home_with(priya, "✅", "of 3")
    assert settled not in texts(shown).partition("Ask Madoguchi")[0], "it may be forgotten meanwhile"
    await priya.press(shown, QUEUE_UNDO)
    first = texts(await home_with(priya, "1 of 3"))
    assert "✅" not in first
    await asked(desk, "my printer is lost")
    await home.refresh(desk.context)
    assert ("> my laptop" in texts(await home_with(priya, "of 4"))) == ("> my laptop" in first)


async def test_home_queue_is_for_staff_alone(desk: SlackDesk) -> None:
    await asked(desk, "my laptop is broken")
    assert "Last one" in texts(await opened(await desk.priya()))
    own = await opened(await desk.emily(), "Your last questions", "my laptop is broken", "*IT* · <@U0PRIYA0001>")
    assert "Last one" not in texts(own)
    assert "queue." not in str(own["blocks"])
    yuko = await desk.window(desk.server.people.admin)
    await yuko.press(await queue(yuko), named("IT"))
    await yuko.message(private("窓口担当のみ"))
    assert await desk.rows() == []


async def test_second_press_in_home_is_told(desk: SlackDesk) -> None:
    ts, priya, kenji = await asked(desk), await desk.priya(), await desk.kenji()
    home = await opened(priya, "Last one")
    await kenji.press(await card(kenji, ts), "correct.agree")

    async def settled() -> bool:
        return len(await desk.rows()) == 1

    await eventually(settled)
    await priya.press(home, named("Other"))
    await home_with(priya, "Somebody else was first")
    assert [row.category for row in await desk.rows()] == ["it"]


async def test_review_command_shows_the_same_queue(desk: SlackDesk) -> None:
    await asked(desk, "有給の残りを知りたい")
    kenji = await desk.kenji()
    shown = await queue(kenji)
    assert "残り1件" in texts(shown)
    await kenji.press(shown, named("Labor 労務"))
    await kenji.message(private("1件の回答を確定しました"))


async def test_private_channels_show_to_their_members_alone(desk: SlackDesk) -> None:
    kenji, priya = await desk.kenji(), await desk.priya()
    await kenji.answer(await kenji.say("C0OPS000001", "@madoguchi my laptop knows a secret"))
    await desk.settled()
    home = await opened(priya)
    assert ("secret" in texts(home)) == (priya.user_id in desk.server.workspace.board.channels["C0OPS000001"].members)
    assert "🔒" in texts(await opened(kenji, "secret"))


async def test_guests_are_told_that_home_is_not_theirs(desk: SlackDesk) -> None:
    home = await opened(await desk.tom())
    assert "not for guests" in texts(home)
    assert "How to ask" not in texts(home)
