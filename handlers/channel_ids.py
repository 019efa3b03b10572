"""The listener for a channel that gets a new id, as when it moves to another workspace of the organisation."""

import logging
from typing import Any

from slack_bolt.async_app import AsyncApp

from handlers.context import Context
from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.texts.escape import escaped
from handlers.views.message import section

log = logging.getLogger(__name__)


def register(app: AsyncApp, context: Context) -> None:
    """Register the listener for `channel_id_changed`.

    Settings name channels by their ids, and only an operator can change them on every replica.
    """

    @app.event("channel_id_changed")
    async def tell_operators(event: dict[str, Any]) -> None:
        old, new = str(event["old_channel_id"]), str(event["new_channel_id"])
        is_ops = old == context.ops_channel
        setting = "BOT_OPS_CHANNEL" if is_ops else "BOT_CHANNELS" if context.policy.watches(old) else None
        if setting is None:
            return
        log.warning("channel %s is %s now: change %s and restart", old, new, setting)
        channel = new if is_ops else context.ops_channel
        if channel is None:
            return
        text = context.people.default_words(
            "progress.channel_id", channel=f"<#{escaped(new)}>", old=escaped(old), new=escaped(new), setting=setting
        )
        try:
            await context.client.chat_postMessage(
                channel=channel, text=text, blocks=[section(f"⚠️ {text}", verbatim=True)]
            )
        except SLACK_FAILURES as error:
            log.warning(
                "the new id could not be told in the ops channel: %s", error_name(error) or type(error).__name__
            )
