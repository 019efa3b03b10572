"""`/finetune switch` and `rollback`: switch the serving release through the gate, override the gate, go back."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Reason, Refused
from bot.domain.gate import LEAST_SENTENCE
from handlers.command import Call, Story
from handlers.slack.shapes import entered
from handlers.texts.typed import BECAUSE
from handlers.views import evaluation as tables
from handlers.views import finetune as views
from handlers.views import gate
from handlers.views.comparison import CHANGES_SHOWN
from handlers.views.ids import (
    FINETUNE_OVERRIDE,
    FINETUNE_ROLLBACK,
    FINETUNE_SWITCH,
    OVERRIDE_MODAL,
    SENTENCE_INPUT,
    Override,
)
from handlers.views.version import version

LONG_COMPARISON_SECONDS = 5.0
"""Expected duration, in seconds, from which people are told beforehand how long a comparison takes."""


async def switch(call: Call) -> None:
    """Carry out `switch [release [because <sentence>]]`.

    Without a release, offer a choice. A sentence overrides the gate.
    """
    if not call.argument:
        await offer_choices(call)
        return
    name, _, sentence = call.argument.partition(f" {BECAUSE} ")
    await try_switch(call, name.strip(), sentence)


async def try_switch(call: Call, name: str, sentence: str = "") -> None:
    """Let a release serve, or say in plain words what speaks against it.

    Args:
        call: The call to answer.
        name: The release.
        sentence: The reason for an override of the gate; empty for none.

    Raises:
        Refused: ALREADY_SERVING, UNKNOWN_RELEASE, AMBIGUOUS_RELEASE or NOT_SUCCEEDED.
    """
    acts = call.acts
    release = await acts.releasing.named(name)
    if release.id == (await acts.releasing.serving()).id:
        raise Refused(Reason.ALREADY_SERVING, name=release.name)
    seconds = await acts.evaluating.seconds(release)
    if seconds > LONG_COMPARISON_SECONDS:
        await call.say(call.words("evaluate.comparing", minutes=max(1, round(seconds / 60))))
    result = await acts.releasing.switch_if_better(acts.evaluating, release, call.spot.user, sentence=sentence)
    await acts.proposing.note(result.evaluation)
    acts.glancing.forget()
    if result.served:
        call.context.wake.follow()
        message = gate.switched(result.served, result.evaluation, call.words)
        await call.say(message, in_channel=call.context.ops_channel is None)
    else:
        await call.say(gate.refused(result.evaluation, call.words))
    if len(result.evaluation.broken) > CHANGES_SHOWN:
        title = call.words("gate.broken.file", name=release.name)
        table, shown = tables.changes_table(result.evaluation), tables.rows_in_changes(result.evaluation)
        await call.upload(title, {f"changes-{release.name}.csv": table}, shown)


async def offer_choices(call: Call) -> None:
    acts = call.acts
    releases = await acts.releasing.choices()
    if not releases:
        await call.say(call.words("finetune.switch.none"))
        return
    serving = await acts.evaluating.known(await acts.releasing.serving())
    offered = [acts.thresholding.applied(release) for release in releases[: views.RELEASES_OFFERED]]
    scored = [(release, await acts.evaluating.known(release)) for release in offered]
    await call.say(views.choices(scored, serving, call.words))


async def open_override(call: Call) -> None:
    """Open the form for the sentence of an override."""
    release = await call.acts.releasing.named(call.argument)
    await call.context.client.views_open(
        trigger_id=call.trigger, view=gate.form(release, call.words, channel=call.spot.channel, thread=call.spot.thread)
    )


async def submit_override(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    sentence = (entered(view, SENTENCE_INPUT).get("value") or "").strip()
    if len(sentence) < LEAST_SENTENCE:
        await ack(
            response_action="errors", errors={SENTENCE_INPUT: call.words("gate.override.hint", least=LEAST_SENTENCE)}
        )
        return
    await ack()
    await try_switch(call, Override.unpacked(view["private_metadata"]).release, sentence)


async def rollback(call: Call) -> None:
    release = await call.acts.releasing.rollback(call.spot.user)
    call.context.wake.follow()
    text = call.words("finetune.rolled_back", version=version(release, call.words))
    await call.say(text, in_channel=call.context.ops_channel is None)


async def press_rollback(call: Call) -> None:
    """Go back, if the release that the button names still serves: the message may be old.

    Raises:
        Refused: SERVING_CHANGED, NO_PREVIOUS_RELEASE.
    """
    release = await call.acts.releasing.rollback(call.spot.user, over=call.argument)
    call.context.wake.follow()
    await call.say(call.words("finetune.rolled_back", version=version(release, call.words)), in_channel=call.shared)


SWITCHING_STORY = Story(
    verbs={"switch": switch, "rollback": rollback},
    presses={FINETUNE_SWITCH: switch, FINETUNE_OVERRIDE: open_override, FINETUNE_ROLLBACK: press_rollback},
    forms={OVERRIDE_MODAL: submit_override},
    free=frozenset({"switch"}),
)
