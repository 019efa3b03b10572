"""The SDK's client of one provider. This module imports the SDK, so it is imported when the first client is needed."""

from typing import Any

from openai import AsyncOpenAI


class ProviderClient(AsyncOpenAI):
    """The SDK's client without the organisation, project, admin key and headers from the environment.

    These belong to one account, and the SDK would send them to every provider. `with_options` copies a client through
    `__init__`, so copies are clean too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.organization = self.project = self.admin_api_key = self.webhook_secret = None
        self._custom_headers = {}
