"""What holds after a question's corrections."""

from bot.domain.correction import Correction, CorrectionKind, settlement
from tests.bot.things import START


def said(seq: int, kind: CorrectionKind) -> Correction:
    return Correction(
        question_id="q", seq=seq, kind=kind, verdict_id="v", category="it", reason=None, by="U2", at=START
    )


def test_the_newest_correction_holds_and_an_undo_reopens() -> None:
    agreed, changed, undone = (
        said(1, CorrectionKind.AGREE),
        said(2, CorrectionKind.CHANGE),
        said(3, CorrectionKind.UNDO),
    )
    assert settlement([]) is None
    assert settlement([agreed]) == agreed
    assert settlement([agreed, changed]) == changed
    assert settlement([agreed, changed, undone]) is None
    assert settlement([agreed, changed, undone, said(4, CorrectionKind.AGREE)]) == said(4, CorrectionKind.AGREE)
