"""Block Kit for fine-tunes, status, switching and help: most of what /finetune shows."""

from collections.abc import Iterable, Sequence

from pydantic import ConfigDict

from bot.domain.dataset import Manifest
from bot.domain.errors import Trouble
from bot.domain.finetune import UNDER_WAY, Finetune
from bot.domain.mirrored import MirrorState
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.replica import Replica
from bot.domain.scorecard import Scorecard
from bot.finetunes.status import Status
from handlers.texts.escape import escaped, mention
from handlers.texts.words import Words
from handlers.views.ids import FINETUNE_CONFIRM, FINETUNE_DISMISS, FINETUNE_SWITCH, Payload
from handlers.views.message import Block, Message, button, context, date, section
from handlers.views.trouble import cause
from handlers.views.unreadable import unreadable

RELEASES_OFFERED = 10
"""Maximum number of releases that are offered with a button; older ones must be typed."""
MOST_REPLICAS = 20
"""Maximum number of replicas that are listed; the warnings about differences compare all of them."""


class NamedPayload(Payload):
    """The id of what a control is about: a fine-tune, a release or an entry. Subclasses may carry more."""

    model_config = ConfigDict(extra="ignore")

    id: str


def help_message(verbs: Iterable[str], words: Words) -> Message:
    """Return all subcommands, one line each."""
    lines = [words(f"finetune.help.{verb}") for verb in verbs]
    return Message(words("finetune.help.title"), [section(f"*{words('finetune.help.title')}*\n" + "\n".join(lines))])


def exported(manifest: Manifest, prompt: Prompt, words: Words) -> str:
    """Return what an export contains, as mrkdwn."""
    lines = [
        words("finetune.export.done", rows=manifest.rows, held_out=manifest.held_out),
        *per_category(manifest.per_category, prompt, words),
        *left_out(manifest, words),
        words("finetune.export.hash", sha256=manifest.id, prompt=manifest.prompt_id[:12]),
    ]
    return "\n".join(lines)


def plan(finetune: Finetune, manifest: Manifest, prompt: Prompt, words: Words) -> Message:
    """Return the rows, tokens and price of a planned fine-tune, with the buttons to start or dismiss it."""
    estimate = finetune.estimate
    price = (
        words("finetune.plan.price", usd=f"{estimate.usd:.2f}", date=estimate.price_date)
        if estimate.usd is not None
        else words("finetune.plan.no_price")
    )
    lines = [
        words("finetune.plan.title", model=str(finetune.student)),
        words("finetune.plan.rows", rows=manifest.rows, held_out=manifest.held_out),
        *per_category(manifest.per_category, prompt, words),
        *left_out(manifest, words),
        words("finetune.plan.tokens", tokens=f"{estimate.tokens:,}", epochs=estimate.epochs),
        price if estimate.usd != 0 else words("finetune.plan.free"),
    ]
    buttons = {
        "type": "actions",
        "block_id": f"finetune:{finetune.id}",
        "elements": [
            button(
                words("finetune.plan.confirm"), FINETUNE_CONFIRM, NamedPayload(id=finetune.id).packed(), style="primary"
            ),
            button(words("finetune.plan.dismiss"), FINETUNE_DISMISS, NamedPayload(id=finetune.id).packed()),
        ],
    }
    return Message(lines[0], [section("\n".join(lines)), buttons])


def status(state: Status, words: Words) -> Message:
    """Return the status, from the serving release and the rows to replicas and queues."""
    rows = [
        words("finetune.status.row", category=name_of(state.prompt, category), train=train, held_out=held_out)
        for category, (train, held_out) in state.rows.items()
    ]
    blocks = [
        section(
            words(
                "finetune.status.serving",
                model=escaped(str(state.serving.model)),
                release=state.serving.id,
                prompt=state.serving.prompt_id[:12],
                since=date(state.serving_since),
            )
            + traits(state.serving, words)
            + overridden(state, words)
            + cut_prompts(state, words)
            + other_encoders(state, words)
            + stale_threshold(state, words)
        ),
        section(
            "\n".join(
                [
                    words(
                        "finetune.status.rows",
                        total=sum(train + held for train, held in state.rows.values()),
                        trained=state.trained,
                        untrained=state.untrained,
                    ),
                    *(rows or [words("finetune.status.no_rows")]),
                ]
            )
        ),
        section("\n".join(spend(state, words))),
        section(
            "\n".join([words("finetune.status.jobs"), *(job_line(finetune, words) for finetune in state.finetunes)])
            if state.finetunes
            else words("finetune.status.no_jobs")
        ),
        *disagreements(state, words),
        *([section("\n".join(unreadable(state.unreadable, words)))] if state.unreadable else []),
        *replicas(state.replicas, words),
        *([section(mirror(state.mirror, words))] if state.mirror else []),
        context(
            words(
                "finetune.status.queues",
                questions=state.questions,
                inbox=state.inbox_open,
                outbox=state.outbox_open,
                age=int(state.outbox_age.total_seconds()),
            )
        ),
    ]
    return Message(words("finetune.status.title", model=str(state.serving.model)), blocks)


def mirror(state: MirrorState, words: Words) -> str:
    """Return how many entries the mirror still lacks, and what holds them up."""
    lines = [words("finetune.status.mirror", open=state.open, age=int(state.age.total_seconds()))]
    if not state.filled:
        lines.append(words("finetune.status.filling"))
    if state.trouble:
        lines.append("⚠️ " + words(f"tracker.{state.trouble}"))
    if state.untaken:
        lines.append(words("finetune.status.untaken", n=state.untaken))
    return "\n".join(lines)


def traits(release: Release, words: Words) -> str:
    """Return a release's recall and threshold; empty if it has neither."""
    parts = [words("finetune.traits.recall", recall=release.recall)] if release.recall else []
    if release.unsure_below is not None:
        parts.append(words("finetune.traits.unsure", threshold=release.unsure_below))
    return "".join(f" · {part}" for part in parts)


def overridden(state: Status, words: Words) -> str:
    """Return who overrode the gate for the serving release, and why; empty if the gate passed it."""
    if state.overridden is None:
        return ""
    who, note = state.overridden
    return "\n" + words("finetune.status.overridden", who=mention(who) or escaped(who), note=escaped(note, 500))


def cut_prompts(state: Status, words: Words) -> str:
    """Return a warning for each model whose provider reads only a part of the prompt."""
    return "".join(
        "\n" + words("finetune.status.cut_prompt", model=escaped(model), billed=billed, counted=counted)
        for model, billed, counted in state.cut_prompts
    )


def stale_threshold(state: Status, words: Words) -> str:
    """Return a warning if the serving release's threshold is not applied any more."""
    if state.stale_threshold is None:
        return ""
    return "\n" + words("unsure.stale", threshold=state.stale_threshold, release=state.serving.id)


def other_encoders(state: Status, words: Words) -> str:
    """Return a warning about each release that can't answer because it was trained with another encoder."""
    return "".join(
        f"\n⚠️ {cause(release.model, Trouble.OTHER_ENCODER, words, encoder=escaped(encoder))}"
        for release, encoder in state.other_encoders
    )


def disagreements(state: Status, words: Words) -> list[Block]:
    """Return the pairs of categories that staff settle differently. The prompt lacks a rule there."""

    def name(category: str) -> str:
        # A retired category is still in the serving prompt.
        return name_of(state.current if state.current.category(category) else state.prompt, category)

    pairs = [
        words("finetune.status.pair", one=name(one), other=name(other), n=n) for one, other, n in state.disagreements
    ]
    return [section(words("finetune.status.pairs", pairs=" · ".join(pairs)))] if pairs else []


def replicas(alive: Sequence[Replica], words: Words) -> list[Block]:
    """Return which release each replica serves, and warnings if releases or versions differ."""
    lines = [
        words(
            "finetune.status.replica",
            id=replica.id,
            version=escaped(replica.version),
            release=replica.release_id or "-",
            since=date(replica.started_at),
        )
        for replica in alive[:MOST_REPLICAS]
    ]
    if len({replica.release_id for replica in alive}) > 1:
        lines.append(words("finetune.status.releases_differ"))
    if len({replica.version for replica in alive}) > 1:
        lines.append(words("finetune.status.versions_differ"))
    return [section("\n".join([words("finetune.status.replicas", n=len(alive)), *lines]))] if alive else []


def job_line(finetune: Finetune, words: Words) -> str:
    """Return one line about a fine-tune: its model, else its error or progress."""
    state = words(f"finetune.state.{finetune.state.value}")
    detail = finetune.error or (finetune.progress if finetune.state in UNDER_WAY else None)
    if finetune.model:
        detail = f"`{finetune.model}`"
    elif detail:
        detail = escaped(detail)
    elif finetune.reads_file:
        detail = words("progress.reading", since=date(finetune.last_progress))
    line = words("finetune.status.job", id=finetune.id, state=state, rows=finetune.estimate.rows)
    return "\n    ".join([f"{line} {detail}" if detail else line, times(finetune, words)])


def times(finetune: Finetune, words: Words) -> str:
    """Return when a fine-tune started, and when it last went on or ended."""
    key = "finetune.status.moved" if finetune.state in UNDER_WAY else "finetune.status.ended"
    started = date(finetune.started_at or finetune.created_at)
    stalled = " ⚠️" if finetune.stalled_at and finetune.state in UNDER_WAY else ""
    return words(key, started=started, last=date(finetune.last_progress)) + stalled


def choices(releases: Sequence[tuple[Release, Scorecard | None]], serving: Scorecard | None, words: Words) -> Message:
    """Return the releases that could serve, each with a button and, if it was evaluated, its accuracy."""
    title = words("finetune.switch.choose", serving=accuracy(serving, words))
    blocks = [section(title)]
    for release, card in releases:
        blocks.append(
            section(
                words(
                    "finetune.switch.choice",
                    model=escaped(str(release.model)),
                    release=release.id,
                    state=words(f"finetune.release.{release.state.value}"),
                    accuracy=accuracy(card, words),
                )
                + traits(release, words),
                accessory=button(
                    words("finetune.switch.button"), FINETUNE_SWITCH, NamedPayload(id=release.id).packed()
                ),
            )
        )
    return Message(title, blocks)


def accuracy(card: Scorecard | None, words: Words) -> str:
    """Return an accuracy with its number of rows, or that there is none."""
    if card is None:
        return words("finetune.accuracy.unknown")
    if not card.rows:
        return words("finetune.accuracy.none")
    return words("finetune.accuracy.is", percent=f"{card.accuracy:.1%}", right=card.right, rows=card.rows)


def per_category(counts: dict[str, int], prompt: Prompt, words: Words) -> list[str]:
    """Return the number of rows of each category. Categories without rows are named: a model forgets them."""
    return [
        words(
            "finetune.export.row" if counts.get(c.id) else "finetune.export.no_row",
            category=escaped(c.name),
            n=counts.get(c.id, 0),
        )
        for c in prompt.categories
    ]


def left_out(manifest: Manifest, words: Words) -> list[str]:
    return [words(f"finetune.left_out.{why}", n=n) for why, n in manifest.left_out.items()]


def name_of(prompt: Prompt, category_id: str) -> str:
    """Return a category's name, escaped; its id if the prompt does not know it."""
    category = prompt.category(category_id)
    return escaped(category.name if category else category_id)


def spend(state: Status, words: Words) -> list[str]:
    """Return the month's spend and budget, and the releases that no longer fit the current prompt."""
    spent = state.spend
    amounts = {
        "total": f"{spent.total:.2f}",
        "finetunes": f"{spent.finetunes:.2f}",
        "answers": f"{spent.answers:.2f}",
        "since": f"{spent.since:%Y-%m-%d}",
    }
    if spent.budget is None:
        lines = [words("spend.free", **amounts)]
    else:
        lines = [words("spend.of", **amounts, budget=f"{spent.budget:.2f}", left=f"{spent.left or 0:.2f}")]
    asked = spent.asked
    lines.append(
        words(
            "spend.asked",
            asked=asked.memory + asked.model,
            memory=asked.memory,
            model=asked.model,
            usd=f"{asked.usd:.2f}",
        )
    )
    if spent.unpriced:
        lines.append(words("spend.unpriced", models=", ".join(f"`{escaped(name)}`" for name in spent.unpriced)))
    if state.current.id != state.prompt.id:
        lines.append(words("spend.current", prompt=state.current.id[:12]))
    if state.unfit:
        named = ", ".join(f"`{release.id}` {escaped(str(release.model))}" for release in state.unfit[:10])
        lines.append(words("spend.unfit", prompt=state.current.id[:12], releases=named))
    return lines
