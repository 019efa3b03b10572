"""Texts by number: one that is known letter by letter gets the number that any look-up finds."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bot.similarity.compared_texts import ComparedTexts, TextNumbers
from bot.similarity.index import Index
from bot.similarity.meanings import Meanings

TEXTS = st.lists(st.sampled_from(["pay slip", "Pay slip!", "payslip", "pay-slip", "leave", "ＬＥＡＶＥ", "門", "!?"]))


@given(earlier=TEXTS, first=TEXTS, second=TEXTS)
def test_numbers_are_those_of_single_lookups(earlier: list[str], first: list[str], second: list[str]) -> None:
    texts = ComparedTexts(Index(), Meanings(None), private=True)
    for text in earlier:
        texts.slot(text)

    async def numbered() -> TextNumbers:
        numbers = TextNumbers(texts, asyncio.Lock())
        await numbers.add(first)
        await numbers.add(second)
        return numbers

    numbers = asyncio.run(numbered())
    added = [*first, *second]
    assert numbers.slots.tolist() == [texts.slot(text) for text in added]
    assert numbers.odd == {i: text for i, text in enumerate(added) if not texts.index.says(int(numbers.slots[i]), text)}
