"""`/finetune evaluate`: runs an evaluation, or starts it as a batch, and posts it with a picture and tables."""

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
from handlers.views import gate

log = logging.getLogger(__name__)


async def evaluate(call: Call) -> None:
    """Answer at once, and post the figures to the channel for long results when they are ready.

    The subcommand is `evaluate [release] [batch]`; the default release is the newest candidate.
    """
    acts = call.acts
    name, in_batch = parse_argument(call.argument)
    release = await acts.releasing.named(name) if name else await newest_candidate(call)
    channel_id = await call.channel()
    channel = f"<#{channel_id}>"
    seconds = await acts.evaluating.seconds(release)
    model = escaped(str(release.model))
    if in_batch and await acts.batching.start(release, call.spot.user, call.words.language, channel_id):
        await call.say(call.words("evaluate.batch", model=model, channel=channel))
        return
    if seconds > LONG_COMPARISON_SECONDS:
        minutes = max(1, round(seconds / 60))
        await call.say(
            call.words("evaluate.started", model=model, channel=channel, minutes=minutes, rate=f"{PER_SECOND:g}")
        )
    else:
        await call.say(call.words("evaluate.quick", model=model, channel=channel))
    evaluation = await acts.evaluating.evaluate(release)
    if acts.outbound:
        await acts.outbound.evaluated(release)
    await post_evaluation(call.context.client, channel_id, evaluation, call.words)
    if wrong := gate.still_wrong_lines(evaluation, call.words):
        await call.say("\n".join(wrong))  # in private: not everybody in the ops channel is an admin


def parse_argument(argument: str) -> tuple[str, bool]:
    """Return the release's name, empty if none is given, and whether it is evaluated in a batch."""
    names = [name.strip("`") for name in argument.split()]
    in_batch = bool(names) and names[-1].casefold() == "batch"
    return " ".join(names[:-1] if in_batch else names), in_batch


async def post_evaluation(client: AsyncWebClient, channel: str, evaluation: Evaluation, words: Words) -> None:
    """Post the figures as text, as a picture and as tables."""
    release, files = evaluation.release, dict[str, bytes]()
    if evaluation.card.rows:
        from handlers import pictures  # matplotlib would add a second to every start

        font = pictures.japanese_font()
        # In a thread, because drawing is slow and questions must not wait for it.
        picture = await asyncio.to_thread(pictures.evaluation_png, evaluation, words, font)
        files = {
            f"evaluation-{release.id}.png": picture,
            f"categories-{release.id}.csv": views.categories_table(evaluation),
        }
    if evaluation.changes or evaluation.filtered:
        files[f"changes-{release.id}.csv"] = views.changes_table(evaluation)
    await upload(client, channel, views.report(evaluation, words), files)


class BatchFollower:
    """Checks running batches, and posts the evaluation of each one that has ended."""

    def __init__(self, acts: Acts, client: AsyncWebClient) -> None:
        self._acts = acts
        self._client = client

    async def follow(self) -> None:
        """Check every running batch once. If Slack does not take a post, log it and go on with the next batch."""
        for batch, error in await self._acts.batching.follow():
            try:
                await self._post_result(batch, error)
            except (SlackApiError, *SLACK_FAILURES) as failure:
                log.warning("%s: the evaluation could not be posted to Slack: %s", batch.id, type(failure).__name__)

    async def _post_result(self, batch: Batch, error: str | None) -> None:
        words = Words(batch.language)
        release = await self._acts.releasing.named(batch.release_id)
        if error is None:
            try:
                # This also asks the model for the answers that the batch left out.
                evaluation = await self._acts.evaluating.evaluate(release)
            except (ModelError, Refused) as refused:
                error = str(refused)
                await self._acts.batching.save(batch, state=BatchState.FAILED)
            else:
                if self._acts.outbound:
                    await self._acts.outbound.evaluated(release)
                await post_evaluation(self._client, batch.channel, evaluation, words)
                await self._acts.batching.save(batch, state=BatchState.POSTED)
                return
        text = words("evaluate.batch_failed", model=escaped(str(release.model)), error=escaped(error, 500))
        await upload(self._client, batch.channel, text, {})


async def newest_candidate(call: Call) -> Release:
    """Return the newest candidate or shadow; the serving release if there is none."""
    choices = await call.acts.releasing.choices()
    states = {ReleaseState.CANDIDATE, ReleaseState.SHADOW}
    found = next((release for release in choices if release.state in states), None)
    return found or await call.acts.releasing.serving()


EVALUATION_STORY = Story(verbs={"evaluate": evaluate})
