"""Status: which replica serves which release, and warnings about differences."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.budget import Spend
from bot.domain.replica import Replica
from bot.finetunes.status import Status
from handlers.texts.words import LANGUAGES, Words
from handlers.views.settlers import shares
from handlers.views.status import MOST_REPLICAS, attention, disagreements, replicas
from tests.kits.slack_desk import PROMPT

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
RELEASES_DIFFER = {"en": "Not every copy", "ja": "使っているバージョンが違います"}
VERSIONS_DIFFER = {"en": "different versions", "ja": "プログラムの版が違います"}


def replica(n: int = 1, release: str | None = "r1", version: str = "0.1.0") -> Replica:
    started = AT + timedelta(seconds=n)
    return Replica(id=f"id{n}", version=version, release_id=release, started_at=started, seen_at=AT)


def state_with(**facts: Any) -> Status:
    nothing: dict[str, Any] = {"other_encoders": [], "cut_prompts": [], "overridden": None, "mirror": None, "unfit": []}
    spend = Spend(since=AT, finetunes=0, answers=0, unpriced=(), budget=None)
    return Status.model_construct(
        None, **(nothing | {"unreadable": {}, "replicas": [], "spend": spend, "forgotten": {}} | facts)
    )


def replicas_text(given: list[Replica], language: str) -> str:
    """Return what the details say of these replicas, and what status warns of."""
    words = Words(language)
    return "\n".join([*replicas(given, words), *attention(state_with(replicas=given), words)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_replica_is_listed_with_its_release(language: str) -> None:
    text = replicas_text([replica(1), replica(2)], language)
    assert text.count("`r1`") == 2
    assert "`id1`" in text
    assert "`id2`" in text
    assert "0.1.0" in text
    assert RELEASES_DIFFER[language] not in text
    assert VERSIONS_DIFFER[language] not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_differences_between_replicas_have_a_warning(language: str) -> None:
    assert RELEASES_DIFFER[language] in replicas_text([replica(1), replica(2, release="r2")], language)
    assert RELEASES_DIFFER[language] in replicas_text([replica(1), replica(2, release=None)], language)
    assert VERSIONS_DIFFER[language] in replicas_text([replica(1), replica(2, version="0.2.0")], language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_unlisted_replicas_are_compared_too(language: str) -> None:
    many = [replica(n) for n in range(MOST_REPLICAS + 5)]
    text = replicas_text([*many, replica(99, release="r2")], language)
    assert str(len(many) + 1) in text
    assert "`id99`" not in text
    assert RELEASES_DIFFER[language] in text


def test_no_replicas_give_no_lines() -> None:
    assert replicas([], Words("en")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_disagreements_name_current_and_retired_categories(language: str) -> None:
    state: dict[str, Any] = {"disagreements": [("labor", "it", 14), ("it", "other", 2)], "prompt": PROMPT}
    for current in (PROMPT, PROMPT.without("it")):
        lines = disagreements(Status.model_construct(None, **state, current=current), Words(language))
        assert "Labor 労務 ↔ IT: 14 · IT ↔ Other: 2" in "\n".join(lines).replace("：", ": ").replace("件", "")
    nothing: dict[str, Any] = {"disagreements": []}
    assert disagreements(Status.model_construct(None, **nothing), Words(language)) == []


def test_forgotten_settler_has_no_name() -> None:
    lines = shares({"forgotten:0a1b": {"it": 2}}, PROMPT, Words("en"))
    assert not any("0a1b" in line for line in lines)
    assert any("–: 2 (100%)" in line for line in lines)
