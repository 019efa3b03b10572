"""Texts that share a run of characters with a reason are found by their pieces."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.reason import REPEATED_RUN, repeats
from bot.similarity.packed import Packed
from bot.similarity.pieces import MOST_UNSORTED, Pieces

TEXTS = st.lists(st.text("abcdefghij ，。ＡＢ有給休暇の申請", max_size=80), max_size=8)


def packed(texts: list[str]) -> Packed:
    made = Packed()
    for text in texts:
        made.append(text)
    return made


@given(TEXTS, st.data())
def test_no_text_that_is_repeated_is_missed(texts: list[str], data: st.DataObject) -> None:
    quoted = data.draw(st.sampled_from(texts)) if texts else ""
    start = data.draw(st.integers(0, max(0, len(quoted) - REPEATED_RUN)))
    reason = f"because {quoted[start : start + REPEATED_RUN + 5]} decides"
    pieces = Pieces()
    pieces.follow(packed(texts))
    found = pieces.sharing(reason)
    assert {n for n, text in enumerate(texts) if repeats(reason, [text], "")} <= {*found}


def test_later_texts_are_found_among_many_sorted_ones() -> None:
    texts = packed([f"question number {n} about the vacation of employee {n * 7}" for n in range(MOST_UNSORTED)])
    pieces = Pieces()
    pieces.follow(texts)
    texts.append("どうしても四月から時短勤務に変更したいのですが")
    pieces.follow(texts)
    assert pieces.sharing("「四月から時短勤務に変更したいのですが」とある") == [MOST_UNSORTED]
    assert MOST_UNSORTED - 1 in pieces.sharing("it says number 4095 about the vacation of employee 28665")
    assert pieces.sharing("nothing of the kind was ever asked here") == []
