"""The messages about a fine-tune's progress and its end."""

from bot.domain.finetune import Finetune, FinetuneState
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.finetune import NamedPayload
from handlers.views.ids import FINETUNE_CANCEL, FINETUNE_WAIT
from handlers.views.message import Message, button, context, date, section

AZURE_INFIX = ".ft-"
"""What stands within the name of every model that was trained at Azure."""


def progress(finetune: Finetune, words: Words) -> Message:
    """Return the message that shows a fine-tune's progress."""
    state = words(f"finetune.state.{finetune.state.value}")
    title = words("progress.title", id=finetune.id, state=state)
    facts = [words("progress.student", model=escaped(str(finetune.student)), rows=finetune.estimate.rows)]
    if finetune.reads_file:
        facts.append(words("progress.reading", since=date(finetune.last_progress)))
    if finetune.progress:
        facts.append(words("progress.said", text=escaped(finetune.progress, 500)))
    if finetune.model:
        facts.append(words("progress.model", model=escaped(str(finetune.model))))
    if finetune.error:
        facts.append(words("progress.error", text=escaped(finetune.error, 500)))
    asked = words("progress.asked", who=f"<@{finetune.requested_by}>", at=date(finetune.created_at))
    return Message(title, [section(f"*{title}*\n" + "\n".join(facts), verbatim=True), context(asked)])


def stalled(finetune: Finetune, words: Words) -> Message:
    """Return the question whether to wait any longer for a fine-tune that does not go on."""
    facts = {"who": f"<@{finetune.requested_by}>", "id": finetune.id, "last": date(finetune.last_progress)}
    text = words("progress.stalled_file" if finetune.reads_file else "progress.stalled", **facts)
    payload = NamedPayload(id=finetune.id).packed()
    buttons = {
        "type": "actions",
        "block_id": f"stalled:{finetune.id}",
        "elements": [
            button(words("progress.cancel"), FINETUNE_CANCEL, payload, style="danger"),
            button(words("progress.wait"), FINETUNE_WAIT, payload),
        ],
    }
    return Message(text, [section(text, verbatim=True), context(words("progress.times")), buttons])


def ended(finetune: Finetune, words: Words) -> Message:
    """Return the message that tells the requester how a fine-tune ended and what to do next."""
    who = f"<@{finetune.requested_by}>"
    if finetune.state is FinetuneState.SUCCEEDED and finetune.model:
        text = words("progress.succeeded", who=who, id=finetune.id, model=escaped(str(finetune.model)))
        if AZURE_INFIX in finetune.model.model:
            text += "\n" + words("progress.deploy", name=escaped(finetune.model.model))
    elif finetune.state is FinetuneState.CANCELLED:
        text = words("progress.cancelled", who=who, id=finetune.id)
    else:
        error = escaped(finetune.error or "", 500) or words("progress.no_reason")
        text = words("progress.failed", who=who, id=finetune.id, error=error)
    return Message(text, [section(text, verbatim=True)])
