"""Registers every listener. A new story is one line here."""

from slack_bolt.async_app import AsyncApp

from handlers import (
    command,
    corrections,
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
    why,
)
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
)
"""The subcommands of /finetune, in the order in which help lists them."""


def register(app: AsyncApp, context: Context) -> None:
    """Register the error handler, then the listeners of every story."""
    errors.register(app, context.people, context.private)
    for story in (questions, why, corrections, home):
        story.register(app, context)
    command.register(app, context, STORIES)
