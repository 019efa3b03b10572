"""The parsing of model names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.release import ModelName

part = st.text("abcdefghijklmnopqrstuvwxyz0123456789-:._", min_size=1)


@given(part, st.lists(part, min_size=1, max_size=3).map("/".join))
def test_model_name_is_read_back(provider: str, model: str) -> None:
    name = ModelName.parse(f" {provider}/{model} ")
    assert (name.provider, name.model) == (provider, model)
    assert ModelName.parse(str(name)) == name


@pytest.mark.parametrize("text", ["", "base", "/", "local/", "/base"])
def test_incomplete_model_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="provider/model"):
        ModelName.parse(text)
