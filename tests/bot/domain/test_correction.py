"""What holds after a question's corrections."""

from bot.domain.correction import Correction, Kind, settlement
from tests.bot.things import START


def said(seq: int, kind: Kind) -> Correction:
    return Correction(
        question_id="q", seq=seq, kind=kind, verdict_id="v", category="it", reason=None, by="U2", at=START
    )


def test_the_newest_correction_holds_and_an_undo_reopens() -> None:
    agreed, changed, undone = said(1, Kind.AGREE), said(2, Kind.CHANGE), said(3, Kind.UNDO)
    assert settlement([]) is None
    assert settlement([agreed]) == agreed
    assert settlement([agreed, changed]) == changed
    assert settlement([agreed, changed, undone]) is None
    assert settlement([agreed, changed, undone, said(4, Kind.AGREE)]) == said(4, Kind.AGREE)
