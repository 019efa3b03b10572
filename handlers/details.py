"""The press on *Details*: opens a modal for admins with everything that stands behind a short answer."""

from collections.abc import Awaitable, Callable, Mapping

from slack_sdk.errors import SlackApiError

from bot.domain.errors import ModelError, Refused
from handlers.command import Call, Story, failure_text
from handlers.slack.failures import VIEW_CHANGED_ERRORS, error_name
from handlers.views import comparison, prompt, status, training
from handlers.views import shadow as shadow_views
from handlers.views import unsure as unsure_views
from handlers.views.details import DetailsOf, DetailsPayload, sheet
from handlers.views.ids import DETAILS
from handlers.views.version import versions_paragraphs

Reader = Callable[[Call], Awaitable[list[str]]]
"""A function that returns the paragraphs of the details of `call.argument`."""


async def show_details(call: Call) -> None:
    """Open the modal at once, because Slack's trigger is short-lived, and fill it when everything is read."""
    client, asked = call.context.client, DetailsPayload.unpacked(call.value)
    opened = await client.views_open(trigger_id=call.trigger, view=sheet([call.words("details.wait")], call.words))
    try:
        paragraphs = await READERS[asked.of](call)
    except (Refused, ModelError) as error:
        paragraphs = [failure_text(error, call.words)]
    try:
        await client.views_update(view_id=opened["view"]["id"], view=sheet(paragraphs, call.words))
    except SlackApiError as error:
        if error_name(error) not in VIEW_CHANGED_ERRORS:
            raise


async def _comparison(call: Call) -> list[str]:
    release = await call.acts.releasing.named(call.argument)
    return comparison.paragraphs(await call.acts.evaluating.evaluate(release), call.words)


async def _training(call: Call) -> list[str]:
    finetune, manifest = await call.acts.planning.planned(call.argument)
    return training.paragraphs(finetune, manifest, await call.acts.prompting.current(), call.words)


async def _status(call: Call) -> list[str]:
    return status.paragraphs(await call.acts.reporting.status(), call.words)


async def _unsure(call: Call) -> list[str]:
    release = await call.acts.releasing.named(call.argument)
    return unsure_views.paragraphs(await call.acts.thresholding.report(release), call.words)


async def _shadow(call: Call) -> list[str]:
    report = await call.acts.shadowing.report()
    return shadow_views.paragraphs(report, await call.acts.prompting.current(), call.words)


async def _versions(call: Call) -> list[str]:
    serving, others = await call.acts.releasing.serving(), await call.acts.releasing.choices()
    return versions_paragraphs([serving, *others], call.words)


async def _prompt(call: Call) -> list[str]:
    return prompt.paragraphs(await call.acts.prompting.shown(), call.words)


READERS: Mapping[DetailsOf, Reader] = {
    DetailsOf.COMPARISON: _comparison,
    DetailsOf.TRAINING: _training,
    DetailsOf.STATUS: _status,
    DetailsOf.UNSURE: _unsure,
    DetailsOf.SHADOW: _shadow,
    DetailsOf.VERSIONS: _versions,
    DetailsOf.PROMPT: _prompt,
}
DETAILS_STORY = Story(verbs={}, presses={DETAILS: show_details})
