"""App Home: published when a person opens it, presses on it or changes language, and kept up to date for a while."""

import json
import logging
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.corrections.focusing import Focus
from bot.corrections.reviewing import Entry
from bot.domain.audience import Audience
from bot.domain.errors import Undelivered
from handlers.context import Context
from handlers.slack.failures import SLACK_FAILURES, call_slack, error_name
from handlers.texts.escape import mention
from handlers.views import home as views
from handlers.views import queue
from handlers.views.forget import own_button
from handlers.views.glance import glance_blocks, outcome_text
from handlers.views.privacy import privacy_blocks
from handlers.views.queue import Around

log = logging.getLogger(__name__)

OWN_QUESTIONS = 3
"""Number of a person's own last questions that the home shows."""


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners for `app_home_opened` and `user_change`."""

    @app.event("app_home_opened")
    async def home_opened(event: dict[str, Any]) -> None:
        if event.get("tab") == "home":
            await publish(context, event["user"])

    @app.event("user_change")
    async def follow_person(event: dict[str, Any]) -> None:
        user = event["user"]["id"]
        if await context.people.refresh(user):
            await publish(context, user)


async def publish(context: Context, user: str, *, notice: str = "", first: str | None = None) -> None:
    """Publish the person's home as it is now.

    Args:
        context: The context of all listeners.
        user: The person's id.
        notice: The result of the last press, or why it did nothing.
        first: Key of the queue's entry to show first.
    """
    shown = context.homes.open(user)
    async with shown.lock:
        shown.notice, shown.first = queue.lasting(notice), first
        view = await home_of(context, user, notice=notice, first=first)
        await context.client.views_publish(user_id=user, view=view)
        shown.published = json.dumps(view)


async def publish_if_open(context: Context, user: str) -> None:
    """Bring the person's home up to date if they looked at it lately and it changed. A failure is only logged."""
    shown = context.homes.of(user)
    if shown is None:
        return
    try:
        async with shown.lock:
            view = await home_of(context, user, notice=shown.notice, first=shown.first)
            if json.dumps(view) != shown.published:
                await context.client.views_publish(user_id=user, view=view)
                shown.published = json.dumps(view)
    except SLACK_FAILURES as error:
        log.info("a home could not be brought up to date: %s", error_name(error) or type(error).__name__)


async def refresh(context: Context) -> None:
    """Bring all homes up to date that were looked at lately. A periodic task of every replica calls this."""
    for user in context.homes.watched():
        await publish_if_open(context, user)


async def home_of(context: Context, user: str, *, notice: str = "", first: str | None = None) -> dict[str, Any]:
    """Return the person's home. Roles are checked by user id, each time."""
    person = await context.people.get(user)
    bot = mention(context.people.home.bot_user_id) or ""
    if person.outsider:
        return views.not_for_guests(person.words)
    parts = []
    if await context.guard.is_admin(user):
        parts.append(glance_blocks(await context.acts.glancing.glance(), person.words))
    if await context.guard.is_staff(user):
        focus, around = await focused(context, user, notice=notice, first=first)
        parts.append(queue.queue(focus, person.words, around))
    own = await context.acts.recounting.last(user, OWN_QUESTIONS)
    links = {
        card.question.id: await link_of(context, card.question.place.channel, card.question.place.ts) for card in own
    }
    parts.append(views.own_questions(own, links, person.words) + (own_button(person.words) if own else []))
    parts.append(views.about(await context.acts.prompting.current(), person.words, bot=bot))
    models = await context.acts.releasing.models_asked()
    parts.append(privacy_blocks(context.privacy, models, person.words))
    parts.append(
        views.roles(
            person.words,
            staff=context.guard.staff_mentions() if await context.guard.is_staff(user) else None,
            admin=await context.guard.is_admin(user),
        )
    )
    return views.home(parts)


async def focused(context: Context, user: str, *, notice: str = "", first: str | None = None) -> tuple[Focus, Around]:
    """Return what the person should settle next, and what stands around it."""
    may_read = partial(context.readership.may_read, user)
    focus = await context.acts.focusing.focus(user, may_read, first=first)
    # Only the end of the queue shows the result of all presses, so that no other press waits for it.
    seen = await context.acts.glancing.glance() if focus.entry is None and focus.run.confirmed else None
    words = (await context.people.get(user)).words
    outcome = outcome_text(seen, words) if seen else ""
    return focus, Around(link=await _link(context, focus.entry), notice=notice, outcome=outcome)


async def _link(context: Context, entry: Entry | None) -> str | None:
    """Return the permalink of the entry's question, if people other than its asker can open it."""
    question = entry.card.question if entry and entry.card else None
    if question is None or question.audience is Audience.DIRECT:
        return None
    return await link_of(context, question.place.channel, question.place.ts)


async def link_of(context: Context, channel: str, ts: str) -> str | None:
    """Return the permalink of a message, or None if Slack gives none now."""
    if (channel, ts) not in context.homes.links:
        try:
            answer = await call_slack(context.client.chat_getPermalink(channel=channel, message_ts=ts))
        except Undelivered:
            return None
        context.homes.keep_link(channel, ts, str(answer["permalink"]))
    return context.homes.links[channel, ts]
