"""Status lines about the spend and about prompts that no longer fit, and the refusal of a start above the budget."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.budget import Asked, Spend
from bot.domain.errors import Reason, Refused
from bot.domain.release import ModelName, Release, ReleaseState
from bot.finetunes.status import Status
from handlers.texts.words import Words
from handlers.views.status import spend_lines, spent
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
    version=3,
)


def state_with(**changes: Any) -> Status:
    state: dict[str, Any] = {"spend": SPENT, "prompt": PROMPT, "current": PROMPT, "unfit": []} | changes
    return Status.model_construct(None, **state)


def details_text(language: str, **changes: Any) -> str:
    return "\n".join(spend_lines(state_with(**changes), Words(language)))


@pytest.mark.parametrize(("language", "left"), [("en", "$1.34 left"), ("ja", "残り $1.34")])
def test_status_shows_cost_and_rest_of_budget(language: str, left: str) -> None:
    said = spent(SPENT, Words(language))
    for part in ("$3.66", "$5.00", left):
        assert part in said
    details = details_text(language)
    for part in ("$3.20", "$0.46", "<!date^", "`house/big`"):
        assert part in details


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "42 questions answered: 30 from memory at no cost, 12 by a model ($0.25)"), ("ja", "質問42件に回答")],
)
def test_status_counts_and_prices_memory_apart(language: str, said: str) -> None:
    asked = Asked(memory=30, model=12, usd=0.25)
    assert said in details_text(language, spend=SPENT.model_copy(update={"asked": asked}))


def test_rest_is_absent_or_never_negative() -> None:
    without = SPENT.model_copy(update={"budget": None})
    assert "No budget" in spent(without, Words("en"))
    assert "cost nothing" in spent(without.model_copy(update={"finetunes": 0.0, "answers": 0.0}), Words("en"))
    assert "$0.00 left" in spent(SPENT.model_copy(update={"budget": 1.0}), Words("en"))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_fine_tunes_of_another_prompt_are_named(language: str) -> None:
    newer = PROMPT.changed(template="Choose well.")
    said = details_text(language, current=newer, unfit=[TUNED])
    assert newer.id[:12] in said
    assert "v3" in said
    assert newer.id[:12] not in details_text(language)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_refusal_above_budget_shows_numbers_and_alternatives(language: str) -> None:
    refused = Refused(Reason.OVER_BUDGET, usd="7.50", left="1.34", spent="3.66", budget="5.00")
    said = Words(language).refusal(refused)
    for part in ("$7.50", "$1.34", "3.66", "5.00", "BOT_BUDGET_USD", "local/base"):
        assert part in said
