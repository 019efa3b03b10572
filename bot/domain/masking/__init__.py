"""The masking of personal data and secrets, before a text is stored or sent (docs/masking.md)."""

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


def masked(text: str) -> str:
    """Replace personal data and secrets with a word in brackets that names their kind; keep everything else.

    Characters that cannot be stored are replaced too. The time is linear in the length of the text.
    """
    text = clean_text(text)
    for _ in range(MOST_ROUNDS):
        before = text
        for mask in MASKS:
            text = FoldedText.of(text).replaced(mask)
        if text == before:
            break
    return text
