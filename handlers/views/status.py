"""How the bot stands: a few plain lines, what needs attention, and the details."""

from collections.abc import Sequence

from bot.domain.budget import Spend
from bot.domain.errors import Trouble
from bot.domain.finetune import UNDER_WAY
from bot.domain.mirrored import MirrorState
from bot.domain.replica import Replica
from bot.domain.scorecard import KeptFigures
from bot.finetunes.status import Status
from handlers.texts.escape import escaped, mention, one_line
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.finetune import accuracy, name_of
from handlers.views.ids import FINETUNE_PLAN, NamedPayload
from handlers.views.message import Message, button, date, day
from handlers.views.settlers import aside_line, look_button, shares
from handlers.views.training import job_lines
from handlers.views.trouble import cause
from handlers.views.unreadable import unreadable
from handlers.views.version import technical, version

MOST_REPLICAS = 20
"""Maximum number of replicas that are listed; the warnings about differences compare all of them."""


def status(state: Status, card: KeptFigures | None, words: Words) -> Message:
    """Return which version answers, how often it was right, its examples, the cost, and what needs attention.

    Args:
        state: The state of the loop.
        card: The figures of the serving release; None if they are not known.
        words: The reader's language.
    """
    serving, running = state.serving, [one for one in state.finetunes if one.state in UNDER_WAY]
    lines = [words("finetune.status.serving", version=version(serving, words), since=date(state.serving_since))]
    lines += [
        words("finetune.status.right", right=accuracy(card, words)),
        rows(state, words),
        spent(state.spend, words),
    ]
    if running:
        doing = words(f"finetune.state.{running[0].state.value}")
        lines.append(words("progress.title", state=doing, n=running[0].estimate.rows))
    if not state.training_allowed:
        lines.append("⏸️ " + words("finetune.status.not_allowed"))
    warnings = attention(state, words)
    if warnings:
        more = [words("finetune.status.more", n=len(warnings) - 1)] if len(warnings) > 1 else []
        lines.append(" ".join([warnings[0], *more]))
    buttons = [details_button(DetailsOf.STATUS, serving.id, words)]
    if state.aside.people:
        buttons.insert(0, look_button(words))
    if state.untrained and not running:
        buttons.insert(0, button(words("finetune.status.train"), FINETUNE_PLAN, NamedPayload(id=serving.id).packed()))
    return brief(lines, buttons, "status")


def rows(state: Status, words: Words) -> str:
    """Return how many training examples there are, and how many of them the serving release has not learned."""
    total = sum(train + held for train, held in state.rows.values())
    if not total:
        return words("finetune.status.no_rows")
    if not state.untrained:
        return words("finetune.status.rows_learned", n=total)
    return words("finetune.status.rows", n=total, new=state.untrained)


def spent(spend: Spend, words: Words) -> str:
    """Return the month's cost in one line."""
    total = f"{spend.total:.2f}"
    if spend.budget is not None:
        return words("spend.of", total=total, budget=f"{spend.budget:.2f}", left=f"{spend.left or 0:.2f}")
    return words("spend.total", total=total) if spend.total else words("spend.nothing")


def attention(state: Status, words: Words) -> list[str]:
    """Return a line for everything that an admin should look at, most urgent first; often nothing."""
    lines = [
        cause(release.model, Trouble.OTHER_ENCODER, words, encoder=escaped(encoder))
        for release, encoder in state.other_encoders
    ]
    lines += [
        words("finetune.status.cut_prompt", model=escaped(model), billed=billed, counted=counted)
        for model, billed, counted in state.cut_prompts
    ]
    lines += [aside_line(state.aside.by_person, words)] if state.aside.people else []
    lines += [words("budget.over")] if state.spend.left == 0 else []
    if state.overridden:
        who, note = state.overridden
        lines.append(words("finetune.status.overridden", who=mention(who) or escaped(who), note=one_line(note, 300)))
    if state.stale_threshold is not None:
        lines.append(words("unsure.stale", name=state.serving.name))
    lines += [
        words("finetune.status.forgotten", name=name, n=n)
        for name, n in state.forgotten.items()
        if name == state.serving.name
    ]
    if state.mirror and state.mirror.trouble:
        lines.append(words(f"tracker.{state.mirror.trouble}"))
    if state.unfit and any(release.id == state.serving.id for release in state.unfit):
        lines.append(words("spend.unfit", name=state.serving.name))
    lines += differences(state.replicas, words)
    return ["⚠️ " + line for line in lines] + unreadable(state.unreadable, words)


def differences(alive: Sequence[Replica], words: Words) -> list[str]:
    """Return in what the replicas differ; often in nothing."""
    lines = []
    if len({replica.release_id for replica in alive}) > 1:
        lines.append(words("finetune.status.releases_differ"))
    if len({replica.version for replica in alive}) > 1:
        lines.append(words("finetune.status.versions_differ"))
    return lines


# --- details


def paragraphs(state: Status, words: Words) -> list[str]:
    """Return everything that is known of the state, from the serving release and the rows to replicas and queues."""
    groups = [
        [technical(state.serving, words)],
        attention(state, words),
        category_lines(state, words),
        settler_lines(state, words),
        spend_lines(state, words),
        [words("finetune.status.forgotten", name=name, n=n) for name, n in state.forgotten.items()],
        ["\n    ".join(job_lines(finetune, words)) for finetune in state.finetunes],
        disagreements(state, words),
        replicas(state.replicas, words),
        mirror(state.mirror, words) if state.mirror else [],
        [queues(state, words)],
    ]
    return ["\n".join(lines) for lines in groups if lines]


def category_lines(state: Status, words: Words) -> list[str]:
    """Return the rows of each category, and how many of all the serving release was trained on."""
    lines = [words("details.status.rows", trained=state.trained, untrained=state.untrained)]
    for category, (train, held_out) in state.rows.items():
        name = name_of(state.prompt, category, words)
        lines.append(words("details.status.row", category=name, train=train, held_out=held_out))
    return lines


def settler_lines(state: Status, words: Words) -> list[str]:
    """Return how many rows each person settled, and on how many held-out ones two people agree."""
    lines = shares(state.settlers, state.current, words)
    agreed, held_out = state.seconded
    return [*lines, words("details.status.seconded", n=agreed, of=held_out)] if lines and held_out else lines


def spend_lines(state: Status, words: Words) -> list[str]:
    """Return the month's spend by kind, and the releases that no longer fit the current prompt."""
    spent_on, asked = state.spend, state.spend.asked
    amounts = {"finetunes": f"{spent_on.finetunes:.2f}", "answers": f"{spent_on.answers:.2f}"}
    answered = {"asked": asked.memory + asked.model, "memory": asked.memory, "model": asked.model}
    lines = [
        words("details.status.spend", since=day(spent_on.since), **amounts),
        words("details.status.asked", usd=f"{asked.usd:.2f}", **answered),
    ]
    if spent_on.unpriced:
        models = ", ".join(f"`{escaped(name)}`" for name in spent_on.unpriced)
        lines.append(words("details.status.unpriced", models=models))
    if state.current.id != state.prompt.id:
        lines.append(words("details.status.current", prompt=state.current.id[:12]))
    if state.unfit:
        names = ", ".join(release.name for release in state.unfit[:10])
        lines.append(words("details.status.unfit", prompt=state.current.id[:12], names=names))
    return lines


def disagreements(state: Status, words: Words) -> list[str]:
    """Return the pairs of categories that staff settle differently. The prompt lacks a rule there."""

    def name(category: str) -> str:
        # A retired category is still in the serving prompt.
        return name_of(state.current if state.current.category(category) else state.prompt, category, words)

    pairs = [
        words("details.status.pair", one=name(one), other=name(other), n=n) for one, other, n in state.disagreements
    ]
    return [words("details.status.pairs", pairs=" · ".join(pairs))] if pairs else []


def replicas(alive: Sequence[Replica], words: Words) -> list[str]:
    """Return which release each replica serves."""
    lines = [
        words(
            "details.status.replica",
            id=replica.id,
            version=escaped(replica.version),
            release=replica.release_id or "-",
            since=date(replica.started_at),
        )
        for replica in alive[:MOST_REPLICAS]
    ]
    return [words("details.status.replicas", n=len(alive)), *lines] if alive else []


def mirror(state: MirrorState, words: Words) -> list[str]:
    """Return how many entries the mirror still lacks, and what holds them up."""
    lines = [words("details.status.mirror", open=state.open, age=int(state.age.total_seconds()))]
    if not state.filled:
        lines.append(words("details.status.filling"))
    if state.private:
        lines.append(words("details.status.private", n=state.private))
    if state.untaken:
        lines.append(words("details.status.untaken", n=state.untaken))
    return lines


def queues(state: Status, words: Words) -> str:
    """Return how many questions there are, what waits to be answered or sent, and what was beyond the limit."""
    waiting = words(
        "details.status.queues",
        questions=state.questions,
        inbox=state.inbox_open,
        outbox=state.outbox_open,
        age=int(state.outbox_age.total_seconds()),
    )
    if not state.limited:
        return waiting
    limited = words("details.status.limited", n=state.limited)
    return f"{waiting}\n{limited}"
