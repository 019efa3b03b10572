"""The listeners for changes of the workspace: a channel gets a new id, or a user group gets other members."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.domain.errors import Undelivered
from handlers.context import Context
from handlers.slack.failures import SLACK_FAILURES, call_slack, error_name
from handlers.texts.escape import escaped
from handlers.views.message import section

log = logging.getLogger(__name__)

EVENT = "channel_id_changed"


async def user_groups(context: Context) -> dict[str, str]:
    """Return the id of each user group of the workspace → its name and handle, by name.

    Without the scope, or if Slack does not answer, there is none: forms then offer people alone.
    """
    try:
        answer = await call_slack(context.client.usergroups_list())
    except Undelivered as error:
        log.info("the user groups could not be listed: %s", error)
        return {}
    groups = [(str(one["name"]), str(one.get("handle") or ""), str(one["id"])) for one in answer["usergroups"]]
    return {group: f"{name} (@{handle})" if handle else name for name, handle, group in sorted(groups)}


class ChannelFollower:
    """A middleware that stores each new id, so that every replica and every later start follows the channel."""

    def __init__(self, context: Context) -> None:
        self._catching_up = context.slack.catching_up
        self._moved = context.moved

    async def follow(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's name
        """Store the new id before Bolt acks the event.

        Raises:
            Exception: Whatever the database raises. Slack then gets no ack and delivers again.
        """
        event = body.get("event") or {}
        if event.get("type") == EVENT:
            old, new = str(event["old_channel_id"]), str(event["new_channel_id"])
            ts = event.get("event_ts")
            await self._catching_up.channel_moved(old, new, datetime.fromtimestamp(float(ts), UTC) if ts else None)
            self._moved.learn({old: new})
        await next()


def register(app: AsyncApp, context: Context) -> None:
    """Register the middleware for `channel_id_changed`, and the listeners for it and for changes of user groups.

    The bot follows every channel. If a setting names it, operators are told, because only they can change a setting.
    """
    app.use(ChannelFollower(context).follow)

    async def forget_groups() -> None:
        context.guard.forget()

    app.event("subteam_members_changed")(forget_groups)
    app.event("subteam_updated")(forget_groups)

    @app.event(EVENT)
    async def tell_operators(event: dict[str, Any]) -> None:
        old, new = str(event["old_channel_id"]), str(event["new_channel_id"])
        is_ops = context.ops_channel is not None and context.moved.now(context.ops_channel) == new
        setting = "BOT_OPS_CHANNEL" if is_ops else "BOT_CHANNELS" if context.policy.watches(new) else None
        if setting is None:
            return
        log.warning("channel %s is %s now, and is followed: change %s", old, new, setting)
        if context.ops_channel is None:
            return
        text = context.people.default_words(
            "progress.channel_id", channel=f"<#{escaped(new)}>", old=escaped(old), new=escaped(new), setting=setting
        )
        try:
            await context.client.chat_postMessage(
                channel=context.moved.now(context.ops_channel), text=text, blocks=[section(f"⚠️ {text}")]
            )
        except SLACK_FAILURES as error:
            log.warning(
                "the new id could not be told in the ops channel: %s", error_name(error) or type(error).__name__
            )
