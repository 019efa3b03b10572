"""Configured providers: a name and an SDK client for each OpenAI-compatible endpoint."""

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2
from pydantic import SecretStr

from bot.domain.errors import ModelRefused, Trouble
from bot.providers.sdk import sdk
from bot.providers.wire import disable_vain_retries

OPENAI = "https://api.openai.com/v1"
RETRIES = 2
"""The SDK's retries of one request, with its backoff. Requests that must not be sent twice turn them off."""

ProviderKind = Literal["openai", "azure", "compatible"]


class UnknownProvider(ModelRefused, KeyError):  # noqa: N818 - reads as what happened
    """A model name whose provider is not configured."""

    usual = Trouble.UNKNOWN_PROVIDER

    # KeyError would show the repr of the message.
    __str__ = Exception.__str__


@dataclass(frozen=True)
class Provider:
    """The settings of one endpoint.

    Attributes:
        name: The part of a model name before the slash.
        base_url: The address, including `/v1`; None means OpenAI itself.
        api_key: Empty for a server without authentication.
        kind: `azure` has its own rules for training; the others differ only in their address.
        transport: Replaces the network for a server within this process
            (`httpx2.ASGITransport(app, raise_app_exceptions=False)`).
        trust: The certificate authorities to trust; None means the SDK's default.

    Raises:
        ValueError: A required address is missing, or the key cannot be sent in a header.
    """

    name: str
    base_url: str | None = None
    api_key: SecretStr | str = field(default="", repr=False)
    kind: ProviderKind = "openai"
    transport: httpx2.AsyncBaseTransport | None = None
    trust: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not self.base_url and self.kind != "openai":
            raise ValueError(f"the provider '{self.name}' needs an address: set {_base_url_variable(self.name)}")
        if not self.key.isascii() or not self.key.isprintable():
            raise ValueError(f"the API key of the provider '{self.name}' has characters that are not printable ASCII")

    @property
    def key(self) -> str:
        """The key in plain text."""
        return self.api_key.get_secret_value() if isinstance(self.api_key, SecretStr) else self.api_key

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine, where the environment's proxy must not be used."""
        return self.transport is not None or urlsplit(self.base_url or OPENAI).hostname in {
            "127.0.0.1",
            "::1",
            "localhost",
        }


def address_to_try(base_url: str) -> str | None:
    """Return the base URL that was probably meant where nothing answers questions; None if this one looks right.

    The base URL ends in a version such as `/v1`, without what follows it in a request.
    """
    parts = urlsplit(base_url)
    path = re.sub(r"/(?:chat/completions|completions|responses|models)$", "", parts.path.rstrip("/"))
    if not re.search(r"/v\d[^/]*$", path):
        azure = (parts.hostname or "").endswith(".azure.com") and "/openai" not in path
        path += "/openai/v1" if azure else "/v1"
    if path == parts.path.rstrip("/"):
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def _base_url_variable(name: str) -> str:
    return f"BOT_PROVIDERS__{name.upper()}__BASE_URL"


class Providers(Mapping[str, "sdk.AsyncOpenAI"]):
    """The SDK clients of the configured providers by name, created on first use. Close them with `aclose`.

    Raises:
        UnknownProvider: By `providers[name]`; it is both a ModelRefused and a KeyError.
    """

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._clients: dict[str, sdk.AsyncOpenAI] = {}

    def __getitem__(self, name: str) -> "sdk.AsyncOpenAI":
        if name not in self._providers:
            known = ", ".join(self) or "none"
            raise UnknownProvider(f"there is no provider '{name}' (known: {known}); set {_base_url_variable(name)}")
        if name not in self._clients:
            self._clients[name] = _client(self._providers[name])
        return self._clients[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)

    def kind(self, name: str) -> ProviderKind:
        """Return a provider's kind; raises KeyError if the provider is not configured."""
        return self._providers[name].kind

    def in_process(self, name: str) -> bool:
        """Return whether a provider is a server within this process."""
        return name in self._providers and self._providers[name].transport is not None

    async def aclose(self) -> None:
        """Close every connection."""
        async with AsyncExitStack() as stack:  # a close that fails keeps no other one open
            for client in self._clients.values():
                stack.push_async_callback(client.close)


@cache
def _default_trust(*, trust_env: bool) -> ssl.SSLContext:
    """Return the SDK's default trust. All clients share it, because reading the authorities takes tens of ms."""
    return httpx2.create_ssl_context(trust_env=trust_env)


def _client(provider: Provider) -> "sdk.AsyncOpenAI":
    from bot.providers.client import ProviderClient

    return ProviderClient(
        # For None or an empty string the SDK would fall back to the environment.
        api_key=provider.key or "none",
        base_url=provider.base_url or OPENAI,
        max_retries=RETRIES,
        http_client=sdk.DefaultAsyncHttpxClient(
            # A server within this process needs no authorities, which take a thirtieth of a start to read.
            **({"transport": provider.transport} if provider.transport else _network(provider)),
            trust_env=not provider.is_local,
            event_hooks={"response": [disable_vain_retries]},
        ),
    )


def _network(provider: Provider) -> dict[str, Any]:
    """Return how the SDK's client reaches a provider that is elsewhere."""
    from bot.providers.client import AiohttpTransport

    trust = provider.trust or _default_trust(trust_env=not provider.is_local)
    behind_proxy = not provider.is_local and bool(getproxies().keys() - {"no"})
    return {"transport": None if behind_proxy else AiohttpTransport(trust), "verify": trust}
