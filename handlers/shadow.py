"""`/finetune shadow`: a release that also answers every question, unseen, for comparison."""

from handlers.command import Call, Story
from handlers.views import shadow as views
from handlers.views.ids import SHADOW_STOP
from handlers.views.version import version

OFF = "off"


async def shadow(call: Call) -> None:
    """Carry out `shadow <version>|off`; without a word, report how the shadow agrees with the answers people got."""
    acts = call.acts
    if not call.argument:
        await call.say(views.report_message(await acts.shadowing.report(), call.words))
    elif call.argument.casefold() == OFF:
        await stop(call)
    else:
        named = await acts.releasing.named(call.argument)
        release = await acts.shadowing.start(named.id, call.spot.user)
        facts = {"version": version(release, call.words), "per_day": acts.shadowing.per_day}
        await call.say(call.words("shadow.started", **facts))


async def stop(call: Call) -> None:
    release = await call.acts.shadowing.stop(call.spot.user)
    await call.say(call.words("shadow.stopped", name=release.name))


SHADOW_STORY = Story(verbs={"shadow": shadow}, presses={SHADOW_STOP: stop}, free=frozenset({"shadow"}))
