"""The one client for Slack's Web API."""

from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

TIMEOUT = 20
"""Seconds a request may take: two of them, and a wait between, fit into an inbox lease."""


def web_client(token: str, api_url: str) -> AsyncWebClient:
    """A client that waits once where Slack says 429, and repeats nothing else.

    slack_sdk by default sends a request again when the connection broke, and chat.postMessage would post twice. What
    failed is tried again by the inbox and the outbox, which look first whether it was posted.
    """
    client = AsyncWebClient(
        token=token,
        base_url=api_url,
        timeout=TIMEOUT,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )
    # slack_sdk takes proxies from the environment and uses them for loopback too.
    if client.base_url.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]")):
        client.proxy = None
    return client
