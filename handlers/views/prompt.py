"""Block Kit for the prompt: its overview, its forms, its versions and their comparison."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.prompt import LONG_PROMPT_TOKENS, PLACEHOLDER, Category, Prompt, PromptEvent
from bot.releases.prompting import PromptChange, PromptOverview, PromptVersion, RetiringCategory
from handlers.texts.escape import escaped, mention, shorten
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.details import DetailsOf, details_button
from handlers.views.ids import NamedPayload, PromptForm
from handlers.views.message import (
    TITLE_TEXT,
    Block,
    Message,
    button,
    context,
    date,
    option,
    plain,
    section,
    select,
)
from handlers.views.version import version

FORM_TEXT = 3_000
"""Maximum length of one input of a modal, in characters (docs.slack.dev, plain-text input)."""
NAME_TEXT = 60
PROMPT_CATEGORIES = 40
"""Maximum number of categories that are listed: a message holds 50 blocks."""
VERSIONS_SHOWN = 15
PART_TEXT = 600
"""Maximum length of a rule, of a category's examples, or of a guide in the list, in characters."""
LIST_TEXT = 9_000
"""Maximum length of the whole list, in characters: Slack refuses very long messages (`msg_blocks_too_long`)."""
DIFF_TEXT = 2_700
"""Maximum length of a diff in a message, in characters; a longer diff is sent as a file."""
NO_TEAM = "-"
"""The option value that names no team as an owner."""
ANSWER_FORM = re.compile(r"\{\s*[\"“]")
"""Matches a line of the task that shows the form of the model's answer as JSON."""
LEAVE = "*"
"""The option value that leaves a retired category's rows as they are. No category can have this id."""


def overview(state: PromptOverview, words: Words) -> Message:
    """Return the current prompt: its notes, its task, and its categories with rules, examples, owners and guides."""
    prompt = state.prompt
    title = words("prompt.title", number=state.number)
    notes = [words("prompt.since", why=why(state.event, words), at=date(state.event.at))]
    notes.append(words("prompt.serves" if state.serves else "prompt.serves_not"))
    if state.long:
        notes.append(words("prompt.long", tokens=f"{state.tokens:,}", most=f"{LONG_PROMPT_TOKENS:,}"))
    notes += [words("prompt.retired_rows", category=escaped(name), n=n) for name, n in state.retired.items()]
    buttons = [
        button(words("prompt.task_button"), ids.PROMPT_TASK, NamedPayload(id=ids.PROMPT_TASK).packed()),
        button(words("prompt.add_button"), ids.PROMPT_ADD, NamedPayload(id=ids.PROMPT_ADD).packed()),
        details_button(DetailsOf.PROMPT, DetailsOf.PROMPT, words),
    ]
    listed = prompt.categories[:PROMPT_CATEGORIES]
    part = min(PART_TEXT, LIST_TEXT // (3 * len(listed)))
    blocks = [
        section(f"*{title}*\n" + "\n".join(notes)),
        section(f"*{words('prompt.task')}*\n{escaped(_readable(prompt.template), FORM_TEXT - 400)}"),
        *(_category_section(category, part, words) for category in listed),
    ]
    if len(prompt.categories) > PROMPT_CATEGORIES:
        blocks.append(context(words("prompt.more", n=len(prompt.categories) - PROMPT_CATEGORIES)))
    return Message(title, [*blocks, {"type": "actions", "elements": buttons}])


def _readable(template: str) -> str:
    """Return the task as text, without headings and what only the model's program needs. The details have all of it."""
    lines = (line.strip() for line in template.replace(PLACEHOLDER, "").splitlines())
    told = [
        re.sub(r"^[-*] ", "• ", line) for line in lines if not line.startswith("#") and not ANSWER_FORM.search(line)
    ]
    return re.sub(r"\n{2,}", "\n", "\n".join(told)).strip()


def paragraphs(state: PromptOverview, words: Words) -> list[str]:
    """Return everything about a prompt: its id, its length, the categories' ids, and the text that the model reads."""
    names = "\n".join(f"• {escaped(words.name(one))} `{one.id}`" for one in state.prompt.categories)
    head = words("details.prompt.head", id=state.prompt.id, tokens=f"{state.tokens:,}")
    title = words("details.prompt.ids")
    return [head, f"*{title}*\n{names}", escaped(state.prompt.text)]


def _category_section(category: Category, part: int, words: Words) -> Block:
    mark = " · " + words("prompt.other") if category.other else ""
    owner = mention(category.owner)
    name = words("card.owner" if owner else "card.owner_nobody", category=escaped(words.name(category)), owner=owner)
    lines = [f"{name} {mark}", escaped(category.rule.strip(), part)]
    if category.examples:
        lines.append(words("prompt.for_example"))
    lines.append(shorten("\n".join(f"• {escaped(' '.join(example.split()))}" for example in category.examples), part))
    if category.guide:
        lines.append(words("card.guide", guide=escaped(category.guide, part)))
    edit = button(words("prompt.edit_button"), ids.PROMPT_EDIT, NamedPayload(id=category.id).packed())
    return section("\n".join(line for line in lines if line), accessory=edit)


def why(event: PromptEvent, words: Words) -> str:
    """Return who or what made a prompt the current one."""
    return words(f"prompt.why.{event.why.value}", who=mention(event.by) or escaped(event.by))


# --- modals


def form(
    prompt: Prompt, category: Category | None, channel: str | None, words: Words, teams: Mapping[str, str]
) -> dict[str, Any]:
    """Return a category's form, empty for a new category.

    Args:
        prompt: The prompt that the form was opened on.
        category: The category; None for a new one.
        channel: Id of the channel for the answer.
        words: The language of the person who fills it in.
        teams: Id of each user group → its name; empty if Slack does not tell.
    """
    data = PromptForm(seen=prompt.id, category=category.id if category else None, channel=channel)
    filled = field_values(category) if category else {}
    inputs = [
        _input(ids.NAME, filled, words, NAME_TEXT, optional=False),
        _input(ids.RULE, filled, words, FORM_TEXT, multiline=True),
        _input(ids.EXAMPLES, filled, words, FORM_TEXT, multiline=True),
        *_owner_inputs(category.owner if category else None, teams, words),
        _input(ids.GUIDE, filled, words, FORM_TEXT, multiline=True),
    ]
    title = words("prompt.form.edit" if category else "prompt.form.add")
    return _modal(ids.PROMPT_FORM, data, title, inputs, words)


def field_values(category: Category) -> dict[str, str]:
    """Return the initial texts of a category's form, by block id, with one example per line."""
    return {
        ids.NAME: category.name,
        ids.RULE: category.rule.strip(),
        ids.EXAMPLES: "\n".join(" ".join(example.split()) for example in category.examples),
        ids.GUIDE: category.guide or "",
    }


def _owner_inputs(owner: str | None, teams: Mapping[str, str], words: Words) -> list[Block]:
    """Return the pickers for a person or a team as owner. Slack has none for user groups, so that is a menu."""
    group = owner if owner and owner.startswith("S") else None
    person: Block = {"type": "users_select", "action_id": ids.OWNER}
    if owner and group is None:
        person["initial_user"] = owner
    inputs = [_picker(ids.OWNER, person, words)]
    known = {**teams, **({group: group} if group and group not in teams else {})}
    if known:
        options = [option(words("prompt.form.no_team"), NO_TEAM), *(option(name, one) for one, name in known.items())]
        initial = next((one for one in options if one["value"] == (group or NO_TEAM)), None)
        inputs.append(_picker(ids.TEAM, select(words("prompt.label.team"), ids.TEAM, options, initial), words))
    return inputs


def _picker(block_id: str, element: Block, words: Words) -> Block:
    return {
        "type": "input",
        "block_id": block_id,
        "optional": True,
        "label": plain(words(f"prompt.label.{block_id}"), 2_000),
        "hint": plain(words(f"prompt.hint.{block_id}"), 2_000),
        "element": element,
    }


def task_form(prompt: Prompt, channel: str | None, words: Words) -> dict[str, Any]:
    """Return the form for the prompt's text around the categories."""
    data = PromptForm(seen=prompt.id, channel=channel)
    filled = {ids.TASK: prompt.template.strip()}
    inputs = [_input(ids.TASK, filled, words, FORM_TEXT, multiline=True, optional=False)]
    return _modal(ids.PROMPT_TASK_FORM, data, words("prompt.form.task_title"), inputs, words)


def retire_form(leaving: RetiringCategory, channel: str | None, words: Words) -> dict[str, Any]:
    """Return the form that asks what happens to a category's rows, with some of them as a sample."""
    prompt, category = leaving.prompt, leaving.category
    data = PromptForm(seen=prompt.id, category=category.id, channel=channel)
    lines = [words("prompt.form.retiring", category=escaped(words.name(category)), n=leaving.rows)]
    lines += [f"• {escaped(' '.join(text.split()), 200)}" for text in leaving.texts]
    leave = option(words("prompt.form.leave"), LEAVE)
    others = [option(words.name(c), c.id) for c in prompt.categories if c.id != category.id]
    into: Block = {
        "type": "input",
        "block_id": ids.INTO,
        "label": plain(words("prompt.form.into"), 2_000),
        "hint": plain(words("prompt.form.into_hint"), 2_000),
        "element": select(words("prompt.form.into"), ids.INTO, [leave, *others], leave),
    }
    blocks = [section("\n".join(lines)), *([into] if leaving.rows else [])]
    return _modal(ids.PROMPT_RETIRE_FORM, data, words("prompt.form.retire"), blocks, words, "prompt.form.retire_submit")


def _modal(
    callback_id: str, data: PromptForm, title: str, blocks: list[Block], words: Words, submit: str = "prompt.form.save"
) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": data.packed(),
        "title": plain(title, TITLE_TEXT),
        "submit": plain(words(submit), TITLE_TEXT),
        "close": plain(words("correct.modal.close"), TITLE_TEXT),
        "blocks": blocks,
    }


def _input(
    block_id: str,
    filled: dict[str, str],
    words: Words,
    most: int,
    *,
    multiline: bool = False,
    optional: bool = True,
) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": block_id,
        "multiline": multiline,
        "max_length": most,
    }
    if filled.get(block_id):
        element["initial_value"] = filled[block_id]
    return {
        "type": "input",
        "block_id": block_id,
        "optional": optional,
        "label": plain(words(f"prompt.label.{block_id}"), 2_000),
        "hint": plain(words(f"prompt.hint.{block_id}"), 2_000),
        "element": element,
    }


# --- messages


def saved(result: PromptChange, words: Words) -> Message:
    """Return the result of a change to the prompt, and how to put the new version into use."""
    state = result.shown
    lines = [words("prompt.saved.moved", n=result.moved)] if result.moved else []
    if result.candidate:
        lines += [
            words("prompt.saved.version", number=state.number),
            words("prompt.saved.candidate", version=version(result.candidate, words), name=result.candidate.name),
        ]
    elif not lines:
        lines = [words("prompt.saved.contacts")]
    if state.long:
        lines.append(words("prompt.long", tokens=f"{state.tokens:,}", most=f"{LONG_PROMPT_TOKENS:,}"))
    lines += [words("prompt.retired_rows", category=escaped(name), n=n) for name, n in state.retired.items()]
    return Message(lines[0], [section("\n".join(lines))])


def versions(found: Sequence[PromptVersion], words: Words) -> Message:
    """Return the newest versions first, each with its date, its author and the releases that use it."""
    title = words("prompt.versions.title")
    lines = [
        words(
            "prompt.versions.line",
            number=version.number,
            mark=words("prompt.versions.current") if version.current else "",
            why=why(version.first, words),
            at=date(version.first.at),
            releases=_releases(version, words),
        )
        for version in found[:VERSIONS_SHOWN]
    ]
    if len(found) > VERSIONS_SHOWN:
        lines.append(words("prompt.more", n=len(found) - VERSIONS_SHOWN))
    return Message(title, [section(f"*{title}*"), *(section(line) for line in lines)])


def _releases(version: PromptVersion, words: Words) -> str:
    names = [
        f"{release.name} ({words(f'finetune.release.{release.state.value}')})" for release in version.releases[:10]
    ]
    return ", ".join(names) or words("prompt.versions.no_release")


def comparison(old: int | str, new: int | str, diff: str, words: Words) -> Message:
    """Return what changed from one version to another, as text; for many changes, that they come as a file.

    Args:
        old: Number of the older version; the beginning of its id if it was never the current one.
        new: The same of the newer one.
        diff: The changes as a unified diff.
        words: The reader's language.
    """
    title = words("prompt.compare.title", old=old, new=new)
    if not diff:
        body = words("prompt.compare.same")
    elif len(escaped(diff)) > DIFF_TEXT:
        body = words("prompt.compare.file")
    else:
        body = "\n".join(changed_lines(diff, words))
    return Message(title, [section(f"*{title}*\n{body}")])


def changed_lines(diff: str, words: Words) -> list[str]:
    """Return a unified diff as text: what stood there before, what stands there now, and the lines around them."""
    lines = []
    for line in diff.splitlines():
        if line.startswith(("---", "+++", "@@")) or not line.strip("+- "):
            continue
        key = {"-": "prompt.compare.before", "+": "prompt.compare.after"}.get(line[0])
        text = escaped(line[1:].strip())
        lines.append(words(key, text=text) if key else text)
    return lines
