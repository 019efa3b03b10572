"""/finetune through Slack, as people type it."""

import re

import pytest

from bot.practice import Person
from handlers.registration import STORIES
from handlers.texts.typed import find_command
from handlers.views.details import MOST_LINES
from handlers.views.ids import HELP_ALL
from tests.kits.slack_desk import WATCHED, SlackDesk, private, texts


@pytest.mark.parametrize("typed", ["ＨＥＬＰ", "*help*", "「help」", "\u200bhelp\u00a0", "`help`"])
async def test_command_in_other_spelling_is_carried_out(desk: SlackDesk, typed: str) -> None:
    emily = await desk.emily()
    await emily.command(f"/finetune {typed}")
    shown = await emily.message(private("/finetune"))
    assert "There is no command" not in shown["text"]


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
async def test_help_is_short_with_all_commands_behind(desk: SlackDesk, locale: str) -> None:
    emily = await desk.emily()
    await emily.set_locale(locale)
    desk.people.forget()
    await emily.command("/finetune help")
    shown = await emily.message(private("/finetune review"))
    sections = [block["text"]["text"] for block in shown["blocks"] if block["type"] == "section"]
    assert len("\n".join(sections).splitlines()) <= MOST_LINES
    await emily.press(shown, HELP_ALL)
    listed = re.findall(r"`/finetune (\w+)", texts(await emily.view()))
    assert sorted(listed) == sorted(verb for story in STORIES for verb in story.verbs)


async def test_audit_shows_a_repeated_refusal_once(desk: SlackDesk) -> None:
    admin, priya = await desk.window(desk.server.people.admin), await desk.priya()
    for _ in range(2):
        await priya.command("/finetune rollback")
        await priya.message(private("Only admins"))
    await admin.command("/finetune audit")
    shown = await admin.message(private("1件"))
    assert "必要な役割" in texts(shown)
    async with desk.store.snapshot() as tx:
        (entry,) = await tx.audit.last(10)
        assert await tx.audit.people() == {entry.who: desk.server.people.staff[1].id}


async def answered(person: Person, command: str) -> str:
    """Type a command and return all text of its answer, which repeats the command."""
    await person.command(command)
    return texts(await person.message(private("`/finetune ")))


UNKNOWN = {
    "rollback please": ["“please”", "nothing was changed"],
    "export xyz": ["“xyz”"],
    "review her": ["Did you mean `/finetune review here`?"],
    "switch v9": ["no version named v9", "v1"],
    "statis": ["Did you mean `/finetune status`?"],
    "unsure sixty": ["no version named sixty"],
}


async def test_unknown_words_are_refused(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    await yuko.set_locale("en-US")
    before = await desk.acts.releasing.serving()
    for typed, said in UNKNOWN.items():
        read = await answered(yuko, f"/finetune {typed}")
        assert f"`/finetune {typed}`" in read, "the answer repeats the command"
        assert [part for part in said if part not in read] == []
    assert await desk.acts.releasing.serving() == before


async def test_one_threshold_in_every_spelling(desk: SlackDesk) -> None:
    yuko = await desk.window(desk.server.people.admin)
    await yuko.set_locale("en-US")
    for typed in ("0.62", "０．６２", "62%", "６２％", "0,62", "*62%*", "62 %"):
        assert "less than 62% sure" in await answered(yuko, f"/finetune UNSURE　{typed} Ｖ１"), typed
        assert (await desk.acts.releasing.serving()).unsure_below == 0.62
        await answered(yuko, "/finetune unsure off")


async def test_posted_command_is_explained_and_no_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    for posted in ("／finetune status", "<@{bot}> /finetune　status", "／ｆｉｎｅｔｕｎｅ　ｓｔａｔｕｓ"):
        await emily.say(WATCHED, posted.format(bot=desk.server.people.bot.id))
        told = await emily.message(private("`/finetune status`"))
        assert "ordinary message" in told["text"]
    await emily.say(await emily.dm(), "/ finetune status")
    await desk.settled()
    assert await desk.questions() == 0


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/finetune", "/finetune"),
        ("*／FineTune* Switch v4", "/finetune switch v4"),
        ("what does /finetune do?", None),
        ("finetune status", None),
        ("／finetuner", None),
        ("", None),
    ],
)
def test_commands_are_found_in_messages(text: str, command: str | None) -> None:
    assert find_command(text) == command
