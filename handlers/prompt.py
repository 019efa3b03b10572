"""The story of the prompt: show, edit, add, retire, versions, compare."""

import re
from collections.abc import Awaitable
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Reason, Refused
from bot.domain.prompt import Category, difference
from bot.releases.prompting import Saved
from handlers.command import Call, Story
from handlers.views import ids
from handlers.views import prompt as views
from handlers.views.ids import PromptForm

CONTACT = re.compile(r"^(?:<(?:@|!subteam\^))?([UWS][A-Z0-9]{5,})(?:\|[^>]*)?>?$")
"""A user or a user group: its id, or a mention of it."""


async def prompt(call: Call) -> None:
    """`/finetune prompt [word …]`; without a word, the current prompt."""
    word, _, rest = call.argument.partition(" ")
    verb = {
        "": show,
        "show": show,
        "edit": edit,
        "add": add,
        "retire": retire,
        "task": task,
        "versions": versions,
        "compare": compare,
    }.get(word.lower(), usage)
    await verb(call, rest.strip().strip("`"))


async def usage(call: Call, _name: str) -> None:
    await call.say(call.words("prompt.usage"))


async def show(call: Call, _name: str) -> None:
    await call.say(views.shown(await call.acts.prompting.shown(), call.words))


async def edit(call: Call, name: str) -> None:
    """The form of one category. Raises Refused: UNKNOWN_CATEGORY, TOO_LONG_FOR_A_FORM."""
    current, category = await call.acts.prompting.category(name)
    refuse_long(*views.fields(category).values())
    await opened(call, views.form(current, category, call.spot.channel, call.words))


async def add(call: Call, _name: str) -> None:
    current = await call.acts.prompting.current()
    await opened(call, views.form(current, None, call.spot.channel, call.words))


async def task(call: Call, _name: str) -> None:
    current = await call.acts.prompting.current()
    refuse_long(current.template.strip())
    await opened(call, views.task_form(current, call.spot.channel, call.words))


async def retire(call: Call, name: str) -> None:
    """Ask what shall become of the category's rows, and retire it. Raises Refused: UNKNOWN_CATEGORY, CATEGORY_KEPT."""
    leaving = await call.acts.prompting.leaving(name)
    await opened(call, views.retire_form(leaving, call.spot.channel, call.words))


async def versions(call: Call, _name: str) -> None:
    await call.say(views.versions(await call.acts.prompting.versions(), call.words))


async def compare(call: Call, names: str) -> None:
    """Two versions; of one, against the current prompt; of none, the serving release's against the current one."""
    prompting = call.acts.prompting
    given = [name.strip("`") for name in names.split()][:2]
    old = await prompting.named(given[0]) if given else await prompting.served()
    new = await prompting.named(given[1]) if len(given) == 2 else await prompting.current()
    told = difference(old, new)
    message = views.compared(old, new, told, call.words)
    await call.say(message)
    if len(told) > views.DIFFERENCE:
        name = f"prompt-{old.id[:12]}-{new.id[:12]}.diff"
        await call.context.client.files_upload_v2(
            channel=await call.dm(), initial_comment=message.text, filename=name, title=name, content=told
        )


async def opened(call: Call, view: dict[str, Any]) -> None:
    await call.context.client.views_open(trigger_id=call.trigger, view=view)


def refuse_long(*texts: str) -> None:
    """A form that could not hold a text would lose it. Raises Refused: TOO_LONG_FOR_A_FORM."""
    longest = max(map(len, texts))
    if longest > views.FORM_TEXT:
        raise Refused(Reason.TOO_LONG_FOR_A_FORM, n=longest, most=views.FORM_TEXT)


# --- what comes back


async def submit_category(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    """A changed or a new category. What is wrong is said beside the input, and nothing that was typed is lost."""
    form = PromptForm.unpacked(view["private_metadata"])
    typed = {block: value_of(view, block) for block in (ids.NAME, ids.RULE, ids.EXAMPLES, ids.OWNER, ids.GUIDE)}
    errors = problems(typed, call)
    if errors:
        await ack(response_action="errors", errors=errors)
        return
    contact = CONTACT.match(typed[ids.OWNER])
    category = Category(
        id=form.category or "new",
        name=typed[ids.NAME],
        rule=typed[ids.RULE],
        examples=tuple(line.strip() for line in typed[ids.EXAMPLES].splitlines() if line.strip()),
        owner=contact.group(1) if contact else None,
        guide=typed[ids.GUIDE] or None,
    )
    prompting = call.acts.prompting
    change = prompting.save if form.category else prompting.add
    done = await taken(call, ack, ids.NAME, change(form.seen, category, call.spot.user))
    if done:
        await call.say(views.saved(done, call.words))


async def submit_task(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    form = PromptForm.unpacked(view["private_metadata"])
    template = value_of(view, ids.TASK)
    if not template:
        await ack(response_action="errors", errors={ids.TASK: call.words("prompt.error.empty")})
        return
    done = await taken(call, ack, ids.TASK, call.acts.prompting.rewrite(form.seen, template, call.spot.user))
    if done:
        await call.say(views.saved(done, call.words))


async def submit_retire(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    """Retire, and then, when the form is closed, move the rows: many rows take longer than Slack waits."""
    form = PromptForm.unpacked(view["private_metadata"])
    category, by, prompting = form.category or "", call.spot.user, call.acts.prompting
    chosen = view["state"]["values"].get(ids.INTO, {}).get(ids.INTO, {}).get("selected_option")
    into = chosen["value"] if chosen and chosen["value"] != views.LEAVE else None
    done = await taken(call, ack, ids.INTO if chosen else None, prompting.retire(form.seen, category, into, by))
    if done and into:
        moved = await prompting.move(category, into, by)
        done = moved.model_copy(update={"candidate": done.candidate})
    if done:
        await call.say(views.saved(done, call.words))


async def taken(call: Call, ack: AsyncAck, block: str | None, change: Awaitable[Saved]) -> Saved | None:
    """Make the change and close the form. A refusal stands beside the input instead; then there is None."""
    try:
        done = await change
    except Refused as refused:
        if block is None:
            raise
        text = call.words(f"refused.{refused.reason.value}", **refused.facts)
        await ack(response_action="errors", errors={block: text})
        return None
    await ack()
    return done


def problems(typed: dict[str, str], call: Call) -> dict[str, str]:
    """What is wrong with a category's form, by block."""
    found = {}
    if not typed[ids.NAME]:
        found[ids.NAME] = call.words("prompt.error.empty")
    if typed[ids.OWNER] and not CONTACT.match(typed[ids.OWNER]):
        found[ids.OWNER] = call.words("prompt.error.owner")
    return found


def value_of(view: dict[str, Any], block: str) -> str:
    return str(view["state"]["values"].get(block, {}).get(block, {}).get("value") or "").strip()


async def press_edit(call: Call) -> None:
    await edit(call, call.argument)


async def press_add(call: Call) -> None:
    await add(call, "")


async def press_task(call: Call) -> None:
    await task(call, "")


PROMPT_STORY = Story(
    verbs={"prompt": prompt},
    presses={ids.PROMPT_EDIT: press_edit, ids.PROMPT_ADD: press_add, ids.PROMPT_TASK: press_task},
    forms={
        ids.PROMPT_FORM: submit_category,
        ids.PROMPT_TASK_FORM: submit_task,
        ids.PROMPT_RETIRE_FORM: submit_retire,
    },
)
