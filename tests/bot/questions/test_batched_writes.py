import asyncio
from collections.abc import Sequence

import pytest

from bot.questions.batched_writes import BatchedWrites


class Desk:
    """Doubles numbers, and remembers in which company."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def work(self, numbers: Sequence[int]) -> list[int]:
        self.turns.append([*numbers])
        await asyncio.sleep(0)
        await self.open.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_nobody_waits_for_company_and_who_comes_meanwhile_goes_together(desk: Desk) -> None:
    together = BatchedWrites(desk.work, 4)
    assert await asyncio.gather(*map(together.do, range(10))) == [2 * n for n in range(10)]
    assert desk.turns == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert await together.do(50) == 100
    assert desk.turns[-1] == [50]


async def test_who_comes_during_a_turn_shares_the_next_one(desk: Desk) -> None:
    together = BatchedWrites(desk.work, 4)
    desk.open.clear()
    first = asyncio.create_task(together.do(1))
    await asyncio.sleep(0)
    others = asyncio.gather(together.do(2), together.do(3))
    await asyncio.sleep(0)
    desk.open.set()
    assert (await first, *await others) == (2, 4, 6)
    assert desk.turns == [[1], [2, 3]]


async def test_one_that_fails_fails_alone(desk: Desk) -> None:
    together = BatchedWrites(desk.work, 4)
    outcomes = await asyncio.gather(*map(together.do, (11, 12, 13, 14)), return_exceptions=True)
    assert desk.turns == [[11], [12, 13, 14], [12], [13], [14]]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [22, 24, 28]
    assert isinstance(outcomes[2], ValueError)


async def test_who_goes_away_takes_nobody_along(desk: Desk) -> None:
    together = BatchedWrites(desk.work, 4)
    desk.open.clear()
    waiting = [asyncio.create_task(together.do(n)) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # it has the turn
    waiting[2].cancel()  # it waits for one
    await asyncio.sleep(0)
    desk.open.set()
    assert await waiting[1] == 4
    assert desk.turns == [[1], [2]]
