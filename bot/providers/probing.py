"""Free checks that a provider is reachable and knows a model."""

import asyncio

from openai import APIStatusError

from bot.domain.errors import ModelRefused
from bot.domain.release import ModelName
from bot.providers.providers import Providers
from bot.providers.wire import translate_errors

PROBE_SECONDS = 2.5
"""Deadline of one probe, in seconds."""
REACHABLE_STATUSES = frozenset({404, 405, 429, 501})
"""Error statuses of a working server: compatible servers need not list models, and an overload (429) passes."""


class ProviderProbe:
    """A probe that asks providers about models without asking a model, so it costs nothing."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    async def check_model(self, model: ModelName) -> None:
        """Check that the model's provider answers, accepts our key, and does not deny the model.

        Raises:
            ModelDown: the provider does not answer or is in trouble.
            ModelRefused: the provider or the model does not exist, or the key is refused.
        """
        client = self._providers[model.provider].with_options(timeout=PROBE_SECONDS, max_retries=0)
        with translate_errors():
            async with asyncio.timeout(PROBE_SECONDS):
                try:
                    await client.models.with_raw_response.retrieve(model.model)
                except APIStatusError as error:
                    if error.status_code not in REACHABLE_STATUSES:
                        raise
                    if error.status_code == 404 and self._denies(model, error):
                        raise ModelRefused(f"'{model.provider}' has no model '{model.model}'") from None

    async def check_key(self, provider: str) -> None:
        """Check that a provider answers and accepts our key; raises what `reach` raises."""
        client = self._providers[provider].with_options(timeout=PROBE_SECONDS, max_retries=0)
        with translate_errors():
            async with asyncio.timeout(PROBE_SECONDS):
                try:
                    await client.models.with_raw_response.list()
                except APIStatusError as error:
                    if error.status_code not in REACHABLE_STATUSES:
                        raise

    def _denies(self, model: ModelName, error: APIStatusError) -> bool:
        """Return whether a 404 is about the model, not the address: then its JSON body names the model.

        Never true for Azure, where the name is a deployment's, and deployments are not listed.
        """
        named = isinstance(error.body, dict) and model.model in str(error.body)
        return named and self._providers.kind(model.provider) != "azure"
