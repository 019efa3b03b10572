"""Providers: a name for each OpenAI-compatible endpoint, and one SDK client for each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import SecretStr

from bot.domain.errors import ModelRefused, Trouble
from bot.providers.wire import never_retried

OPENAI = "https://api.openai.com/v1"
RETRIES = 2
"""Of one request, by the SDK, with its backoff; whoever must not send twice asks for none."""

ProviderKind = Literal["openai", "azure", "compatible"]


class UnknownProvider(ModelRefused, KeyError):  # noqa: N818 - reads as what happened
    """A model name whose provider is not configured."""

    usual = Trouble.UNKNOWN_MODEL

    # KeyError shows its argument's repr; a person reads this one.
    __str__ = Exception.__str__


@dataclass(frozen=True)
class Provider:
    """One endpoint.

    Attributes:
        name: what stands before the slash of a model name.
        base_url: up to and with `/v1`; None means OpenAI itself.
        api_key: empty for a server that asks for none.
        kind: `azure` has rules of its own for training; the others differ in nothing but their address.
        transport: another way than the network, for a server within this process
            (`httpx2.ASGITransport(app, raise_app_exceptions=False)`).

    Raises:
        ValueError: no address where one is needed, or a key that cannot stand in a header.
    """

    name: str
    base_url: str | None = None
    api_key: SecretStr | str = field(default="", repr=False)
    kind: ProviderKind = "openai"
    transport: httpx2.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        if not self.base_url and self.kind != "openai":
            raise ValueError(f"the provider '{self.name}' needs an address: set {_variable(self.name)}")
        if not self.key.isascii() or not self.key.isprintable():
            raise ValueError(f"the API key of the provider '{self.name}' holds signs that no key has")

    @property
    def key(self) -> str:
        """The key itself."""
        return self.api_key.get_secret_value() if isinstance(self.api_key, SecretStr) else self.api_key

    @property
    def near(self) -> bool:
        """On this machine: a proxy of the environment is not for it."""
        return self.transport is not None or urlsplit(self.base_url or OPENAI).hostname in {
            "127.0.0.1",
            "::1",
            "localhost",
        }


def _variable(name: str) -> str:
    return f"BOT_PROVIDERS__{name.upper()}__BASE_URL"


class _Client(AsyncOpenAI):
    """The SDK's client without the organisation, project, admin key and headers that it takes from the environment.

    They belong to one account, and every provider would be sent them. The SDK makes its copies through `__init__` too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.organization = self.project = self.admin_api_key = self.webhook_secret = None
        self._custom_headers = {}


class Providers(Mapping[str, AsyncOpenAI]):
    """The configured providers' clients by name, each made when it is first asked for. Close them with `aclose`.

    Raises:
        UnknownProvider: (a ModelRefused and a KeyError) from `providers[name]`.
    """

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._clients: dict[str, AsyncOpenAI] = {}

    def __getitem__(self, name: str) -> AsyncOpenAI:
        if name not in self._providers:
            known = ", ".join(self) or "none"
            raise UnknownProvider(f"there is no provider '{name}' (known: {known}); set {_variable(name)}")
        if name not in self._clients:
            self._clients[name] = _client(self._providers[name])
        return self._clients[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)

    def kind(self, name: str) -> ProviderKind:
        """Raises KeyError where there is no such provider."""
        return self._providers[name].kind

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.close()


def _client(provider: Provider) -> AsyncOpenAI:
    return _Client(
        # The SDK falls back on the environment for whatever is None or empty.
        api_key=provider.key or "none",
        base_url=provider.base_url or OPENAI,
        max_retries=RETRIES,
        http_client=DefaultAsyncHttpxClient(
            transport=provider.transport, trust_env=not provider.near, event_hooks={"response": [never_retried]}
        ),
    )
