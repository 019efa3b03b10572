"""The connection to Slack: the Web API client, the Bolt app and the socket."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.certificates import refused_certificate
from bot.domain.faults import Fault, Problem, Unable
from handlers.slack.deliveries import Deliveries, Installation, Socket
from handlers.slack.failures import SLACK_FAILURES, error_name
from handlers.slack.moved import FollowingClient
from handlers.slack.scopes import SCOPES_HEADER

SLACK_SECONDS = 20
"""Timeout of one call, in seconds. Even with the one retry after a 429, a post ends before its lease."""


CONNECTIONS_PER_HOST = 10
"""Upper bound of open connections to one host."""
KEPT_SECONDS = 30.0
"""Seconds for which an idle connection is kept. Common proxies and load balancers close theirs after 60."""
REPEATABLE = frozenset(
    {
        "apps.connections.open",
        "auth.test",
        "chat.delete",
        "chat.getPermalink",
        "chat.update",
        "conversations.history",
        "conversations.info",
        "conversations.members",
        "conversations.open",
        "conversations.replies",
        "usergroups.list",
        "usergroups.users.list",
        "users.info",
        "views.publish",
    }
)
"""Web API methods that change nothing more when they are called twice."""


class SlackRefused(Unable):
    """A refusal of the bot by Slack, or a failure to reach Slack. The problem says why, without any token."""


class LostConnectionRetry(AsyncConnectionErrorRetryHandler):
    """One retry of a call whose connection breaks, as a kept connection may after a laptop's sleep.

    Methods outside `REPEATABLE` are not repeated: Slack may have posted the message before the connection broke.
    """

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if request.url.rsplit("/", 1)[-1] not in REPEATABLE:
            return False
        return await super()._can_retry_async(state=state, request=request, response=response, error=error)


@asynccontextmanager
async def open_client(
    token: SecretStr | None, api_url: str, trust: ssl.SSLContext | None = None
) -> AsyncIterator[FollowingClient]:
    """Open a client for Slack's Web API whose calls share connections, until the block ends.

    It repeats a call once after a 429, because then Slack surely did nothing, and a repeatable call whose connection
    broke. After any other failure the caller first looks whether Slack has done what was asked.

    Args:
        token: The bot token.
        api_url: The address of the Web API.
        trust: The certificate authorities to trust, also for the socket and uploads; None means the default.
    """
    session = ClientSession(
        connector=TCPConnector(limit_per_host=CONNECTIONS_PER_HOST, keepalive_timeout=KEPT_SECONDS),
        timeout=ClientTimeout(total=SLACK_SECONDS),
        cookie_jar=DummyCookieJar(),  # each call stands for itself, as it did with a session of its own
    )
    async with session:
        yield FollowingClient(
            token=token.get_secret_value() if token else None,
            base_url=api_url.rstrip("/") + "/",
            timeout=SLACK_SECONDS,
            ssl=trust,
            session=session,
            retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1), LostConnectionRetry()],
        )


def bolt_app(client: AsyncWebClient, identity: AuthorizeResult) -> AsyncApp:
    """Return a Bolt app with a fixed identity. `Requests` verifies signatures, so Bolt does not."""
    return AsyncApp(
        name="madoguchi",  # without it, Bolt spends 0.1 s to find a name in the sources of the call stack
        client=client,
        authorize=lambda: _return_identity(identity),
        request_verification_enabled=False,
    )


async def _return_identity(identity: AuthorizeResult) -> AuthorizeResult:
    """Return the identity from the start. A request to Slack per event could fail, and Bolt would lose the event."""
    return identity


@asynccontextmanager
async def socket_mode(
    app: AsyncApp, token: SecretStr, deliveries: Deliveries, connected: Callable[[], None] = lambda: None
) -> AsyncIterator[Socket]:
    """Receive envelopes over a socket until the block ends.

    Args:
        app: Answers the envelopes.
        token: The app token.
        deliveries: Counts the envelopes.
        connected: Called at each connect, the first one included.

    Yields:
        The open socket.

    Raises:
        SlackRefused: Slack does not open a socket for the app token.
    """
    socket = Socket(app, token.get_secret_value(), deliveries, connected)
    untyped: Any = socket
    try:
        try:
            await untyped.connect_async()
        except (*SLACK_FAILURES, OSError) as error:
            raise SlackRefused(slack_problem(error, "SLACK_APP_TOKEN", app.client)) from None
        yield socket
    finally:
        await untyped.close_async()


async def fetch_identity(client: AsyncWebClient) -> AuthorizeResult:
    """Return the bot's identity and scopes.

    They are asked for once, at the start: if the call failed later, Bolt would lose events.

    Raises:
        SlackRefused: The token is wrong, or Slack cannot be reached.
    """
    try:
        answer = await client.auth_test()
    except (*SLACK_FAILURES, OSError) as error:
        raise SlackRefused(slack_problem(error, "SLACK_BOT_TOKEN", client)) from None
    scopes = {name.lower(): value for name, value in answer.headers.items()}.get(SCOPES_HEADER)
    return AuthorizeResult.from_auth_test_response(bot_token=client.token, bot_scopes=scopes, auth_test_response=answer)


async def fetch_installation(client: AsyncWebClient, identity: AuthorizeResult) -> Installation:
    """Return the installation that this identity belongs to. Only `bots.info` tells a bot the id of its app.

    Raises:
        SlackRefused: Slack cannot be reached, or does not tell.
    """
    try:
        answer = await client.bots_info(bot=identity.bot_id or "")
    except (*SLACK_FAILURES, OSError) as error:
        raise SlackRefused(slack_problem(error, "SLACK_BOT_TOKEN", client)) from None
    return Installation(answer["bot"]["app_id"], identity.team_id or "", identity.enterprise_id)


def slack_problem(error: Exception, setting: str, client: AsyncWebClient) -> Problem:
    """Return the problem behind a failed call.

    Args:
        error: The client's exception.
        setting: The setting that holds the token of the call.
        client: The client.
    """
    refused = refused_certificate(error)
    if refused:
        host = getattr(error, "host", None) or client.base_url
        return Problem(what=Fault.SLACK_CERTIFICATE, facts={"address": str(host), "error": refused})
    name = error_name(error)
    if name:
        return Problem(what=Fault.SLACK_REFUSED, where=setting, facts={"error": name})
    status = getattr(getattr(error, "response", None), "status_code", None)
    facts = {"address": client.base_url, "error": f"HTTP {status}" if status else type(error).__name__}
    return Problem(what=Fault.SLACK_UNREACHABLE, facts=facts)
