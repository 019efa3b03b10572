"""Messages that only one person sees."""

import json
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.slack.shared import SharedChannels
from handlers.views.message import Message, section

log = logging.getLogger(__name__)

SLACK_HOSTS = (".slack.com", ".slack-gov.com")
"""Ends of the hosts to which Slack's response URLs lead."""


@dataclass(frozen=True)
class Spot:
    """The person who pressed or typed something, and the place; `thread` is None outside of a thread."""

    user: str
    channel: str | None
    thread: str | None
    response_url: str | None


def spot_of(body: dict[str, Any]) -> Spot:
    """Return the spot of an interaction's payload: a press, a command, a shortcut or a submitted modal."""
    user = body.get("user") or {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    form = _form_metadata(body)
    return Spot(
        user=user.get("id") or body.get("user_id") or "",
        channel=(body.get("channel") or {}).get("id")
        or container.get("channel_id")
        or body.get("channel_id")
        or form.get("channel"),
        thread=message.get("thread_ts") or container.get("thread_ts") or form.get("thread"),
        response_url=body.get("response_url"),
    )


def _form_metadata(body: dict[str, Any]) -> dict[str, Any]:
    try:
        form = json.loads((body.get("view") or {}).get("private_metadata") or "{}")
    except ValueError:
        return {}
    return form if isinstance(form, dict) else {}


def is_slacks(url: str, api_url: str) -> bool:
    """Return whether a URL leads to Slack: to a host of its own over https, or to where its Web API is reached."""
    try:
        parts, api = urlsplit(url), urlsplit(api_url)
        if (parts.scheme, parts.netloc) == (api.scheme, api.netloc):
            return True
        return parts.scheme == "https" and parts.port in {None, 443} and (parts.hostname or "").endswith(SLACK_HOSTS)
    except ValueError:
        return False


class Private:
    """Private messages, sent as an ephemeral message, else by response_url, else as a direct message."""

    def __init__(self, client: AsyncWebClient, shared: SharedChannels | None = None) -> None:
        self._client = client
        self._shared = shared or SharedChannels(client)

    async def tell(self, spot: Spot, message: Message | str) -> None:
        """Send a message in the first way that works. This never raises; a failure is logged without the text."""
        if isinstance(message, str):
            message = Message(message, [section(message)])
        for send in (self._ephemeral, self._by_url, self._dm):
            try:
                if await send(spot, message):
                    return
            except SLACK_FAILURES as error:
                log.info("private message, %s: %s", send.__name__, error_name(error) or type(error).__name__)
        log.warning("a private message could not be sent in any way")

    async def is_shared(self, channel: str) -> bool:
        """Return whether another organisation reads a channel. While Slack does not tell, it counts as shared."""
        try:
            return await self._shared.holds(channel)
        except SLACK_FAILURES as error:
            log.info("whether a channel is shared is unknown: %s", error_name(error) or type(error).__name__)
            return True

    def _webhook(self, response_url: str) -> AsyncWebhookClient:
        """Return a client for a response URL.

        Raises:
            SlackClientError: The URL is not Slack's, so nothing may be sent there.
        """
        client = self._client
        if not is_slacks(response_url, client.base_url):
            raise SlackClientError("the response URL is not Slack's")
        return AsyncWebhookClient(
            response_url, timeout=client.timeout, ssl=client.ssl, proxy=client.proxy, session=client.session
        )

    async def dismiss(self, spot: Spot) -> None:
        """Delete the private message whose button was pressed. A failure is only logged: the message does no harm."""
        if spot.response_url:
            try:
                await self._webhook(spot.response_url).send(delete_original=True)
            except SLACK_FAILURES as error:
                log.info("a private message could not be deleted: %s", type(error).__name__)

    async def replace(self, spot: Spot, message: Message) -> None:
        """Replace the private message whose button was pressed. A failure is only logged: the press is stored."""
        await self.respond(spot, message, replace=True)

    async def _ephemeral(self, spot: Spot, message: Message) -> bool:
        if not (spot.channel and spot.user):
            return False
        await self._client.chat_postEphemeral(
            channel=spot.channel, user=spot.user, thread_ts=spot.thread, text=message.text, blocks=message.blocks
        )
        return True

    async def respond(self, spot: Spot, message: Message, *, in_channel: bool = False, replace: bool = False) -> bool:
        """Answer an interaction by its response URL.

        Args:
            spot: The interaction's person and place.
            message: The answer.
            in_channel: Whether everybody in the channel sees the answer. If another organisation reads the channel,
                the person alone sees it.
            replace: Whether the answer replaces the message that was pressed.

        Returns:
            False if there is no such URL, it is not Slack's, or Slack does not take the answer there.
        """
        if not spot.response_url:
            return False
        if in_channel and await self.is_shared(spot.channel or ""):
            in_channel = replace = False
        try:
            answer = await self._webhook(spot.response_url).send(
                text=message.text,
                blocks=message.blocks,
                response_type="in_channel" if in_channel else "ephemeral",
                replace_original=replace,
            )
        except SLACK_FAILURES as error:
            log.info("a response URL did not work: %s", type(error).__name__)
            return False
        if answer.status_code != 200:
            log.info("Slack refused a response URL with status %s", answer.status_code)
        return answer.status_code == 200

    async def _by_url(self, spot: Spot, message: Message) -> bool:
        return await self.respond(spot, message)

    async def _dm(self, spot: Spot, message: Message) -> bool:
        if not spot.user:
            return False
        opened = await self._client.conversations_open(users=spot.user)
        await self._client.chat_postMessage(channel=opened["channel"]["id"], text=message.text, blocks=message.blocks)
        return True
