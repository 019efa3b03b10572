"""A run of a few seconds, in place of the ten minutes of `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.running import Plan, run


@pytest.mark.timeout(120)
async def test_chaos_loses_nothing_and_never_answers_twice(tmp_path: Path) -> None:
    plan = Plan(
        minutes=0.15,
        questions=30,
        life=3.0,
        pause_every=5.0,
        crash_every=5.0,
        sockets_every=4.0,
        redeliver=(0.0, 2.0, 4.0),
    )
    report = await run(plan, tmp_path)
    assert not report.violations, "\n".join(map(str, report.violations))
    assert report.figures["asked"] == plan.questions
    assert report.figures.get("answered", 0)
    assert report.figures["corrections in the database"]
    assert report.figures.get("kill -9", 0)
