"""The Monday summary: at most six lines, without any text of a question."""

from bot.domain.digest import AskedWeek, Digest, Judgement
from bot.domain.prompt import Prompt
from handlers.texts.escape import person
from handlers.texts.words import Words
from handlers.views.finetune import name_of
from handlers.views.glance import next_text
from handlers.views.ids import DIGEST_RESUME, DIGEST_STOP, NamedPayload
from handlers.views.message import Block, Message, button, context, date, section

MOST_CATEGORIES = 8
"""Most categories that are listed, so that it stays one line."""


def digest_message(
    digest: Digest, prompt: Prompt, words: Words, *, link: str | None, stopped_by: str | None = None
) -> Message:
    """Return the summary, with one button.

    Args:
        digest: The figures.
        prompt: Names the categories.
        words: The readers' language.
        link: The permalink of the question that has waited longest; without it, that line is left out.
        stopped_by: The person who stopped the summary; None while it is sent.
    """
    title = words("digest.title", n=digest.asked.total, before=digest.asked_before.total)
    lines = [title, _asked(digest.asked, digest.asked_before, prompt, words)]
    if digest.judgement.judged:
        lines.append(_right(digest.judgement, digest.judgement_before, words))
    if digest.waiting and link:
        category = name_of(prompt, digest.waiting.category, words)
        lines.append(words("digest.waiting", asked=date(digest.waiting.asked_at, link), category=category))
    learned = [words("digest.gained", n=digest.gained)] if digest.gained else []
    if digest.confused:
        one, other, n = digest.confused
        learned.append(
            words("digest.confused", one=name_of(prompt, one, words), other=name_of(prompt, other, words), n=n)
        )
    lines += [" ".join(learned)] if learned else []
    lines.append(next_text(digest.next, words))
    value = NamedPayload(id=digest.until.isoformat()).packed()
    if stopped_by:
        note = [context(words("digest.stopped", who=person(stopped_by)))]
        press = button(words("digest.resume"), DIGEST_RESUME, value)
    else:
        note, press = [], button(words("digest.stop"), DIGEST_STOP, value)
    actions: Block = {"type": "actions", "block_id": "digest", "elements": [press]}
    return Message(title, [section("\n".join(lines)), *note, actions])


def _asked(week: AskedWeek, before: AskedWeek, prompt: Prompt, words: Words) -> str:
    """Return the most asked categories, each with its change against the week before."""
    most = sorted(week.public, key=lambda category: (-week.public[category], category))[:MOST_CATEGORIES]
    parts = []
    for category in most:
        n = week.public[category]
        change = f"{n - before.public.get(category, 0):+d}".replace("-", "−").replace("+0", "±0")
        parts.append(words("digest.category", category=name_of(prompt, category, words), n=n, change=change))
    if week.private:
        parts.append(words("digest.private", n=week.private))
    return " · ".join(parts)


def _right(week: Judgement, before: Judgement, words: Words) -> str:
    facts = {"percent": f"{week.right / week.judged:.0%}", "right": week.right, "of": week.judged}
    if not before.judged:
        return words("digest.right", **facts)
    return words("digest.right_before", before=f"{before.right / before.judged:.0%}", **facts)
