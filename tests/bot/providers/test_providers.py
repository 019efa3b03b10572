"""The addresses of providers."""

import pytest

from bot.providers.providers import address_to_try


@pytest.mark.parametrize(
    ("base_url", "other"),
    [
        ("http://gpu:8000", "http://gpu:8000/v1"),
        ("http://gpu:8000/", "http://gpu:8000/v1"),
        ("http://me:secret@gpu:8000", "http://gpu:8000/v1"),
        ("https://host/api", "https://host/api/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://host/v1/models/", "https://host/v1"),
        ("https://res.openai.azure.com/", "https://res.openai.azure.com/openai/v1"),
        ("https://res.openai.azure.com/openai", "https://res.openai.azure.com/openai/v1"),
        ("https://host/v1", None),
        ("https://host/v1/", None),
        ("https://host/v1beta/", None),
        ("https://host/api/v3", None),
    ],
)
def test_address_to_try_ends_in_a_version(base_url: str, other: str | None) -> None:
    assert address_to_try(base_url) == other
