"""The story of an evaluation: asked for, done in the background, posted with a picture and tables."""

import asyncio
import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts
from bot.domain.batch import Batch, BatchState
from bot.domain.errors import ModelError, Refused
from bot.domain.evaluation import Evaluation
from bot.domain.release import Release, ReleaseState
from bot.releases.evaluating import PER_SECOND
from handlers.command import Call, Story, upload
from handlers.slack.failures import SLACK_FAILURES
from handlers.switching import LONG_COMPARISON_SECONDS
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views import evaluation as views

log = logging.getLogger(__name__)


async def evaluate(call: Call) -> None:
    """Answer at once, and post the figures where others of the desk see them."""
    acts = call.acts
    name, in_batch = wanted(call.argument)
    release = await acts.releasing.named(name) if name else await newest(call)
    posted = await call.channel()
    channel = f"<#{posted}>"
    seconds = await acts.evaluating.seconds(release)
    model = escaped(str(release.model))
    if in_batch and await acts.batching.start(release, call.spot.user, call.words.language, posted):
        await call.say(call.words("evaluate.batch", model=model, channel=channel))
        return
    if seconds > LONG_COMPARISON_SECONDS:
        minutes = max(1, round(seconds / 60))
        await call.say(
            call.words("evaluate.started", model=model, channel=channel, minutes=minutes, rate=f"{PER_SECOND:g}")
        )
    else:
        await call.say(call.words("evaluate.quick", model=model, channel=channel))
    judged = await acts.evaluating.evaluate(release)
    if acts.outbound:
        await acts.outbound.evaluated(release)
    await post(call.context.client, posted, judged, call.words)


def wanted(argument: str) -> tuple[str, bool]:
    """The release's name, where one is given, and whether it is to be asked in a batch."""
    names = [name.strip("`") for name in argument.split()]
    in_batch = names[-1:] == ["batch"]
    return " ".join(names[:-1] if in_batch else names), in_batch


async def post(client: AsyncWebClient, channel: str, judged: Evaluation, words: Words) -> None:
    """The figures in words, as a picture and as tables."""
    release, files = judged.release, dict[str, bytes]()
    if judged.card.rows:
        from handlers import pictures  # a second of a start, for what is seldom drawn

        font = pictures.japanese_font()
        # Drawing takes a while, and the first time it looks for fonts: questions must not wait for it.
        picture = await asyncio.to_thread(pictures.evaluation_png, judged, words, font)
        files = {
            f"evaluation-{release.id}.png": picture,
            f"categories-{release.id}.csv": views.categories_table(judged),
        }
    if judged.changes:
        files[f"changes-{release.id}.csv"] = views.changes_table(judged)
    await upload(client, channel, views.report(judged, words), files)


class BatchFollower:
    """Follows batches, and posts each one's evaluation as any other."""

    def __init__(self, acts: Acts, client: AsyncWebClient) -> None:
        self._acts = acts
        self._client = client

    async def follow(self) -> None:
        """One step of all of them."""
        for batch, error in await self._acts.batching.follow():
            try:
                await self._tell(batch, error)
            except (SlackApiError, *SLACK_FAILURES) as trouble:
                log.warning("%s: Slack did not take its evaluation: %s", batch.id, type(trouble).__name__)

    async def _tell(self, batch: Batch, error: str | None) -> None:
        words = Words(batch.language)
        release = await self._acts.releasing.named(batch.release_id)
        if error is None:
            try:
                # What the batch left unanswered is asked now.
                judged = await self._acts.evaluating.evaluate(release)
            except (ModelError, Refused) as refused:
                error = str(refused)
                await self._acts.batching.save(batch, state=BatchState.FAILED)
            else:
                if self._acts.outbound:
                    await self._acts.outbound.evaluated(release)
                await post(self._client, batch.channel, judged, words)
                await self._acts.batching.save(batch, state=BatchState.POSTED)
                return
        text = words("evaluate.batch_failed", model=escaped(str(release.model)), error=escaped(error, 500))
        await upload(self._client, batch.channel, text, {})


async def newest(call: Call) -> Release:
    """The newest candidate; the serving release where there is none."""
    choices = await call.acts.releasing.choices()
    wanted = {ReleaseState.CANDIDATE, ReleaseState.SHADOW}
    return next((r for r in choices if r.state in wanted), None) or await call.acts.releasing.serving()


EVALUATION_STORY = Story(verbs={"evaluate": evaluate})
