"""Status: which replica serves what, and what is wrong where they differ."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.models.blocks import SectionBlock

from bot.domain.replica import Replica
from bot.finetunes.status import Status
from handlers.texts.words import LANGUAGES, Words
from handlers.views.finetune import MOST_REPLICAS, disagreements, replicas
from tests.kits.slack_desk import PROMPT, texts

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
DIFFERENT = {"en": "Not all replicas", "ja": "リリースが違います"}
VERSIONS = {"en": "different versions", "ja": "バージョンが違います"}


def replica(n: int = 1, release: str | None = "r1", version: str = "0.1.0") -> Replica:
    started = AT + timedelta(seconds=n)
    return Replica(id=f"id{n}", version=version, release_id=release, started_at=started, seen_at=AT)


def told(given: list[Replica], language: str) -> str:
    blocks = replicas(given, Words(language))
    for block in blocks:
        SectionBlock(**block).to_dict()
    return texts({"blocks": blocks})


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_named_with_its_release(language: str) -> None:
    text = told([replica(1), replica(2)], language)
    assert text.count("`r1`") == 2
    assert "`id1`" in text
    assert "`id2`" in text
    assert "0.1.0" in text
    assert DIFFERENT[language] not in text
    assert VERSIONS[language] not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_differences_are_warned_of(language: str) -> None:
    assert DIFFERENT[language] in told([replica(1), replica(2, release="r2")], language)
    assert DIFFERENT[language] in told([replica(1), replica(2, release=None)], language)
    assert VERSIONS[language] in told([replica(1), replica(2, version="0.2.0")], language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_many_the_first_are_listed_and_all_are_compared(language: str) -> None:
    many = [replica(n) for n in range(MOST_REPLICAS + 5)]
    text = told([*many, replica(99, release="r2")], language)
    assert str(len(many) + 1) in text
    assert "`id99`" not in text
    assert DIFFERENT[language] in text


def test_before_the_first_beat_nothing_is_said() -> None:
    assert replicas([], Words("en")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_staff_disagree_on_is_told_by_name_after_one_of_a_pair_was_retired_too(language: str) -> None:
    state: dict[str, Any] = {"disagreements": [("labor", "it", 14), ("it", "other", 2)], "prompt": PROMPT}
    for current in (PROMPT, PROMPT.without("it")):
        blocks = disagreements(Status.model_construct(None, **state, current=current), Words(language))
        assert "Labor 労務 ↔ IT: 14 · IT ↔ Other: 2" in texts({"blocks": blocks})
    nothing: dict[str, Any] = {"disagreements": []}
    assert disagreements(Status.model_construct(None, **nothing), Words(language)) == []
