"""Registration of all listeners. To add a story (a feature with its listeners), add its module here."""

from slack_bolt.async_app import AsyncApp

from handlers import (
    command,
    corrections,
    details,
    digest,
    evaluation,
    finetune,
    home,
    prompt,
    questions,
    recall,
    review,
    shadow,
    switching,
    unsure,
    workspace,
)
from handlers.answers import consent, feedback, keep, reactions, settlers, why
from handlers.askers import direct, follow_up, forget
from handlers.context import Context
from handlers.slack import errors

STORIES = (
    finetune.FINETUNE_STORY,
    evaluation.EVALUATION_STORY,
    switching.SWITCHING_STORY,
    recall.RECALL_STORY,
    shadow.SHADOW_STORY,
    unsure.UNSURE_STORY,
    review.REVIEW_STORY,
    prompt.PROMPT_STORY,
    settlers.SETTLERS_STORY,
    details.DETAILS_STORY,
    forget.FORGET_STORY,
    digest.DIGEST_STORY,
)
"""The stories of /finetune."""


def register(app: AsyncApp, context: Context) -> None:
    """Register the error handler and the listeners of every story."""
    errors.register(app, context.people, context.private)
    for story in (
        questions,
        reactions,
        why,
        corrections,
        feedback,
        keep,
        consent,
        direct,
        home,
        workspace,
        follow_up,
        forget,
    ):
        story.register(app, context)
    command.register(app, context, STORIES)
