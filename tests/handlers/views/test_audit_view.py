"""The audit log as people read it."""

from datetime import UTC, datetime

import pytest

from bot.domain.audit import AuditAct, AuditEntry
from bot.domain.correction import CorrectionKind
from handlers.texts.words import LANGUAGES, Words
from handlers.views.audit import audit_message

FACTS = {"rows": 3, "error": "ratelimited", "student": "local/base", "recall": 3, "threshold": "0.6"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_act_and_fact_has_words(language: str) -> None:
    facts = FACTS | {kind.value: 2 for kind in CorrectionKind}
    at = datetime(2026, 11, 30, tzinfo=UTC)
    entries = [
        AuditEntry(seq=seq, at=at, who="person-1", act=act, thing="v2", facts=facts, before="")
        for seq, act in enumerate(AuditAct, 1)
    ]
    shown = str(audit_message(entries, {"person-1": "U1"}, Words(language)).blocks)
    assert shown.count("<@U1>") == len(entries)
    assert "local/base" not in shown
    assert Words(language)("permission.embedded") in shown


def test_ids_are_left_to_the_file() -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    entries = [
        AuditEntry(
            seq=1, at=at, who="person-1", act=AuditAct.EXPORTED, thing="a0205c710f02", facts={"rows": 3}, before=""
        ),
        AuditEntry(seq=2, at=at, who="person-1", act=AuditAct.SWITCHED, thing="v2", facts={}, before=""),
    ]
    shown = str(audit_message(entries, {}, Words("ja")).blocks)
    assert "学習データを書き出し（学習データ 3件）" in shown
    assert "切り替え：v2" in shown
    assert "a0205c710f02" not in shown
    assert "exported the training examples (3 examples)" in str(audit_message(entries, {}, Words("en")).blocks)


def test_one_of_a_kind_is_singular() -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    entry = AuditEntry(seq=1, at=at, who="person-1", act=AuditAct.EXPORTED, thing="", facts={"rows": 1}, before="")
    assert "exported the training examples (1 example)" in str(audit_message([entry], {}, Words("en")).blocks)


def test_hosted_model_has_its_name() -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    facts = {"student": "openai/gpt-4.1-mini"}
    entry = AuditEntry(seq=1, at=at, who="person-1", act=AuditAct.TRAINING_STARTED, thing="x", facts=facts, before="")
    assert "started the training (openai/gpt-4.1-mini)" in str(audit_message([entry], {}, Words("en")).blocks)
