"""The way to Slack: its Web API, a Bolt app that knows who it is, the socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.faults import Fault, Problem, Unable
from handlers.slack.deliveries import Deliveries, Socket
from handlers.slack.failures import SLACK_FAILURES, error_name

SLACK_SECONDS = 20
"""For one call, and once more after a 429: within the leases of what is being posted."""


class SlackRefused(Unable):
    """Slack does not take us, or is not there. Its problem says why, without any token."""


def slack_client(token: SecretStr | None, api_url: str) -> AsyncWebClient:
    """Slack's Web API. Only what Slack surely did not do is sent again by it; all else is looked for first, by us."""
    return AsyncWebClient(
        token=token.get_secret_value() if token else None,
        base_url=api_url.rstrip("/") + "/",
        timeout=SLACK_SECONDS,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )


def bolt_app(client: AsyncWebClient, identity: AuthorizeResult) -> AsyncApp:
    """An app that knows who it is. Signatures are no matter of its: `Requests` verifies them before it reads."""
    return AsyncApp(
        name="madoguchi",  # else Bolt looks for one in the sources of the whole call stack, a tenth of a second
        client=client,
        authorize=lambda: _already(identity),
        request_verification_enabled=False,
    )


async def _already(identity: AuthorizeResult) -> AuthorizeResult:
    """Bolt's way to ask who we are: known since the start. Asked anew at each event, a failing answer would lose it."""
    return identity


@asynccontextmanager
async def socket_mode(
    app: AsyncApp, token: SecretStr, deliveries: Deliveries, connected: Callable[[], None] = lambda: None
) -> AsyncIterator[Socket]:
    """Take envelopes until the block ends. `connected` is called at each connect, the first one and all later ones.

    Raises:
        SlackRefused: Slack does not open a socket for the app token.
    """
    socket = Socket(app, token.get_secret_value(), deliveries, connected)
    untyped: Any = socket
    try:
        try:
            await untyped.connect_async()
        except (*SLACK_FAILURES, OSError) as error:
            raise SlackRefused(_problem(error, "SLACK_APP_TOKEN", app.client)) from None
        yield socket
    finally:
        await untyped.close_async()


async def who_we_are(client: AsyncWebClient) -> AuthorizeResult:
    """Ask Slack once, at start: a token that fails later would have Bolt swallow events.

    Raises:
        SlackRefused: a token is wrong, or Slack is not there.
    """
    try:
        answer = await client.auth_test()
    except (*SLACK_FAILURES, OSError) as error:
        raise SlackRefused(_problem(error, "SLACK_BOT_TOKEN", client)) from None
    return AuthorizeResult.from_auth_test_response(bot_token=client.token, auth_test_response=answer)


def _problem(error: Exception, setting: str, client: AsyncWebClient) -> Problem:
    name = error_name(error)
    if name:
        return Problem(what=Fault.SLACK_REFUSED, where=setting, facts={"error": name})
    status = getattr(getattr(error, "response", None), "status_code", None)
    facts = {"address": client.base_url, "error": f"HTTP {status}" if status else type(error).__name__}
    return Problem(what=Fault.SLACK_UNREACHABLE, facts=facts)
