"""Fixtures of the app's tests."""

import pytest


@pytest.fixture(autouse=True)
def use_fast_training(fast_training: None) -> None:
    """Train in workers that are forked, not started anew."""
