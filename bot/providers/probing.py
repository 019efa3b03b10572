"""Whether a provider answers for a model, without asking the model anything."""

import asyncio

from openai import APIStatusError

from bot.domain.errors import ModelRefused
from bot.domain.release import ModelName
from bot.providers.providers import Providers
from bot.providers.wire import translated

PROBE_SECONDS = 2.5
ANSWERING = frozenset({404, 405, 429, 501})
"""Of a server that is there: compatible ones need not tell their models, and one that is overrun gives way again."""


class ProviderProbe:
    """Asks a provider what it knows of a model, which costs nothing."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    async def reach(self, model: ModelName) -> None:
        """Return where its provider answers, takes our key, and does not deny that there is this model.

        Raises:
            ModelDown: there is no answer, or the provider is in trouble.
            ModelRefused: there is no such provider or model, or the key is not taken.
        """
        client = self._providers[model.provider].with_options(timeout=PROBE_SECONDS, max_retries=0)
        with translated():
            async with asyncio.timeout(PROBE_SECONDS):
                try:
                    await client.models.with_raw_response.retrieve(model.model)
                except APIStatusError as error:
                    if error.status_code not in ANSWERING:
                        raise
                    if error.status_code == 404 and self._denied(model, error):
                        raise ModelRefused(f"'{model.provider}' has no model '{model.model}'") from None

    async def knock(self, provider: str) -> None:
        """Return where a provider answers and takes our key; raises as `reach`."""
        client = self._providers[provider].with_options(timeout=PROBE_SECONDS, max_retries=0)
        with translated():
            async with asyncio.timeout(PROBE_SECONDS):
                try:
                    await client.models.with_raw_response.list()
                except APIStatusError as error:
                    if error.status_code not in ANSWERING:
                        raise

    def _denied(self, model: ModelName, error: APIStatusError) -> bool:
        """Whether it is the model that is not there, not the address: then the answer is JSON and names it.

        At Azure the name is one of a deployment, which is not told.
        """
        named = isinstance(error.body, dict) and model.model in str(error.body)
        return named and self._providers.kind(model.provider) != "azure"
