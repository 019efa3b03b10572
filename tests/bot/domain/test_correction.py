"""The correction in force after several corrections of a question."""

from bot.domain.correction import Correction, CorrectionKind, settlement
from tests.bot.things import START


def correction(seq: int, kind: CorrectionKind) -> Correction:
    return Correction(
        question_id="q", seq=seq, kind=kind, verdict_id="v", category="it", reason=None, by="U2", at=START
    )


def test_newest_correction_holds_and_undo_reopens() -> None:
    agreed, changed = correction(1, CorrectionKind.AGREE), correction(2, CorrectionKind.CHANGE)
    assert settlement(None) is None
    assert settlement(agreed) == agreed
    assert settlement(changed) == changed
    assert settlement(correction(3, CorrectionKind.UNDO)) is None
