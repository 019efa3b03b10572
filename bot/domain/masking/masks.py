"""All masks, and the search for what they mask."""

from bot.domain.characters import clean_text
from bot.domain.masking.addresses import ADDRESS_MASKS
from bot.domain.masking.folded import FoldedText
from bot.domain.masking.labelled import LABELLED_MASKS
from bot.domain.masking.mails import MAIL_MASKS
from bot.domain.masking.numbers import NUMBER_MASKS
from bot.domain.masking.secrets import SECRET_MASKS

MASKS = (*SECRET_MASKS, *MAIL_MASKS, *LABELLED_MASKS, *ADDRESS_MASKS, *NUMBER_MASKS)
"""Every kind, in the order of the search: what a label names comes before what a number looks like."""
MOST_ROUNDS = 6
"""Upper bound of rounds. A second round finds what the mask before it laid open; more are rare."""


def replaced(text: str) -> str:
    """Return the text with a word in brackets for all that a mask finds, see `masked`."""
    text = clean_text(text)
    for _ in range(MOST_ROUNDS):
        before = text
        folded = FoldedText.of(text)
        for mask in MASKS:
            if folded.may_hold(mask) and (text := folded.replaced(mask)) != folded.text:
                folded = FoldedText.of(text)
        if text == before:
            break
    return text
