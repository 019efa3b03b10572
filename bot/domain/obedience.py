"""Limits on an answer: a model that obeys the text of a question would say what its asker wants.

A category is one of the list, whatever a model says. Its reason is free text that people read on a card. A reason is
left out if it could lead people somewhere, or if it says what the question told the model to say.
"""

import re
import unicodedata

from bot.domain.dataset import normalised

REACHING = re.compile(
    r"""<[@!#a-z]                                      # Slack's mentions and links
    |://|\bwww\.|\bmailto:                             # addresses
    |[a-z0-9]\.(?:com|net|org|io|jp|co|dev|app|example|test|invalid|ru|cn|xyz|info|biz|link|click|zip)\b
    |[@#][^\s@#]                                       # names of people, groups and channels
    |(?:^|\s)/[a-z]{3}|/finetune                       # commands
    |\b[UWCSGDT]0[A-Z0-9]{6,}\b                        # ids of Slack
    |[`*_~]{3}|!\[|\]\(                                # marks that make code, pictures and links
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Matches signs that reach beyond a card: a mention, a link, a command or an id."""
LONGEST_REASON = 2_000
"""Most characters of a reason that are kept; a card shows a fraction of them."""
QUOTED_RUN = 20
"""Number of characters in a row that a reason may not repeat of its question, without case, width and punctuation."""
SHORT_RUN = 8
"""Shortest run that counts as taken from the question."""
MOST_TAKEN = 0.7
"""Largest share of a reason that may be taken from the question, in runs of `SHORT_RUN` characters or more."""


def harmless_reason(reason: str, question: str) -> str:
    """Return a model's reason without hidden characters; empty if it reaches beyond the card or obeys its question.

    Args:
        reason: The model's text.
        question: The question that it answers.
    """
    reason = reason[:LONGEST_REASON]
    shown = " ".join("".join(one for one in reason if one.isspace() or unicodedata.category(one)[0] != "C").split())
    return "" if REACHING.search(unicodedata.normalize("NFKC", shown)) or is_dictated(shown, question) else shown


def is_dictated(reason: str, question: str) -> bool:
    """Return whether a reason says what stands in its question already. The time is linear in both."""
    said, asked = normalised(reason), normalised(question)
    if len(said) < SHORT_RUN:
        return bool(said) and said in asked
    long_runs = {asked[at : at + QUOTED_RUN] for at in range(len(asked) - QUOTED_RUN + 1)}
    if any(said[at : at + QUOTED_RUN] in long_runs for at in range(len(said) - QUOTED_RUN + 1)):
        return True
    runs, taken = {asked[at : at + SHORT_RUN] for at in range(len(asked) - SHORT_RUN + 1)}, set[int]()
    for at in range(len(said) - SHORT_RUN + 1):
        if said[at : at + SHORT_RUN] in runs:
            taken.update(range(at, at + SHORT_RUN))
    return len(taken) >= MOST_TAKEN * len(said)
