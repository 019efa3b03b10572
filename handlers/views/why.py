"""Why an answer was given: what the record holds of it, for one person's eyes."""

from bot.corrections.explaining import Explanation
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.card import settlement, sureness
from handlers.views.finetune import name_of
from handlers.views.message import Message, context, date, section

QUOTED_CHARACTERS = 300
"""Characters of a text of somebody else, and of a reason."""


def why(told: Explanation, words: Words, *, staff: bool) -> Message:
    """The verdict, the release that gave it, and what it is like. Only staff read what others have asked."""
    card, verdict, release = told.card, told.card.verdict, told.release
    title = words("why.title", category=name_of(card.prompt, verdict.category))
    lines = [
        words("why.reason", reason=escaped(verdict.reason, QUOTED_CHARACTERS), sure=sureness(card, words)),
        settlement(card, words) if card.settled else words("why.open"),
    ]
    served = words("why.never") if told.serving_since is None else words("why.since", since=date(told.serving_since))
    lines += [
        words(
            "why.release",
            model=escaped(str(release.model)),
            release=release.id,
            prompt=release.prompt_id[:12],
            state=words(f"finetune.release.{release.state.value}"),
        ),
        served,
        words("why.recall", k=release.recall) if release.recall else words("why.no_recall"),
    ]
    blocks = [section(f"*{title}*\n" + "\n".join(f"• {line}" for line in lines), verbatim=True)]
    if told.nearest:
        near = [
            words("why.near", category=name_of(card.prompt, one.category), percent=round(one.similarity * 100))
            + (f" {escaped(one.text, QUOTED_CHARACTERS)}" if staff else "")
            for one in told.nearest
        ]
        blocks.append(section("\n".join([words("why.nearest"), *near]), verbatim=True))
    cost = {"ms": verdict.latency_ms, "tokens_in": verdict.tokens_in, "tokens_out": verdict.tokens_out}
    blocks.append(context(words("why.cost", at=date(verdict.at), **cost)))
    return Message(title, blocks)
