"""The story of an evaluation: asked for, done in the background, posted with a picture and tables."""

import asyncio

from bot.domain.release import Release, ReleaseState
from bot.evaluating import PER_SECOND
from handlers import pictures
from handlers.command import Call, Story
from handlers.escape import escaped
from handlers.switching import LONG
from handlers.views import evaluation as views


async def evaluate(call: Call) -> None:
    """Answer at once, and post the figures where others of the desk see them."""
    desk = call.desk
    release = await desk.releasing.named(call.argument.strip("`")) if call.argument else await newest(call)
    channel = f"<#{await call.channel()}>"
    seconds = await desk.evaluating.seconds(release)
    model = escaped(str(release.model))
    if seconds > LONG:
        minutes = max(1, round(seconds / 60))
        await call.say(
            call.words("evaluate.started", model=model, channel=channel, minutes=minutes, rate=f"{PER_SECOND:g}")
        )
    else:
        await call.say(call.words("evaluate.quick", model=model, channel=channel))
    judged = await desk.evaluating.evaluate(release)
    files = {}
    if judged.card.rows:
        font = pictures.japanese_font()
        # Drawing takes a while, and the first time it looks for fonts: questions must not wait for it.
        picture = await asyncio.to_thread(pictures.evaluation_png, judged, call.words, font)
        files = {
            f"evaluation-{release.id}.png": picture,
            f"categories-{release.id}.csv": views.categories_table(judged),
        }
    if judged.changes:
        files[f"changes-{release.id}.csv"] = views.changes_table(judged)
    await call.upload(views.report(judged, call.words), files)


async def newest(call: Call) -> Release:
    """The newest candidate; the serving release where there is none."""
    choices = await call.desk.releasing.choices()
    wanted = {ReleaseState.CANDIDATE, ReleaseState.SHADOW}
    return next((r for r in choices if r.state in wanted), None) or await call.desk.releasing.serving()


STORY = Story(verbs={"evaluate": evaluate})
