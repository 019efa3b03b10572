"""A fine-tune in a few plain lines: its plan, its progress, its end; and the details of it."""

from bot.domain.dataset import Manifest
from bot.domain.finetune import UNDER_WAY, Finetune, FinetuneState
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.finetune import left_out, per_category, without_rows
from handlers.views.gate import switch_button
from handlers.views.ids import (
    FINETUNE_CANCEL,
    FINETUNE_COMPARE,
    FINETUNE_CONFIRM,
    FINETUNE_DISMISS,
    FINETUNE_WAIT,
    NamedPayload,
)
from handlers.views.message import Block, Message, button, date
from handlers.views.settlers import look_button, shares
from handlers.views.version import version

AZURE_INFIX = ".ft-"
"""Part of the name of every model that was trained at Azure."""
ERROR_SHOWN = 300
"""Maximum length of a provider's error in a message, in characters; the details have more of it."""


def plan(finetune: Finetune, manifest: Manifest, prompt: Prompt, words: Words) -> Message:
    """Return what a planned fine-tune takes and costs, with the buttons to start or dismiss it."""
    lines = [words("finetune.plan.title", n=manifest.rows), cost(finetune, words)]
    lines += without_rows(manifest.per_category, prompt, words)
    lines += left_out(manifest, words)
    payload = NamedPayload(id=finetune.id).packed()
    buttons = [
        button(words("finetune.plan.confirm"), FINETUNE_CONFIRM, payload, style="primary"),
        button(words("finetune.plan.dismiss"), FINETUNE_DISMISS, payload),
        *([look_button(words)] if manifest.aside else []),
        _details(finetune, words),
    ]
    return brief(lines, buttons, f"finetune:{finetune.id}")


def cost(finetune: Finetune, words: Words) -> str:
    """Return what a fine-tune costs by the estimate."""
    usd = finetune.estimate.usd
    if usd is None:
        return words("finetune.plan.no_price")
    return words("finetune.plan.price", usd=f"{usd:.2f}") if usd else words("finetune.plan.free")


def progress(finetune: Finetune, words: Words) -> Message:
    """Return the message that shows how a fine-tune stands."""
    state = words(f"finetune.state.{finetune.state.value}")
    lines = [words("progress.title", state=state, n=finetune.estimate.rows)]
    if finetune.reads_file:
        lines.append(words("progress.reading", since=date(finetune.last_progress)))
    lines.append(words("progress.asked", who=f"<@{finetune.requested_by}>", at=date(finetune.created_at)))
    return brief(lines, [_details(finetune, words)], f"progress:{finetune.id}")


def stalled(finetune: Finetune, words: Words) -> Message:
    """Return the question whether to wait any longer for a fine-tune that does not go on."""
    facts = {"who": f"<@{finetune.requested_by}>", "last": date(finetune.last_progress)}
    text = words("progress.stalled_file" if finetune.reads_file else "progress.stalled", **facts)
    payload = NamedPayload(id=finetune.id).packed()
    buttons = [
        button(words("progress.cancel"), FINETUNE_CANCEL, payload),
        button(words("progress.wait"), FINETUNE_WAIT, payload),
        _details(finetune, words),
    ]
    return brief([text, words("progress.once")], buttons, f"stalled:{finetune.id}")


def ended(finetune: Finetune, release: Release | None, words: Words) -> Message:
    """Return the message that tells the requester how a fine-tune ended, with the next step as a button.

    Args:
        finetune: The fine-tune that has ended.
        release: The version that it made; None if it made none.
        words: The requester's language.
    """
    who, buttons = f"<@{finetune.requested_by}>", list[Block]()
    if finetune.state is FinetuneState.SUCCEEDED and release:
        lines = [words("progress.succeeded", who=who, version=version(release, words))]
        if AZURE_INFIX in release.model.model:
            lines.append(words("progress.deploy", name=escaped(release.model.model)))
        compare = button(words("progress.compare"), FINETUNE_COMPARE, NamedPayload(id=release.id).packed())
        buttons = [switch_button(release, words), compare]
    elif finetune.state is FinetuneState.CANCELLED:
        lines = [words("progress.cancelled", who=who)]
    else:
        error = escaped(finetune.error or "", ERROR_SHOWN) or words("progress.no_reason")
        lines = [words("progress.failed", who=who), words("progress.error", text=error)]
    return brief(lines, [*buttons, _details(finetune, words)], f"ended:{finetune.id}")


def paragraphs(finetune: Finetune, manifest: Manifest, prompt: Prompt, words: Words) -> list[str]:
    """Return everything that is known of a fine-tune: its rows, its estimate, its job."""
    estimate = finetune.estimate
    rows = [
        words("details.training.rows", rows=manifest.rows, held_out=manifest.held_out),
        *per_category(manifest.per_category, prompt, words),
        *(words(f"details.left_out.{why}", n=n) for why, n in manifest.left_out.items()),
    ]
    settled = shares(manifest.settlers, prompt, words)
    priced = [words("details.training.tokens", tokens=f"{estimate.tokens:,}", epochs=estimate.epochs)]
    if estimate.usd is not None and estimate.price_date:
        priced.append(words("details.training.price", usd=f"{estimate.usd:.4f}", date=estimate.price_date))
    return [
        "\n".join(rows),
        *(["\n".join(settled)] if settled else []),
        "\n".join([*priced, *job_lines(finetune, words)]),
    ]


def job_lines(finetune: Finetune, words: Words) -> list[str]:
    """Return the ids, the times and the provider's words of a fine-tune, for the details."""
    state = words(f"finetune.state.{finetune.state.value}")
    facts = {"id": finetune.id, "state": state, "model": escaped(str(finetune.student))}
    lines = [words("details.training.job", rows=finetune.estimate.rows, **facts), times(finetune, words)]
    if finetune.reads_file:
        lines.append(words("progress.reading", since=date(finetune.last_progress)))
    if finetune.progress and finetune.state in UNDER_WAY:
        lines.append(words("details.training.said", text=escaped(finetune.progress, 500)))
    if finetune.model:
        lines.append(words("details.training.model", model=escaped(str(finetune.model))))
    if finetune.error:
        lines.append(words("progress.error", text=escaped(finetune.error, 500)))
    lines.append(words("details.training.data", dataset=finetune.dataset_id, prompt=finetune.prompt_id[:12]))
    return lines


def times(finetune: Finetune, words: Words) -> str:
    """Return when a fine-tune started, and when it last went on or ended."""
    key = "details.training.moved" if finetune.state in UNDER_WAY else "details.training.ended"
    started = date(finetune.started_at or finetune.created_at)
    stalled = " ⚠️" if finetune.stalled_at and finetune.state in UNDER_WAY else ""
    return words(key, started=started, last=date(finetune.last_progress)) + stalled


def _details(finetune: Finetune, words: Words) -> Block:
    return details_button(DetailsOf.TRAINING, finetune.id, words)
