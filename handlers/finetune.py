"""The fine-tune subcommands of /finetune: export, start, status, cancel, audit."""

from bot.domain.release import EMBEDDED
from handlers import home
from handlers.command import Call, Story
from handlers.texts.escape import mention
from handlers.texts.words import Words
from handlers.views import finetune as views
from handlers.views import status as status_views
from handlers.views import training
from handlers.views.audit import audit_message
from handlers.views.ids import (
    FINETUNE_CANCEL,
    FINETUNE_CONFIRM,
    FINETUNE_DISMISS,
    FINETUNE_PLAN,
    FINETUNE_WAIT,
    HOME_TRAIN,
    PROPOSAL_AGREE,
    PROPOSAL_DECLINE,
)

AUDIT_ENTRIES = 20
"""How many entries of the audit log are shown."""


async def export(call: Call) -> None:
    """Upload the training file and its manifest to the ops channel, else to a DM with the person."""
    frozen = await call.acts.exporting.export()
    await call.acts.auditing.exported(call.spot.user, frozen.manifest)
    text = views.exported(frozen.manifest, await call.acts.prompting.current(), call.words)
    name = f"madoguchi-{frozen.manifest.id[:12]}"
    manifest = frozen.manifest.model_dump_json(indent=2) + "\n"
    await call.upload(text, {f"{name}.jsonl": frozen.data, f"{name}.manifest.json": manifest.encode()})
    where = call.words("finetune.export.where", channel=f"<#{await call.channel()}>")
    await call.say(f"{text}\n{where}")


async def start(call: Call) -> None:
    finetune, frozen = await call.acts.planning.plan(call.spot.user, call.words.language)
    await call.say(training.plan(finetune, frozen.manifest, await call.acts.prompting.current(), call.words))


async def confirm(call: Call) -> None:
    await call.acts.starting.confirm(call.argument, call.spot.user)
    call.context.wake.follow()
    await call.say(call.words("finetune.started"), replace=True)


async def dismiss(call: Call) -> None:
    await call.say(call.words("finetune.dismissed"), replace=True)


async def status(call: Call) -> None:
    state = await call.acts.reporting.status()
    await call.say(status_views.status(state, await call.acts.evaluating.known(state.serving), call.words))


async def cancel(call: Call) -> None:
    await call.acts.following.cancel(call.spot.user)
    call.context.wake.follow()
    await call.say(call.words("finetune.cancelled"))


async def cancel_stalled(call: Call) -> None:
    """Cancel the fine-tune of a message that everybody sees, and say there who did."""
    finetune = await call.acts.following.cancel(call.spot.user, call.argument)
    call.context.wake.follow()
    text = Words(finetune.language)("finetune.cancelled_by", who=mention(call.spot.user))
    await call.say(text, in_channel=True, replace=True)


async def wait_on(call: Call) -> None:
    """Leave the fine-tune alone, and say so in place of the question."""
    finetune = await call.acts.following.under_way(call.argument)
    text = Words(finetune.language)("finetune.waits", who=mention(call.spot.user))
    await call.say(text, in_channel=True, replace=True)


async def audit(call: Call) -> None:
    """Show the newest entries of the audit log: who did what."""
    entries, people = await call.acts.auditing.last(AUDIT_ENTRIES)
    await call.say(audit_message(entries, people, call.words))


async def agree(call: Call) -> None:
    """Start the paid training that was proposed."""
    await call.acts.proposing.agree(call.argument, call.spot.user)
    call.context.wake.follow()
    call.context.wake.deliverers()
    await home.publish_if_open(call.context, call.spot.user)


async def train(call: Call) -> None:
    """Train at once where that is free; otherwise show the plan with its price."""
    finetune, frozen = await call.acts.planning.plan(call.spot.user, call.words.language)
    if finetune.student.provider != EMBEDDED:
        await call.say(training.plan(finetune, frozen.manifest, await call.acts.prompting.current(), call.words))
        return
    await call.acts.starting.confirm(finetune.id, call.spot.user)
    call.context.wake.follow()
    call.acts.glancing.forget()
    await home.publish_if_open(call.context, call.spot.user)


async def decline(call: Call) -> None:
    """Leave a proposal for later. Its message says so."""
    await call.acts.proposing.decline(call.argument, call.spot.user)
    call.context.wake.deliverers()
    await home.publish_if_open(call.context, call.spot.user)


FINETUNE_STORY = Story(
    verbs={"export": export, "start": start, "status": status, "cancel": cancel, "audit": audit},
    presses={
        FINETUNE_PLAN: start,
        FINETUNE_CONFIRM: confirm,
        FINETUNE_DISMISS: dismiss,
        FINETUNE_CANCEL: cancel_stalled,
        FINETUNE_WAIT: wait_on,
        PROPOSAL_AGREE: agree,
        PROPOSAL_DECLINE: decline,
        HOME_TRAIN: train,
    },
)
