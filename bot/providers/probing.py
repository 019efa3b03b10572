"""Free checks that a provider is reachable and knows a model."""

import asyncio

import httpx2

from bot.domain.errors import ModelRefused, Trouble
from bot.domain.release import ModelName
from bot.providers.providers import Providers
from bot.providers.sdk import sdk
from bot.providers.wire import is_about_model, translate_errors

PROBE_SECONDS = 2.5
"""Deadline of one probe, in seconds."""
REACHABLE_STATUSES = frozenset({404, 405, 429, 501})
"""Error statuses of a working server: compatible servers need not list models, and an overload (429) passes."""


WRONG_ADDRESS_STATUSES = frozenset({404, 405})
"""Statuses of a server that answers no questions at this address."""


CHAT, EMBEDDINGS = "/chat/completions", "/embeddings"
"""Paths of a server. A request without a text is refused there, which shows that the server knows the path."""


class ProviderProbe:
    """A probe that asks providers about models without asking a model, so it costs nothing.

    Args:
        providers: The SDK clients.
        thorough: Where models are not listed, whether to check that questions are answered at the address.
    """

    def __init__(self, providers: Providers, *, thorough: bool = False) -> None:
        self._providers = providers
        self._thorough = thorough

    async def check_model(self, model: ModelName, path: str = CHAT) -> None:
        """Check that the model's provider answers, accepts our key, and does not deny the model.

        Args:
            model: The model.
            path: What the model is asked at.

        Raises:
            ModelDown: The provider does not answer or is in trouble.
            ModelRefused: The provider or the model does not exist, or the key is refused.
        """
        client = self._providers[model.provider].with_options(timeout=PROBE_SECONDS, max_retries=0)
        with translate_errors():
            async with asyncio.timeout(PROBE_SECONDS):
                try:
                    await client.models.with_raw_response.retrieve(model.model)
                except sdk.APIStatusError as error:
                    if error.status_code not in REACHABLE_STATUSES:
                        raise
                    if error.status_code == 404 and self._denies(model, error):
                        message = f"'{model.provider}' has no model '{model.model}'"
                        raise ModelRefused(message, Trouble.UNKNOWN_MODEL) from None
                    await self._check_address(client, error, path)
                if self._thorough and self._providers.kind(model.provider) == "azure":
                    await self._check_deployment(client, model, path)

    async def check_key(self, provider: str) -> None:
        """Check that a provider answers and accepts our key; raises what `reach` raises."""
        client = self._providers[provider].with_options(timeout=PROBE_SECONDS, max_retries=0)
        with translate_errors():
            async with asyncio.timeout(PROBE_SECONDS):
                try:
                    await client.models.with_raw_response.list()
                except sdk.APIStatusError as error:
                    if error.status_code not in REACHABLE_STATUSES:
                        raise
                    await self._check_address(client, error)

    async def _check_deployment(self, client: "sdk.AsyncOpenAI", model: ModelName, path: str) -> None:
        """Check that something is deployed under the model's name: by a question without text, which is refused.

        Raises:
            openai.APIStatusError: Nothing is deployed there, or the key is refused.
        """
        try:
            empty: dict[str, list[object]] = {"messages": []} if path == CHAT else {"input": []}
            await client.post(path, body={"model": model.model} | empty, cast_to=httpx2.Response)
        except sdk.APIStatusError as refusal:
            if refusal.status_code in {401, 403, 404}:
                raise

    async def _check_address(self, client: "sdk.AsyncOpenAI", error: "sdk.APIStatusError", path: str = CHAT) -> None:
        """Check that questions are answered at an address that lists no models: by an empty one, which is refused.

        Raises:
            ModelRefused: With UNKNOWN_ADDRESS.
            openai.APIStatusError: The key is refused.
        """
        if not self._thorough or error.status_code not in WRONG_ADDRESS_STATUSES:
            return
        try:
            await client.post(path, body={}, cast_to=httpx2.Response)
        except sdk.APIStatusError as refusal:
            if refusal.status_code in WRONG_ADDRESS_STATUSES and not is_about_model(refusal):
                raise ModelRefused("nothing answers questions there", Trouble.UNKNOWN_ADDRESS) from None
            if refusal.status_code in {401, 403}:
                raise

    def _denies(self, model: ModelName, error: "sdk.APIStatusError") -> bool:
        """Return whether a 404 is about the model, not the address: then its JSON body names the model.

        Never true for Azure, where the name is a deployment's, and deployments are not listed.
        """
        named = isinstance(error.body, dict) and model.model in str(error.body)
        return named and self._providers.kind(model.provider) != "azure"
