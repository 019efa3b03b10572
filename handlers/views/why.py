"""The private message that explains why an answer was given."""

from bot.corrections.explaining import Explanation
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.card import confidence_text, remembered, settlement
from handlers.views.finetune import name_of
from handlers.views.message import Message, context, date, section
from handlers.views.version import version

QUOTED_CHARACTERS = 300
"""Maximum length of a reason and of another person's question, in characters."""


def why(explanation: Explanation, words: Words, *, staff: bool) -> Message:
    """Return the verdict, the release that gave it, and the nearest settled questions, for staff alone."""
    card, verdict = explanation.card, explanation.card.verdict
    title = words("why.title", category=name_of(card.prompt, verdict.category, words))
    reason = remembered(verdict, words) or escaped(verdict.reason, QUOTED_CHARACTERS) or words("why.no_reason")
    lines = [
        words("why.reason", reason=reason, sure=confidence_text(card, words)),
        settlement(card, words) if card.settled else words("why.open"),
        *([] if verdict.from_memory else _release_lines(explanation, words)),
    ]
    blocks = [section(f"*{title}*\n" + "\n".join(f"• {line}" for line in lines))]
    if explanation.nearest and staff:
        nearest = [
            words("why.near", category=name_of(card.prompt, row.category, words), percent=round(row.similarity * 100))
            + f" {escaped(row.text, QUOTED_CHARACTERS)}"
            for row in explanation.nearest
        ]
        blocks.append(section("\n".join([words("why.nearest"), *nearest])))
    if not verdict.from_memory:
        cost = {"ms": verdict.latency_ms, "tokens_in": verdict.tokens_in, "tokens_out": verdict.tokens_out}
        blocks.append(context(words("why.cost", at=date(verdict.at), **cost)))
    return Message(title, blocks)


def _release_lines(explanation: Explanation, words: Words) -> list[str]:
    """Return which release answered, since when it had served, and what it was shown."""
    release, since = explanation.release, explanation.serving_since
    return [
        words(
            "why.release",
            version=version(release, words),
            state=words(f"finetune.release.{release.state.value}"),
        ),
        words("why.never") if since is None else words("why.since", since=date(since)),
        words("why.recall", k=release.recall) if release.recall else words("why.no_recall"),
    ]
