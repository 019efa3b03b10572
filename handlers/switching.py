"""The story of what serves: switch, rollback."""

import logging

from bot.domain.errors import ModelError, Reason, Refused
from bot.domain.release import Release
from bot.domain.scorecard import Scorecard
from handlers.command import Call, Desk, Story
from handlers.views import finetune as views
from handlers.views.ids import FINETUNE_SWITCH

log = logging.getLogger(__name__)


async def switch(call: Call) -> None:
    """Without a name: a choice. With one: both releases are scored on the same held-out rows, then it serves."""
    desk = call.desk
    if not call.argument:
        await choose(call)
        return
    release = await desk.releasing.named(call.argument.strip("`"))
    serving = await desk.releasing.serving()
    if release.id == serving.id:
        raise Refused(Reason.ALREADY_SERVING, name=str(release.model))
    await desk.evaluating.probe(release)
    new, old = await desk.evaluating.score(release), await score(desk, serving)
    served = await desk.releasing.switch(release.id, call.spot.user)
    desk.wake()
    await call.say(views.switched(served, new, old, call.words), in_channel=desk.ops_channel is None)


async def score(desk: Desk, release: Release) -> Scorecard | None:
    """A release's scorecard, or None where its model does not answer: that must not keep anybody from leaving it."""
    try:
        return await desk.evaluating.score(release)
    except ModelError as error:
        log.warning("release %s could not be scored: %s", release.id, error)
        return None


async def choose(call: Call) -> None:
    desk = call.desk
    releases = await desk.releasing.choices()
    if not releases:
        await call.say(call.words("finetune.switch.none"))
        return
    serving = await score(desk, await desk.releasing.serving())
    scored = [(release, await score(desk, release)) for release in releases[: views.MOST_CHOICES]]
    await call.say(views.choices(scored, serving, call.words))


async def rollback(call: Call) -> None:
    release = await call.desk.releasing.rollback(call.spot.user)
    call.desk.wake()
    text = call.words("finetune.rolled_back", model=str(release.model), release=release.id)
    await call.say(text, in_channel=call.desk.ops_channel is None)


STORY = Story(verbs={"switch": switch, "rollback": rollback}, presses={FINETUNE_SWITCH: switch})
