"""What status says of money and of prompts that no longer fit, and how a start above the budget is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.budget import Spend
from bot.domain.errors import Reason, Refused
from bot.domain.release import ModelName, Release, ReleaseState
from bot.finetunes.status import Status
from handlers.texts.words import Words
from handlers.views.finetune import spend
from tests.kits.slack_desk import PROMPT

SPENT = Spend(
    since=datetime(2026, 11, 1, tzinfo=UTC), finetunes=3.2, answers=0.456, unpriced=("house/big",), budget=5.0
)
TUNED = Release(
    id="abc12345",
    model=ModelName(provider="openai", model="ft:gpt"),
    prompt_id=PROMPT.id,
    state=ReleaseState.RETIRED,
    finetune_id="ft-1",
    created_at=SPENT.since,
)


def told(language: str, **changes: Any) -> str:
    state: dict[str, Any] = {"spend": SPENT, "prompt": PROMPT, "current": PROMPT, "unfit": []} | changes
    return "\n".join(spend(Status.model_construct(None, **state), Words(language)))


@pytest.mark.parametrize(("language", "left"), [("en", "$1.34 left"), ("ja", "残り $1.34")])
def test_the_month_and_what_is_left_are_told_with_what_is_not_known(language: str, left: str) -> None:
    said = told(language)
    for part in ("$3.66", "$5.00", "$3.20", "$0.46", "2026-11-01", "`house/big`", left):
        assert part in said


def test_without_a_budget_there_is_no_left_and_an_overdrawn_one_is_not_below_zero() -> None:
    assert "no budget is set" in told("en", spend=SPENT.model_copy(update={"budget": None, "unpriced": ()}))
    assert "$0.00 left" in told("en", spend=SPENT.model_copy(update={"budget": 1.0}))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_fine_tunes_of_another_prompt_are_named(language: str) -> None:
    newer = PROMPT.changed(template="Choose well.")
    said = told(language, current=newer, unfit=[TUNED])
    assert newer.id[:12] in said
    assert "`abc12345` openai/ft:gpt" in said
    assert newer.id[:12] not in told(language)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_start_above_the_budget_is_refused_with_numbers_and_ways_on(language: str) -> None:
    refused = Refused(Reason.OVER_BUDGET, usd="7.50", left="1.34", spent="3.66", budget="5.00")
    said = Words(language).refusal(refused)
    for part in ("$7.50", "$1.34", "3.66", "5.00", "BOT_BUDGET_USD", "local/base"):
        assert part in said
