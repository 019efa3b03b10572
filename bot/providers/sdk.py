"""The openai SDK, imported at its first use: it takes 30 MB and most of a second, which some commands save."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openai as sdk
else:

    class _AtFirstUse:
        """A stand-in for the module until one of its names is used."""

        def __getattr__(self, name: str) -> Any:
            import openai

            return getattr(openai, name)

    sdk = _AtFirstUse()

__all__ = ["load_sdk", "sdk"]


def load_sdk() -> None:
    """Import the SDK. Call it in a thread, so that the first question does not wait for it."""
    importlib.import_module("bot.providers.client")
