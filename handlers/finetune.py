"""The fine-tune subcommands of /finetune: export, start, status, cancel, consent, audit."""

from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Reason, Refused
from bot.domain.release import EMBEDDED, ModelName
from handlers import home
from handlers.command import Call, Story, Verb
from handlers.texts.escape import mention
from handlers.texts.words import Words
from handlers.views import finetune as views
from handlers.views import permission as permission_views
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
    PERMISSION_ASK,
    PERMISSION_FORM,
    PERMISSION_WITHDRAW,
    PROPOSAL_AGREE,
    PROPOSAL_DECLINE,
    PermissionForm,
    TrainingStep,
)

AUDIT_ENTRIES = 20
"""How many entries of the audit log are shown."""


async def export(call: Call) -> None:
    """Upload the training file and its manifest to the ops channel, else to a DM with the person."""
    frozen = await call.acts.exporting.export()
    await call.acts.auditing.exported(call.spot.user, frozen.manifest)
    text = views.exported(frozen.manifest, await call.acts.prompting.current(), call.words)
    name = call.acts.exporting.named(frozen.manifest)
    manifest = frozen.manifest.model_dump_json(indent=2) + "\n"
    files = {f"{name}.jsonl": frozen.data, f"{name}.manifest.json": manifest.encode()}
    named = {*frozen.manifest.settlers, *frozen.manifest.aside}
    await call.upload(text, files, [*frozen.texts, *named])
    where = call.words("finetune.export.where", channel=f"<#{await call.channel()}>")
    await call.say(f"{text}\n{where}")


async def permits(call: Call, step: TrainingStep, finetune_id: str | None = None) -> bool:
    """Return whether training is allowed; if not, ask for it in a modal, which goes on with `step`.

    Args:
        call: The command or press.
        step: The step that needs the permission.
        finetune_id: The planned fine-tune that it is about; None if there is none yet.

    Raises:
        Refused: TRAINING_NOT_ALLOWED, where no modal can be opened.
    """
    planned = await call.acts.planning.planned(finetune_id) if finetune_id else None
    permission = await call.acts.permitting.permission(planned[0].student if planned else None)
    if permission.allowed:
        return True
    if not call.trigger:
        raise Refused(Reason.TRAINING_NOT_ALLOWED)
    place = {"channel": call.spot.channel, "thread": call.spot.thread}
    private = PermissionForm(student=str(permission.student), step=step, id=finetune_id or "", **place)
    view = permission_views.form(permission, private, call.words)
    await call.context.client.views_open(trigger_id=call.trigger, view=view)
    return False


async def ask_permission(call: Call) -> None:
    """Open the form that allows training, or say that it is allowed already."""
    if await permits(call, TrainingStep.NOTHING):
        await call.say(permission_views.standing(await call.acts.permitting.permission(), call.words))


async def consent(call: Call) -> None:
    """Show whether training is allowed, and since when."""
    await call.say(permission_views.standing(await call.acts.permitting.permission(), call.words))


async def allow(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    """Store that the company allows training, and go on with what the person wanted to do."""
    await ack()
    private = PermissionForm.unpacked(view["private_metadata"])
    await call.acts.permitting.allow(call.spot.user, ModelName.parse(private.student))
    call.acts.glancing.forget()
    step = NEXT_STEPS.get(private.step)
    if step is None:
        await call.say(call.words("permission.thanks"))
    else:
        await step(replace(call, argument=private.id))
    await home.publish_if_open(call.context, call.spot.user)


async def withdraw(call: Call) -> None:
    """Take the permission to train back."""
    await call.acts.permitting.withdraw(call.spot.user, ModelName.parse(call.argument))
    call.acts.glancing.forget()
    await call.say(call.words("permission.withdrawn"), replace=True)
    await home.publish_if_open(call.context, call.spot.user)


async def start(call: Call) -> None:
    """Show what a training would take and cost."""
    if not await permits(call, TrainingStep.PLAN):
        return
    finetune, frozen = await call.acts.planning.plan(call.spot.user, call.words.language)
    await call.say(training.plan(finetune, frozen.manifest, await call.acts.prompting.current(), call.words))


async def confirm(call: Call) -> None:
    """Start the training that was planned."""
    if not await permits(call, TrainingStep.CONFIRM, call.argument):
        return
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
    if not await permits(call, TrainingStep.AGREE, call.argument):
        return
    await call.acts.proposing.agree(call.argument, call.spot.user)
    call.context.wake.follow()
    call.context.wake.deliverers()
    await home.publish_if_open(call.context, call.spot.user)


async def train(call: Call) -> None:
    """Train at once where that is free; otherwise show the plan with its price."""
    if not await permits(call, TrainingStep.TRAIN):
        return
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


NEXT_STEPS: dict[TrainingStep, Verb] = {
    TrainingStep.PLAN: start,
    TrainingStep.TRAIN: train,
    TrainingStep.CONFIRM: confirm,
    TrainingStep.AGREE: agree,
}
"""Interrupted step → the verb that takes it up once training is allowed."""

FINETUNE_STORY = Story(
    verbs={
        "export": export,
        "start": start,
        "status": status,
        "cancel": cancel,
        "consent": consent,
        "audit": audit,
    },
    presses={
        FINETUNE_PLAN: start,
        FINETUNE_CONFIRM: confirm,
        FINETUNE_DISMISS: dismiss,
        FINETUNE_CANCEL: cancel_stalled,
        FINETUNE_WAIT: wait_on,
        PROPOSAL_AGREE: agree,
        PROPOSAL_DECLINE: decline,
        HOME_TRAIN: train,
        PERMISSION_ASK: ask_permission,
        PERMISSION_WITHDRAW: withdraw,
    },
    forms={PERMISSION_FORM: allow},
)
