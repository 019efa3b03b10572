"""`/finetune shadow`: a release that also answers every question, unseen, for comparison."""

from handlers.command import Call, Story
from handlers.texts.escape import escaped
from handlers.views import shadow as views


async def shadow(call: Call) -> None:
    """Carry out `shadow <release>|off`; without a word, report how the shadow agrees with the answers people got."""
    acts, name = call.acts, call.argument.strip("` ")
    if not name:
        await call.say(views.report_message(await acts.shadowing.report(), await acts.prompting.current(), call.words))
    elif name.lower() == "off":
        release = await acts.shadowing.stop(call.spot.user)
        await call.say(call.words("shadow.stopped", release=release.id, model=escaped(str(release.model))))
    else:
        named = await acts.releasing.named(name)
        release = await acts.shadowing.start(named.id, call.spot.user)
        facts = {"release": release.id, "model": escaped(str(release.model)), "per_day": acts.shadowing.per_day}
        await call.say(call.words("shadow.started", **facts))


SHADOW_STORY = Story(verbs={"shadow": shadow})
