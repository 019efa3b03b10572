"""What /finetune shows of itself: its help, an export, and the versions to choose from."""

from collections.abc import Iterable, Sequence

from bot.domain.dataset import PRIVATE, SET_ASIDE, Manifest
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import KeptFigures
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button, sheet
from handlers.views.ids import FINETUNE_SWITCH, HELP_ALL, NamedPayload
from handlers.views.message import Block, Message, button, day, section
from handlers.views.version import version

RELEASES_OFFERED = 10
"""Maximum number of releases that are offered with a button; older ones must be typed."""
CATEGORIES_NAMED = 5
"""Maximum number of categories without rows that are named in one line."""

HELP_GROUPS = {
    "usual": ("review", "status", "start", "switch", "rollback"),
    "answers": ("evaluate", "shadow", "prompt", "recall", "unsure"),
    "data": ("cancel", "export", "consent", "forget", "withdraw", "audit"),
}
"""Subcommands by what they are for, the most usual first."""
USUAL = HELP_GROUPS["usual"]


def help_message(words: Words) -> Message:
    """Return the usual subcommands, one short line each; the others are behind a button."""
    title = words("finetune.help.title")
    lines = [f"*{title}*", *(words(f"finetune.help.{verb}") for verb in USUAL)]
    return brief(lines, [button(words("finetune.help.all"), HELP_ALL, NamedPayload(id=HELP_ALL).packed())], HELP_ALL)


def help_sheet(verbs: Iterable[str], words: Words) -> Block:
    """Return the modal with all subcommands, by what they are for. One that is in no group stands in the last."""
    groups = {name: [*named] for name, named in HELP_GROUPS.items()}
    grouped = {verb for named in groups.values() for verb in named}
    groups["data"] += [verb for verb in verbs if verb not in grouped]
    parts = []
    for name, named in groups.items():
        title = words(f"finetune.help.group.{name}")
        parts.append("\n".join([f"*{title}*", *(words(f"finetune.help.{verb}") for verb in named)]))
    return sheet(parts, words, "finetune.help.sheet")


def exported(manifest: Manifest, prompt: Prompt, words: Words) -> str:
    """Return what an export contains, as mrkdwn. Its manifest, in a file, has the details."""
    lines = [words("finetune.export.done", n=manifest.rows), *without_rows(manifest.per_category, prompt, words)]
    return "\n".join([*lines, *left_out(manifest, words)])


def left_out(manifest: Manifest, words: Words) -> list[str]:
    """Return how many rows a training file lacks, in plain words; often nothing."""
    private, aside = manifest.left_out.get(PRIVATE, 0), manifest.left_out.get(SET_ASIDE, 0)
    others = sum(manifest.left_out.values()) - private - aside
    lines = [words("finetune.left_out.private", n=private)] if private else []
    lines += [words("finetune.left_out.aside", n=aside)] if aside else []
    return [*lines, words("finetune.left_out.others", n=others)] if others else lines


def choices(
    releases: Sequence[tuple[Release, KeptFigures | None]], serving: KeptFigures | None, words: Words
) -> Message:
    """Return the versions that could answer, each with a button and how often it was right."""
    title = words("finetune.switch.choose", right=accuracy(serving, words))
    blocks = [section(title)]
    for release, card in releases:
        facts = {"version": version(release, words), "state": words(f"finetune.release.{release.state.value}")}
        text = words("finetune.switch.choice", right=accuracy(card, words), **facts)
        payload = NamedPayload(id=release.id).packed()
        blocks.append(section(text, accessory=button(words("finetune.switch.button"), FINETUNE_SWITCH, payload)))
    details = details_button(DetailsOf.VERSIONS, DetailsOf.VERSIONS, words)
    return Message(title, [*blocks, {"type": "actions", "block_id": "versions", "elements": [details]}])


def accuracy(card: KeptFigures | None, words: Words) -> str:
    """Return how many of its questions a version got right, or that this is not known."""
    if card is None:
        return words("finetune.accuracy.unknown")
    if not card.rows:
        return words("finetune.accuracy.none")
    facts = {"right": card.right, "rows": card.rows, "day": day(card.at)}
    return words("finetune.accuracy.is", percent=f"{card.accuracy:.0%}", **facts)


def per_category(counts: dict[str, int], prompt: Prompt, words: Words) -> list[str]:
    """Return the number of rows of each category, for the details."""
    return [
        words("details.training.category", category=escaped(words.name(c)), n=counts.get(c.id, 0))
        for c in prompt.categories
    ]


def without_rows(counts: dict[str, int], prompt: Prompt, words: Words) -> list[str]:
    """Return a line that names the categories without any row, which a model forgets; often nothing."""
    missing = [escaped(words.name(c)) for c in prompt.categories if not counts.get(c.id)]
    if not missing:
        return []
    named = words.listed(missing[:CATEGORIES_NAMED])
    more = "…" if len(missing) > CATEGORIES_NAMED else ""
    return [words("finetune.plan.missing", categories=named + more)]


def name_of(prompt: Prompt, category_id: str, words: Words) -> str:
    """Return a category's name, escaped; its id if the prompt does not know it."""
    category = prompt.category(category_id)
    return escaped(words.name(category) if category else category_id)
