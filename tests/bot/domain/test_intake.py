"""The intake policy: which messages are questions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.intake import LONGEST_QUESTION, MOST_MASKED, cut, is_announced, notice_for, storable
from bot.domain.question import Notice, Via
from tests.bot.things import arrival


@pytest.mark.parametrize("text", ["有給は？", "leave?", "7", "¿vacaciones?", ":tada: 有給", "휴가", "A"])
def test_text_with_letter_or_digit_is_a_question(text: str) -> None:
    assert notice_for(arrival(text)) is None
    assert notice_for(arrival(text).model_copy(update={"has_files": True})) is None


@pytest.mark.parametrize(
    ("text", "has_files", "notice"),
    [
        ("", False, Notice.EMPTY),
        (" \n\u3000", False, Notice.EMPTY),
        ("", True, Notice.FILES_ONLY),
        (":page_facing_up:", True, Notice.FILES_ONLY),
        (":tada:", False, Notice.EMOJI_ONLY),
        (":+1::skin-tone-3: 🙂!", False, Notice.EMOJI_ONLY),
        ("？？？", False, Notice.EMOJI_ONLY),
    ],
)
def test_text_without_words_gets_its_notice(text: str, has_files: bool, notice: Notice) -> None:  # noqa: FBT001 - a parameter
    assert notice_for(arrival(text).model_copy(update={"has_files": has_files})) is notice


def test_outsider_gets_a_notice_for_any_text() -> None:
    assert notice_for(arrival("有給は？").model_copy(update={"outsider": True})) is Notice.OUTSIDER


def test_emoji_in_watched_channel_gets_no_notice() -> None:
    assert not is_announced(arrival(":tada:", via=Via.CHANNEL), Notice.EMOJI_ONLY)
    assert is_announced(arrival("", via=Via.CHANNEL), Notice.OUTSIDER)
    assert all(
        is_announced(arrival(":tada:", via=via), Notice.EMOJI_ONLY) for via in (Via.MENTION, Via.DM, Via.SHORTCUT)
    )


@settings(max_examples=30)
@given(st.text(max_size=20), st.integers(0, 2))
def test_long_text_is_cut_and_flagged(text: str, times: int) -> None:
    whole = (text + "長" * LONGEST_QUESTION) * times + text
    kept, was_cut = cut(whole)
    assert len(kept) <= LONGEST_QUESTION
    assert whole.strip().startswith(kept)
    assert was_cut == (len(whole.strip()) > LONGEST_QUESTION)
    assert cut(kept) == (kept, False)


def test_long_text_is_cut_before_it_is_masked() -> None:
    pasted = "tomo@example.com " + "1-" * 20_000
    kept = storable(arrival(pasted).model_copy(update={"quotes": (pasted, "short")}))
    assert kept.text.startswith("[mail] ")
    assert len(kept.whole) <= MOST_MASKED
    text, was_cut = cut(kept.text)
    assert (len(text), was_cut) == (LONGEST_QUESTION, True)
