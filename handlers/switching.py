"""The story of what serves: switch through the gate, override it, rollback."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Reason, Refused
from bot.domain.gate import LEAST_SENTENCE
from handlers.command import Call, Story
from handlers.views import evaluation as tables
from handlers.views import finetune as views
from handlers.views import gate
from handlers.views.ids import (
    FINETUNE_OVERRIDE,
    FINETUNE_SWITCH,
    OVERRIDE_MODAL,
    SENTENCE_INPUT,
    Override,
)

BECAUSE = " because "
"""Between a release's name and the sentence of an override."""
LONG_COMPARISON_SECONDS = 5.0
"""Seconds of a comparison that are announced before."""


async def switch(call: Call) -> None:
    """Without a name: a choice. With one: the gate, or with a sentence after `because` over it."""
    if not call.argument:
        await choose(call)
        return
    name, _, sentence = call.argument.partition(BECAUSE)
    await attempt(call, name.strip().strip("`"), sentence)


async def attempt(call: Call, name: str, sentence: str = "") -> None:
    """Let a release serve, or show the rule and the numbers for which it does not."""
    acts = call.acts
    release = await acts.releasing.named(name)
    if release.id == (await acts.releasing.serving()).id:
        raise Refused(Reason.ALREADY_SERVING, name=str(release.model))
    seconds = await acts.evaluating.seconds(release)
    if seconds > LONG_COMPARISON_SECONDS:
        await call.say(call.words("evaluate.comparing", minutes=max(1, round(seconds / 60))))
    made = await acts.switching.switch(release, call.spot.user, sentence=sentence)
    if made.served:
        call.context.wake.follow()
        shown = gate.switched(made.served, made.evaluation, call.words)
        await call.say(shown, in_channel=call.context.ops_channel is None)
    else:
        await call.say(gate.refused(made.evaluation, call.words))
    if len(made.evaluation.broken) > gate.BROKEN_SHOWN:
        title = call.words("gate.broken.file", model=str(release.model))
        await call.upload(title, {f"changes-{release.id}.csv": tables.changes_table(made.evaluation)})


async def choose(call: Call) -> None:
    acts = call.acts
    releases = await acts.releasing.choices()
    if not releases:
        await call.say(call.words("finetune.switch.none"))
        return
    serving = await acts.evaluating.known(await acts.releasing.serving())
    scored = [(release, await acts.evaluating.known(release)) for release in releases[: views.RELEASES_OFFERED]]
    await call.say(views.choices(scored, serving, call.words))


async def override(call: Call) -> None:
    """Open the form for the sentence."""
    release = await call.acts.releasing.named(call.argument)
    await call.context.client.views_open(
        trigger_id=call.trigger, view=gate.form(release, call.words, channel=call.spot.channel, thread=call.spot.thread)
    )


async def overridden(call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None:
    sentence = (view["state"]["values"][SENTENCE_INPUT][SENTENCE_INPUT].get("value") or "").strip()
    if len(sentence) < LEAST_SENTENCE:
        await ack(
            response_action="errors", errors={SENTENCE_INPUT: call.words("gate.override.hint", least=LEAST_SENTENCE)}
        )
        return
    await ack()
    await attempt(call, Override.unpacked(view["private_metadata"]).release, sentence)


async def rollback(call: Call) -> None:
    release = await call.acts.releasing.rollback(call.spot.user)
    call.context.wake.follow()
    text = call.words("finetune.rolled_back", model=str(release.model), release=release.id)
    await call.say(text, in_channel=call.context.ops_channel is None)


SWITCHING_STORY = Story(
    verbs={"switch": switch, "rollback": rollback},
    presses={FINETUNE_SWITCH: switch, FINETUNE_OVERRIDE: override},
    forms={OVERRIDE_MODAL: overridden},
)
