"""`/finetune prompt`: show, edit, add, retire, task, versions, compare, and the forms behind them."""

import re
from collections.abc import Awaitable
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Reason, Refused
from bot.domain.prompt import Category, difference
from bot.releases.prompting import PromptChange
from handlers.command import Call, Story
from handlers.slack.shapes import entered
from handlers.texts.escape import escaped
from handlers.views import ids
from handlers.views import prompt as views
from handlers.views.ids import PromptForm
from handlers.workspace import user_groups

CONTACT = re.compile(r"^[UWS][A-Z0-9]{5,}$")
"""Matches the id of a user or user group."""


async def prompt(call: Call) -> None:
    """Carry out `/finetune prompt [word …]`; without a word, show the current prompt."""
    word, _, rest = call.argument.partition(" ")
    action = {
        "": show,
        "show": show,
        "edit": edit,
        "add": add,
        "retire": retire,
        "task": task,
        "versions": versions,
        "compare": compare,
    }.get(word.lower(), usage)
    await action(call, rest.strip().strip("`"))


async def usage(call: Call, _name: str) -> None:
    await call.say(call.words("prompt.usage"))


async def show(call: Call, _name: str) -> None:
    await call.say(views.overview(await call.acts.prompting.shown(), call.words))


async def edit(call: Call, name: str) -> None:
    """Open the form of one category.

    Raises:
        Refused: TOO_LONG_FOR_A_FORM.
    """
    try:
        current, category = await call.acts.prompting.category(name)
    except Refused as refused:
        await ask_which(call, "edit", refused)
        return
    check_length(*views.field_values(category).values())
    teams = await user_groups(call.context)
    await open_modal(call, views.form(current, category, call.spot.channel, call.words, teams))


async def ask_which(call: Call, verb: str, refused: Refused) -> None:
    """Say which categories there are, if none has the name that was typed; else raise the refusal."""
    if refused.reason is not Reason.UNKNOWN_CATEGORY:
        raise refused
    current = await call.acts.prompting.current()
    names = call.words.listed([escaped(call.words.name(category)) for category in current.categories])
    await call.say(call.words("prompt.which", command=f"/finetune prompt {verb}", names=names))


async def add(call: Call, _name: str) -> None:
    current = await call.acts.prompting.current()
    teams = await user_groups(call.context)
    await open_modal(call, views.form(current, None, call.spot.channel, call.words, teams))


async def task(call: Call, _name: str) -> None:
    current = await call.acts.prompting.current()
    check_length(current.template.strip())
    await open_modal(call, views.task_form(current, call.spot.channel, call.words))


async def retire(call: Call, name: str) -> None:
    """Open the form that retires a category and asks what happens to its rows.

    Raises:
        Refused: CATEGORY_KEPT.
    """
    try:
        leaving = await call.acts.prompting.leaving(name)
    except Refused as refused:
        await ask_which(call, "retire", refused)
        return
    await open_modal(call, views.retire_form(leaving, call.spot.channel, call.words))


async def versions(call: Call, _name: str) -> None:
    await call.say(views.versions(await call.acts.prompting.versions(), call.words))


async def compare(call: Call, names: str) -> None:
    """Compare two versions. The first defaults to the serving release's prompt, the second to the current one."""
    prompting = call.acts.prompting
    given = [name.strip("`") for name in names.split()][:2]
    old = await prompting.named(given[0]) if given else await prompting.served()
    new = await prompting.named(given[1]) if len(given) == 2 else await prompting.current()
    diff = difference(old, new)
    number = {version.prompt.id: version.number for version in await prompting.versions()}
    before, after = (number.get(one.id, one.id[:8]) for one in (old, new))
    message = views.comparison(before, after, diff, call.words)
    await call.say(message)
    if len(diff) > views.DIFF_TEXT:
        name = f"prompt-{before}-{after}.diff"
        await call.context.client.files_upload_v2(
            channel=await call.dm(), initial_comment=message.text, filename=name, title=name, content=diff
        )


async def open_modal(call: Call, view: dict[str, Any]) -> None:
    await call.context.client.views_open(trigger_id=call.trigger, view=view)


def check_length(*texts: str) -> None:
    """Check that each text fits into an input of a form, which would cut a longer one.

    Raises:
        Refused: TOO_LONG_FOR_A_FORM.
    """
    longest = max(map(len, texts))
    if longest > views.FORM_TEXT:
        raise Refused(Reason.TOO_LONG_FOR_A_FORM, n=longest, most=views.FORM_TEXT)


# --- submitted forms


async def submit_category(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    """Save a changed or new category. Errors appear beside the input, so that nothing that was typed is lost."""
    form = PromptForm.unpacked(view["private_metadata"])
    typed = {block: input_value(view, block) for block in (ids.NAME, ids.RULE, ids.EXAMPLES, ids.GUIDE)}
    owner, both = chosen_owner(view)
    errors = category_errors(typed, call, both=both)
    if errors:
        await ack(response_action="errors", errors=errors)
        return
    category = Category(
        id=form.category or "new",
        name=typed[ids.NAME],
        rule=typed[ids.RULE],
        examples=tuple(line.strip() for line in typed[ids.EXAMPLES].splitlines() if line.strip()),
        owner=owner,
        guide=typed[ids.GUIDE] or None,
    )
    prompting = call.acts.prompting
    change = prompting.save if form.category else prompting.add
    saved = await apply_change(call, ack, ids.NAME, change(form.seen, category, call.spot.user))
    if saved:
        await call.say(views.saved(saved, call.words))


async def submit_task(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    form = PromptForm.unpacked(view["private_metadata"])
    template = input_value(view, ids.TASK)
    if not template:
        await ack(response_action="errors", errors={ids.TASK: call.words("prompt.error.empty")})
        return
    saved = await apply_change(call, ack, ids.TASK, call.acts.prompting.rewrite(form.seen, template, call.spot.user))
    if saved:
        await call.say(views.saved(saved, call.words))


async def submit_retire(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    """Retire a category. Its rows move after the form has closed: many rows take longer than Slack waits for an ack."""
    form = PromptForm.unpacked(view["private_metadata"])
    category, by, prompting = form.category or "", call.spot.user, call.acts.prompting
    chosen = entered(view, ids.INTO).get("selected_option")
    into = chosen["value"] if chosen and chosen["value"] != views.LEAVE else None
    saved = await apply_change(call, ack, ids.INTO if chosen else None, prompting.retire(form.seen, category, into, by))
    if saved and into:
        moved = await prompting.move(category, into, by)
        saved = moved.model_copy(update={"candidate": saved.candidate})
    if saved:
        await call.say(views.saved(saved, call.words))


async def apply_change(
    call: Call, ack: AsyncAck, block: str | None, change: Awaitable[PromptChange]
) -> PromptChange | None:
    """Make a change and close the form; if the change is refused, show why and keep the form open.

    Args:
        call: The submission.
        ack: Slack's ack, which closes the form or shows the error.
        block: Block id of the input that a refusal is shown beside; None if the form has no input.
        change: The change to await.

    Returns:
        The saved change, or None if the change was refused.

    Raises:
        Refused: The change was refused and the form has no input.
    """
    try:
        saved = await change
    except Refused as refused:
        if block is None:
            raise
        text = call.words(f"refused.{refused.reason.value}", **refused.facts)
        await ack(response_action="errors", errors={block: text})
        return None
    await ack()
    return saved


def chosen_owner(view: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the owner that was picked, and whether both a person and a team were.

    A new team beside an unchanged person means the team, and the other way round.
    """
    blocks = {block["block_id"]: block for block in view["blocks"]}
    person = entered(view, ids.OWNER).get("selected_user")
    option = entered(view, ids.TEAM).get("selected_option") or {}
    team = option.get("value") if option.get("value") != views.NO_TEAM else None
    picked = [one for one in (person, team) if one and CONTACT.match(one)]
    if len(picked) == 2:
        was = blocks[ids.OWNER]["element"].get("initial_user")
        before = blocks[ids.TEAM]["element"].get("initial_option", {}).get("value")
        picked = [one for one in picked if one not in {was, before}]
    return (picked[0] if len(picked) == 1 else None), len(picked) > 1


def category_errors(typed: dict[str, str], call: Call, *, both: bool) -> dict[str, str]:
    """Return the errors of a category's form, by block id."""
    errors = {}
    if not typed[ids.NAME]:
        errors[ids.NAME] = call.words("prompt.error.empty")
    if both:
        errors[ids.TEAM] = call.words("prompt.error.both")
    return errors


def input_value(view: dict[str, Any], block: str) -> str:
    return str(entered(view, block).get("value") or "").strip()


async def press_edit(call: Call) -> None:
    await edit(call, call.argument)


async def press_add(call: Call) -> None:
    await add(call, "")


async def press_task(call: Call) -> None:
    await task(call, "")


PROMPT_STORY = Story(
    verbs={"prompt": prompt},
    free=frozenset({"prompt"}),
    presses={ids.PROMPT_EDIT: press_edit, ids.PROMPT_ADD: press_add, ids.PROMPT_TASK: press_task},
    forms={
        ids.PROMPT_FORM: submit_category,
        ids.PROMPT_TASK_FORM: submit_task,
        ids.PROMPT_RETIRE_FORM: submit_retire,
    },
)
