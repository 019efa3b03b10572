"""`/finetune prompt` through Slack: shown, changed in forms and compared, in both languages."""

from collections.abc import Callable

import pytest

from bot.current_prompt import configure
from bot.domain.dataset import Split
from bot.domain.prompt import PLACEHOLDER, Category, PromptEvent, PromptWhy
from bot.domain.release import ReleaseState
from bot.practice import Person
from bot.providers.tokens import OfflineEstimator
from bot.releases.prompting import Prompting, PromptOverview
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.prompt import LEAVE, NO_TEAM, overview
from tests.bot.things import rows_of
from tests.kits.fakes import StepClock
from tests.kits.slack_desk import PROMPT, Json, SlackDesk, details, eventually, texts

Typed = dict[str, dict[str, Json]]


async def admin(desk: SlackDesk, locale: str = "en-US") -> Person:
    person = await desk.window(desk.server.people.admin)
    await person.set_locale(locale)
    desk.people.forget()
    return person


def private(*words: str) -> Callable[[Json], bool]:
    return lambda m: bool(m.get("ephemeral")) and all(word in texts(m) for word in words)


async def private_text(person: Person, *words: str) -> str:
    return texts(await person.message(private(*words)))


def labels(view: Json) -> str:
    return " ".join(b["label"]["text"] + b["hint"]["text"] for b in view["blocks"] if b["type"] == "input")


def filled(view: Json, **typed: str) -> Typed:
    """Return what a person submits: the form's initial texts with these changes."""
    values = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            name, element = block["block_id"], block["element"]
            value: Json = {"value": typed.get(name, element.get("initial_value", ""))}
            if element["type"] == "users_select":
                value = {"selected_user": typed.get(name, element.get("initial_user"))}
            if element["type"] == "static_select":
                chosen = typed.get(name, element["initial_option"]["value"])
                value = {"selected_option": next(one for one in element["options"] if one["value"] == chosen)}
            values[name] = {name: {"type": element["type"], **value}}
    return values


async def form(person: Person, argument: str) -> Json:
    await person.command(f"/finetune prompt {argument}")
    return await person.view()


async def current(desk: SlackDesk) -> str:
    async with desk.store.transaction() as tx:
        return (await tx.prompts.history())[0].prompt_id


async def test_whole_prompt_is_shown(desk: SlackDesk) -> None:
    person = await admin(desk)
    await person.command("/finetune prompt")
    shown = await private_text(person, "Instructions, version 1")
    for words in ("Choose the category.", "Labor 労務", "leave", "<!subteam^S0STAFF0001>", "everything else"):
        assert words in shown
    assert "Open the attendance system" in shown


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
async def test_prompt_is_shown_in_plain_words(desk: SlackDesk, locale: str) -> None:
    task = f'Choose one of:\n\n- Be brief.\n- Answer: {{"category": "…"}}\n\n# Categories\n\n{PLACEHOLDER}'
    await desk.acts.prompting.rewrite(await current(desk), task, "U9")
    person = await admin(desk, locale)
    await person.command("/finetune prompt")
    message = await person.message(private("Choose one of:\n• Be brief."))
    name = await current(desk)
    for machine in (PLACEHOLDER, name[:12], "# Categories", '"category"'):
        assert machine not in texts(message)
    behind = await details(person, message)
    for machine in (name, "# Categories", '"category"', "## Labor 労務"):
        assert machine in behind, "as the model reads it"


def test_very_long_prompt_fits_into_one_message() -> None:
    many = [Category(id=f"c{n}", name=f"C{n}", rule="r" * 3_000, examples=("e" * 500,) * 9) for n in range(60)]
    event = PromptEvent(prompt_id="p", why=PromptWhy.CONFIGURED, by="madoguchi", at=StepClock().now())
    prompt = PROMPT.changed(categories=[*many, PROMPT.categories[-1]])
    state = PromptOverview(prompt=prompt, event=event, tokens=99_000, serves=False, retired={})
    message = overview(state, Words("en"))
    assert len(message.blocks) <= 50
    assert len(texts({"blocks": message.blocks})) < 15_000
    assert "99,000 tokens is long" in texts({"blocks": message.blocks})
    assert "and 21 more" in texts({"blocks": message.blocks})


def test_prompt_above_4000_tokens_has_warning() -> None:
    event = PromptEvent(prompt_id="p", why=PromptWhy.CONFIGURED, by="madoguchi", at=StepClock().now())
    state = PromptOverview(prompt=PROMPT, event=event, tokens=4_000, serves=True, retired={})
    assert "is long" not in texts({"blocks": overview(state, Words("en")).blocks})
    assert "is long" in texts({"blocks": overview(state.model_copy(update={"tokens": 4_001}), Words("en")).blocks})


async def test_only_admins_may_edit(desk: SlackDesk) -> None:
    priya = await desk.priya()
    await priya.command("/finetune prompt edit it")
    assert "Only admins" in await private_text(priya, "Only admins")


@pytest.mark.parametrize(
    ("locale", "label", "answer", "notice"),
    [
        ("en-US", "Rule", "Saved as instructions, version 2", "They are not in use yet"),
        ("ja-JP", "ルール", "として保存", "回答にはまだ"),
    ],
)
async def test_edited_rule_makes_new_candidate(
    desk: SlackDesk, locale: str, label: str, answer: str, notice: str
) -> None:
    person = await admin(desk, locale)
    view = await form(person, "edit Labor 労務")
    assert label in labels(view)
    assert (
        await person.submit(view, filled(view, rule="leave and shifts", examples="How much leave?\n\nMy shift?")) == {}
    )
    said = await private_text(person, answer)
    assert notice in said
    async with desk.store.transaction() as tx:
        newest = (await tx.releases.all())[0]
        prompt = await tx.prompts.get(newest.prompt_id)
    assert newest.state is ReleaseState.CANDIDATE
    assert newest.name in said
    assert prompt is not None
    labor = prompt.category("labor")
    assert labor is not None
    assert (labor.rule, labor.examples, labor.owner) == (
        "leave and shifts",
        ("How much leave?", "My shift?"),
        "S0STAFF0001",
    )


@pytest.mark.parametrize("verb", ["edit", "retire"])
@pytest.mark.parametrize("name", ["", " labour law"])
async def test_category_that_is_not_named_is_asked_for(desk: SlackDesk, verb: str, name: str) -> None:
    person = await admin(desk)
    await person.command(f"/finetune prompt {verb}{name}")
    said = await private_text(person, "Which category?")
    assert f"/finetune prompt {verb}" in said
    assert "Labor 労務, IT" in said


async def test_unchanged_form_changes_nothing(desk: SlackDesk) -> None:
    person = await admin(desk)
    view = await form(person, "edit labor")
    assert await person.submit(view, filled(view)) == {}
    assert "the instructions are the same" in await private_text(person, "Saved")
    assert await current(desk) == PROMPT.id


async def test_errors_appear_beside_input_in_persons_language(desk: SlackDesk) -> None:
    person = await admin(desk, "ja-JP")
    view = await form(person, "edit it")
    assert await person.submit(view, filled(view, owner="U0KENJI0001", team="S0STAFF0001", name=" ")) == {
        ids.TEAM: "個人かチームのどちらか一方を選んでください。",
        ids.NAME: "入力してください。",
    }
    (name,) = (await person.submit(view, filled(view, name="Other"))).values()
    assert "同じ名前の分類があります" in name
    assert await current(desk) == PROMPT.id


async def test_concurrent_edits_are_both_kept(desk: SlackDesk) -> None:
    person = await admin(desk)
    view = await form(person, "task")
    assert await person.submit(view, filled(view, task=" ")) == {ids.TASK: "Please write something here."}
    theirs = PROMPT.categories[1].model_copy(update={"rule": "computers and phones"})
    await Prompting(desk.store, OfflineEstimator(), desk.clock).save(PROMPT.id, theirs, "U8")
    assert "Somebody else" in (await person.submit(view, filled(view, task="Other words")))[ids.TASK]
    again = await form(person, "task")
    assert await person.submit(again, filled(again, task="Choose well.")) == {}
    await private_text(person, "Saved")
    await person.command("/finetune prompt")
    assert "computers and phones" in await private_text(person, "Choose well.")


async def test_new_owner_appears_at_once_on_home(desk: SlackDesk) -> None:
    person = await admin(desk)
    view = await form(person, "edit it")
    await person.submit(view, filled(view, owner="U0KENJI0001", guide="Restart it"))
    await private_text(person, "take effect immediately")
    await person.open_home()
    home = await person.wait_for(lambda frame: frame["type"] == "home")
    assert "<@U0KENJI0001>" in texts(home["view"])
    assert "<@U0PRIYA0001>" not in texts(home["view"])


async def owner_of(desk: SlackDesk, category: str) -> str | None:
    found = (await desk.acts.prompting.current()).category(category)
    return found.owner if found else None


async def test_team_is_picked_by_name(desk: SlackDesk) -> None:
    person = await admin(desk)
    view = await form(person, "edit it")
    (team,) = [block["element"] for block in view["blocks"] if block.get("block_id") == ids.TEAM]
    names = {one["value"]: one["text"]["text"] for one in team["options"]}
    assert "help-desk-staff" in names["S0STAFF0001"]
    assert team["initial_option"]["value"] == NO_TEAM
    assert await person.submit(view, filled(view, team="S0STAFF0001")) == {}, "the person stays as it was"
    await private_text(person, "take effect immediately")
    assert await owner_of(desk, "it") == "S0STAFF0001"
    view = await form(person, "edit it")
    assert await person.submit(view, filled(view, team=NO_TEAM)) == {}
    await private_text(person, "take effect immediately")
    assert await owner_of(desk, "it") is None


async def test_without_the_scope_people_can_be_picked(desk: SlackDesk) -> None:
    person = await admin(desk)
    desk.server.workspace.faults.fail("usergroups.list")
    view = await form(person, "edit it")
    assert ids.TEAM not in [block["block_id"] for block in view["blocks"]]
    assert await person.submit(view, filled(view, owner="U0KENJI0001")) == {}
    await private_text(person, "take effect immediately")
    assert await owner_of(desk, "it") == "U0KENJI0001"


async def test_category_is_added_and_another_retired(desk: SlackDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.TRAIN, "it", 7))
    person = await admin(desk)
    await person.command("/finetune prompt")
    await person.press(await person.message(private("everything else")), ids.PROMPT_ADD)
    view = await person.view()
    assert await person.submit(view, filled(view, name="法務", rule="contracts")) == {}
    await private_text(person, "Saved as instructions")
    view = await form(person, "retire it")
    assert "Training examples of this category: 7" in texts(view)
    chosen = {ids.INTO: {ids.INTO: {"type": "static_select", "selected_option": option(view, "法務")}}}
    assert await person.submit(view, chosen) == {}
    assert "7 training examples were moved" in await private_text(person, "moved")
    assert {row.category for row in await desk.rows()} == {"法務"}


def option(view: Json, value: str) -> Json:
    (element,) = [b["element"] for b in view["blocks"] if b["type"] == "input"]
    (found,) = [o for o in element["options"] if o["value"] == value]
    return dict(found)


async def test_rows_left_behind_are_counted_until_moved(desk: SlackDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.rows.put(*rows_of(Split.TRAIN, "it", 2))
    person = await admin(desk, "ja-JP")
    view = await form(person, "retire IT")
    left = {ids.INTO: {ids.INTO: {"type": "static_select", "selected_option": option(view, LEAVE)}}}
    await person.submit(view, left)
    assert "分類 IT の学習データが2件あり" in await private_text(person, "として保存")
    again = await form(person, "retire it")
    moved = {ids.INTO: {ids.INTO: {"type": "static_select", "selected_option": option(again, "labor")}}}
    await person.submit(again, moved)
    assert "学習データ2件を移しました" in await private_text(person, "移しました")
    assert "廃止できません" in await ask(person, "retire other")


async def ask(person: Person, argument: str) -> str:
    await person.command(f"/finetune prompt {argument}")
    return texts(await person.message(private()))


async def test_versions_are_listed_and_compared(desk: SlackDesk) -> None:
    person = await admin(desk)
    assert "The two texts are the same" in await ask(person, "compare")
    view = await form(person, "edit it")
    await person.submit(view, filled(view, rule="computers & phones"))
    await private_text(person, "Saved")
    listed = await ask(person, "versions")
    assert "*Version 2*" in listed
    assert "*Version 1*" in listed
    assert PROMPT.id[:12] not in listed
    assert "edited by <@" in listed
    for argument in (
        "compare",
        "compare 1",
        "compare 1 2",
        f"compare {PROMPT.id[:8]}",
        f"compare `{PROMPT.id[:12]}` `{(await current(desk))[:12]}`",
    ):
        compared = await ask(person, argument)
        assert "from version 1 to version 2" in compared
        assert "*Before:* computers" in compared
        assert "*Now:* computers &amp; phones" in compared
    assert "I know no single version" in await ask(person, "compare zzz")
    assert "I know `/finetune prompt`" in await ask(person, "frobnicate")
    assert "Which category?" in await ask(person, "edit nowhere")


async def test_long_diff_is_file_and_long_text_refused(desk: SlackDesk) -> None:
    long = PROMPT.changed(template="\n".join(f"Rule {n}: choose well." for n in range(300)))
    async with desk.store.transaction() as tx:
        await configure(tx, long, desk.clock.now())
    person = await admin(desk)
    assert "a form of Slack takes 3000" in await ask(person, "task")
    await person.command("/finetune prompt compare")
    assert "in a file" in await private_text(person, "Instructions, from")
    channel = await person.dm()

    async def file_is_posted() -> bool:
        sent = [file["name"] for m in await person.history(channel) for file in m.get("files", ())]
        return sent == ["prompt-1-2.diff"]

    await eventually(file_is_posted)
