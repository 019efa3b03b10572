"""The short form of `make chaos`: some seconds of it."""

from pathlib import Path

import pytest

from tests.chaos.running import Plan, run


@pytest.mark.timeout(120)
async def test_nothing_is_lost_and_nothing_is_answered_twice(tmp_path: Path) -> None:
    plan = Plan(
        minutes=0.15,
        questions=30,
        life=3.0,
        pause_every=5.0,
        crash_every=5.0,
        sockets_every=4.0,
        redeliver=(0.0, 2.0, 4.0),
    )
    outcomes = await run(plan, tmp_path)
    assert not outcomes.violations, "\n".join(map(str, outcomes.violations))
    assert outcomes.figures["asked"] == plan.questions
    assert outcomes.figures.get("answered", 0)
    assert outcomes.figures["corrections in the database"]
    assert outcomes.figures.get("kill -9", 0)
