"""`/finetune evaluate`: runs an evaluation, or starts it as a batch, and posts it with a picture and tables."""

import asyncio
import logging
from importlib.util import find_spec

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts
from bot.domain.batch import Batch, BatchState
from bot.domain.errors import ModelError, Refused
from bot.domain.evaluation import Evaluation
from bot.domain.release import Release, ReleaseState
from bot.forgetting.posting import Posting
from handlers.command import Call, Shows, Story, upload
from handlers.slack.failures import SLACK_FAILURES
from handlers.switching import LONG_COMPARISON_SECONDS
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views import evaluation as views
from handlers.views import gate
from handlers.views.ids import FINETUNE_COMPARE
from handlers.views.version import version

log = logging.getLogger(__name__)

BATCH_WORD = "batch"
"""The word after `evaluate` that asks for a batch."""


async def evaluate(call: Call) -> None:
    """Answer at once, and post the figures to the channel for long results when they are ready.

    The subcommand is `evaluate [release] [batch]`; the default release is the newest candidate.
    """
    acts = call.acts
    name, in_batch = parse_argument(call.argument)
    release = await acts.releasing.named(name) if name else await newest_candidate(call)
    channel_id = await call.channel()
    facts = {"version": version(release, call.words), "channel": f"<#{channel_id}>"}
    seconds = await acts.evaluating.seconds(release)
    if in_batch and await acts.batching.start(release, call.spot.user, call.words.language, channel_id):
        await call.say(call.words("evaluate.batch", **facts))
        return
    if seconds > LONG_COMPARISON_SECONDS:
        await call.say(call.words("evaluate.started", n=max(1, round(seconds / 60)), **facts))
    else:
        await call.say(call.words("evaluate.quick", **facts))
    evaluation = await acts.evaluating.evaluate(release)
    await acts.proposing.note(evaluation)
    acts.glancing.forget()
    if acts.outbound:
        await acts.outbound.evaluated(release)
    await post_evaluation(call.context.client, acts.posting, channel_id, evaluation, call.words)


def parse_argument(argument: str) -> tuple[str, bool]:
    """Return the version's name, empty if none is given, and whether it is evaluated in a batch."""
    names = argument.split()
    in_batch = bool(names) and names[-1].casefold() == BATCH_WORD
    return " ".join(names[:-1] if in_batch else names), in_batch


async def post_evaluation(
    client: AsyncWebClient, posting: Posting, channel: str, evaluation: Evaluation, words: Words
) -> None:
    """Post what was found, and the picture and the tables in its thread.

    Raises:
        Refused: FORGOTTEN_MEANWHILE, if a question in the tables was forgotten during the comparison.
    """
    name, files, alts = evaluation.release.name, dict[str, bytes](), dict[str, str]()
    if evaluation.card.rows:
        for what, picture in (await _pictures_of(evaluation, words)).items():
            files[f"{what}-{name}.png"], alts[f"{what}-{name}.png"] = picture
        files[f"categories-{name}.csv"] = views.categories_table(evaluation)
    if evaluation.changes or evaluation.filtered:
        files[f"changes-{name}.csv"] = views.changes_table(evaluation)
    text, blocks = (message := gate.compared(evaluation, words)).text, message.blocks
    posted = await client.chat_postMessage(channel=channel, text=text, blocks=blocks)
    if files:
        shows = Shows(posting, views.rows_in_changes(evaluation), words.language)
        await upload(client, channel, words("evaluate.files"), files, shows, alts=alts, thread=posted["ts"])


async def _pictures_of(evaluation: Evaluation, words: Words) -> dict[str, tuple[bytes, str]]:
    """Return each picture that there is something for, with its text for those who do not see it.

    There is none where matplotlib is left out of the installation. The tables hold the same.
    """
    if find_spec("matplotlib") is None:
        log.warning("no pictures: matplotlib is not installed")
        return {}
    from handlers import pictures  # matplotlib would add a second to every start

    font, found = pictures.japanese_font(), dict[str, tuple[bytes, str]]()
    for what, draw in (("categories", pictures.category_bars), ("certainty", pictures.certainty_dots)):
        # In a thread, because drawing is slow and questions must not wait for it.
        if picture := await asyncio.to_thread(draw, evaluation, words, font):
            found[what] = picture
    return found


class BatchFollower:
    """A check of running batches, which posts the evaluation of each one that has ended."""

    def __init__(self, acts: Acts, client: AsyncWebClient) -> None:
        self._acts = acts
        self._client = client

    async def follow(self) -> None:
        """Check every running batch once. If Slack does not take a post, log it and go on with the next batch."""
        for batch, error in await self._acts.batching.follow():
            try:
                await self._post_result(batch, error)
            except (SlackApiError, Refused, *SLACK_FAILURES) as failure:
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
                await self._acts.proposing.note(evaluation)
                if self._acts.outbound:
                    await self._acts.outbound.evaluated(release)
                await post_evaluation(self._client, self._acts.posting, batch.channel, evaluation, words)
                await self._acts.batching.save(batch, state=BatchState.POSTED)
                return
        text = words("evaluate.batch_failed", version=version(release, words), error=escaped(error, 300))
        await self._client.chat_postMessage(channel=batch.channel, text=text)


async def newest_candidate(call: Call) -> Release:
    """Return the newest candidate or shadow; the serving release if there is none."""
    choices = await call.acts.releasing.choices()
    states = {ReleaseState.CANDIDATE, ReleaseState.SHADOW}
    found = next((release for release in choices if release.state in states), None)
    return found or await call.acts.releasing.serving()


EVALUATION_STORY = Story(
    verbs={"evaluate": evaluate}, presses={FINETUNE_COMPARE: evaluate}, free=frozenset({"evaluate"})
)
