"""The choice of the fallback release."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.fallback import FALLBACK_RECALL, Fallback
from bot.domain.release import ModelName, Release, ReleaseState

AT = datetime(2026, 11, 22, tzinfo=UTC)
BASE = ModelName(provider="local", model="base")
TUNED = ModelName(provider="local", model="ft:base:1")
LUNA = ModelName(provider="openai", model="luna")


def release(n: int, model: ModelName, prompt_id: str = "p1", recall: int = 0, *, tuned: bool = False) -> Release:
    return Release(
        id=f"r{n}",
        model=model,
        prompt_id=prompt_id,
        recall=recall,
        state=ReleaseState.CANDIDATE,
        finetune_id=f"ft-{n}" if tuned else None,
        created_at=AT,
    )


SERVING = release(0, LUNA)
RULE = Fallback(model=BASE, finetuned=True)


def test_newest_finetune_on_the_same_prompt_wins() -> None:
    older, newer = release(1, TUNED, tuned=True), release(2, TUNED, tuned=True)
    of_another_prompt = release(3, TUNED, "p2", tuned=True)
    base = release(4, BASE, recall=FALLBACK_RECALL)
    assert RULE.among([of_another_prompt, base, newer, older, SERVING], SERVING) == newer
    assert RULE.among([of_another_prompt, base, SERVING], SERVING) == base
    assert RULE.among([of_another_prompt, release(5, BASE), SERVING], SERVING) is None
    chosen = Fallback(model=BASE)
    assert chosen.among([newer, base, SERVING], SERVING) == base


def test_same_provider_gets_no_fallback() -> None:
    local = release(1, BASE)
    assert RULE.wanted(local) is None
    assert RULE.among([release(2, BASE, recall=FALLBACK_RECALL), local], local) is None
    assert Fallback().wanted(SERVING) is None
    assert RULE.wanted(SERVING) == BASE


models = st.sampled_from([BASE, TUNED, LUNA, ModelName(provider="acme", model="m")])
releases = st.builds(
    release,
    st.integers(0, 99),
    models,
    st.sampled_from(["p1", "p2"]),
    st.sampled_from([0, FALLBACK_RECALL]),
    tuned=st.booleans(),
)


@given(serving=releases, others=st.lists(releases), model=st.none() | models, finetuned=st.booleans())
def test_fallback_has_another_provider_and_same_prompt(
    serving: Release, others: list[Release], model: ModelName | None, *, finetuned: bool
) -> None:
    found = Fallback(model=model, finetuned=finetuned).among([*others, serving], serving)
    if found:
        assert found.prompt_id == serving.prompt_id
        assert model is not None
        assert found.model.provider == model.provider != serving.model.provider
