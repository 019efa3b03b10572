"""The card: the one visible answer to a question, with the controls to correct it."""

from typing import Any

from bot.domain.card import DOUBTFUL_BELOW, Card
from bot.domain.correction import CorrectionKind
from bot.domain.question import Unread, Verdict
from bot.domain.reason import tells_why
from handlers.texts.escape import escaped, mention, person
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.feedback import rating
from handlers.views.ids import CategoryChoice, Form, SeenPayload
from handlers.views.message import Block, Message, button, context, date, day, option, plain, section, select

MOST_BUTTONS = 5
"""Maximum number of categories that have a button each in the review queue."""
NEXT_LIKELY = 3
"""Number of other categories that have a button on the card, and of all categories on a card that is unsure."""
NEXT_OF_TWO = 1
"""Number of other categories with a button, per question, on a card with two questions: both must fit on a phone."""
PART_SHOWN = 90
"""Maximum length of each of two questions on the card, in characters."""
REASON_LENGTH = 500
"""Maximum length of a reason that a person writes, in characters."""
REASON_SHOWN = 1_500
"""Maximum length of a reason or guide on the card, in characters."""
CERTAINTY = ((0.9, "high"), (0.7, "fair"), (DOUBTFUL_BELOW, "low"))
"""Least confidence of each degree of certainty that people read; below is a guess."""

UNREAD_TEXTS = {
    Unread.FORWARD: "card.unread_forward",
    Unread.THREAD: "card.unread_thread",
    Unread.OTHER: "card.unread_other",
}
"""Text for each part of a message that was not read."""


def card(shown: Card, words: Words, staff: str = "") -> Message:
    """Return the card in its current state.

    The controls have a different block id in each state, so that a press on an old state can be recognised.

    Args:
        shown: The question, its verdict and its settlement.
        words: The asker's language.
        staff: Mentions of the people who are asked instead of an owner if the bot is unsure.
    """
    if shown.second:
        return _both(shown, shown.second, words, staff)
    blocks = _answer(shown, words, _head(shown, words, staff))
    blocks.append(rating(shown, words))
    elements = _settled_controls(shown, words) if shown.settled else _controls(shown, words)
    blocks.append(_actions(shown, elements))
    return Message(_summary(shown, words, staff), blocks)


def _both(shown: Card, second: Card, words: Words, staff: str) -> Message:
    """Return the card of a message that asks two questions: each with its words, its team and fewer buttons.

    Nobody is mentioned twice.
    """
    blocks: list[Block] = []
    for part, told in ((shown, ""), (second, told_by(shown, staff))):
        first, *others = _head(part, words, staff, told)
        blocks += _answer(part, words, [first, asked(part), *others])
        few = _settled_controls(part, words) if part.settled else _controls(part, words, NEXT_OF_TWO)
        blocks += [_actions(part, few), {"type": "divider"}]
    blocks.append(rating(shown, words))
    summaries = (_summary(shown, words, staff), _summary(second, words, staff, told_by(shown, staff)))
    return Message(" / ".join(summaries), blocks)


def asked(part: Card) -> str:
    """Return, as mrkdwn, the beginning of one of a message's two questions."""
    return f"> {escaped(' '.join(part.question.text.split()), PART_SHOWN)}"


def told_by(first: Card, staff: str) -> str:
    """Return the mentions on the first of two questions."""
    return staff if first.guessed else mention(first.owner) or ""


def _answer(shown: Card, words: Words, head: list[str]) -> list[Block]:
    blocks = [section("\n".join(head))]
    reason = _reason(shown)
    if reason:
        blocks.append(section(reason))
    return blocks + [context(line) for line in (small_print(shown, words), _became(shown, words)) if line]


def _actions(shown: Card, elements: list[Block]) -> Block:
    return {"type": "actions", "block_id": f"card.{shown.verdict.id}.{shown.state}", "elements": elements}


def settled_first(shown: Card, words: Words) -> str:
    """Return, as mrkdwn, how somebody else settled or reopened the question first."""
    if shown.settled is None:
        return words("correct.reopened")
    return words("correct.already", category=_name(shown, words), who=person(shown.settled.by))


def settled_the_same(shown: Card, words: Words) -> str:
    """Return, as mrkdwn, that somebody else settled the question the same way first."""
    return words("correct.same", category=_name(shown, words), who=person(shown.settled.by) if shown.settled else "")


def settle_anyway(shown: Card, choice: CategoryChoice, words: Words) -> Message:
    """Return a message that tells who was first, with a button to settle the question differently anyway."""
    category = shown.prompt.category(choice.category)
    name = words.name(category) if category else choice.category
    again = choice.model_copy(update={"seen": shown.seen})
    text = settled_first(shown, words)
    anyway = button(words("correct.anyway", category=name), ids.ANYWAY, again.packed())
    block_id = f"anyway.{shown.verdict.id}.{shown.seen}"
    return Message(text, [section(text), {"type": "actions", "block_id": block_id, "elements": [anyway]}])


def modal(shown: Card, form: Form, category: str | None, words: Words, *, drafting: bool = False) -> dict[str, Any]:
    """Return the form for a category and a reason. A suggestion stands beside the reason, never in it.

    Args:
        shown: The card when the form was opened.
        form: The form's private data, with the suggestion.
        category: Id of the category that is chosen in the form, if any.
        words: The language of the person who corrects.
        drafting: Whether a suggestion is on its way.
    """
    options = [option(words.name(c), c.id) for c in shown.prompt.categories]
    initial = next((o for o in options if o["value"] == category), None)
    suggestion = [_suggestion(form, category, words)] if form.draft and form.draft != form.filled else []
    return {
        "type": "modal",
        "callback_id": ids.MODAL,
        "private_metadata": form.packed(),
        "title": plain(words("correct.modal.title"), 24),
        "submit": plain(words("correct.modal.submit"), 24),
        "close": plain(words("correct.modal.close"), 24),
        "blocks": [
            *([section(settled_first(shown, words))] if shown.settled else []),
            {
                "type": "input",
                "block_id": ids.CATEGORY_INPUT,
                "dispatch_action": True,
                "label": plain(words("correct.modal.category"), 2_000),
                "element": select(words("card.choose"), ids.CATEGORY_INPUT, options, initial),
            },
            _reason_input(form, words),
            *([context(words("correct.modal.drafting"))] if drafting else suggestion),
        ],
    }


def _suggestion(form: Form, category: str | None, words: Words) -> Block:
    use = button(words("correct.modal.use"), ids.USE_DRAFT, category or "")
    return section(words("correct.modal.drafted", draft=escaped(form.draft or "", REASON_SHOWN)), accessory=use)


def _reason_input(form: Form, words: Words) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": ids.REASON_INPUT,
        "multiline": True,
        "max_length": REASON_LENGTH,
    }
    if form.filled:
        element["initial_value"] = form.filled
    return {
        "type": "input",
        # Slack keeps the text of an input whose block id stays the same: what a person typed is never replaced.
        "block_id": f"{ids.REASON_INPUT}.{form.filled_for or ''}",
        "optional": True,
        "label": plain(words("correct.modal.reason"), 2_000),
        "hint": plain(words("correct.modal.hint"), 2_000),
        "element": element,
    }


def _head(shown: Card, words: Words, staff: str, told: str = "") -> list[str]:
    """Return the category and its owner, and what the asker can do; for a guess, who is asked to look.

    Args:
        shown: The card.
        words: The asker's language.
        staff: Mentions of the people who are asked about a guess.
        told: Mentions that the message has already; none of them is repeated.
    """
    name = _name(shown, words)
    if shown.guessed:
        others = ", ".join(one for one in staff.split(", ") if one not in told)
        return [words("card.guess", category=name), words("card.ask_staff", staff=others).strip()]
    owner = mention(shown.owner)
    if owner and owner in told:
        owner = words("card.same_owner")
    key = "card.perhaps" if shown.doubtful else "card.owner"
    first = words(key, category=name, owner=owner) if owner else words(f"{key}_nobody", category=name)
    guide = shown.category.guide if shown.category else None
    return [first, words("card.guide", guide=escaped(guide, REASON_SHOWN))] if guide else [first]


def moved(shown: Card, words: Words, asked: str = "") -> Message | None:
    """Return the message that tells the asker and the new owner who has the question now; None if nobody needs it.

    Nobody is mentioned twice: not the person who moved it, and no owner whom the unsure card has asked already.

    Args:
        shown: The card with its new category.
        words: The asker's language.
        asked: Mentions of the people whom an unsure card asks.
    """
    by = shown.settled.by if shown.settled else None
    asker = mention(shown.question.asker) if shown.question.asker != by else None
    owner = mention(shown.owner) if shown.owner != by else None
    if owner and (shown.question.direct or (shown.unsure and owner in asked)):
        owner = None  # in a direct message nobody but the asker would read it
    if asker is None and owner is None:
        return None
    key = "card.moved" if owner else "card.moved_nobody"
    text = words(
        key, asker=words("card.hello", asker=asker) if asker else "", owner=owner, category=_name(shown, words)
    )
    return Message(text.strip(), [section(text.strip())])


def _name(shown: Card, words: Words) -> str:
    category = shown.category
    return escaped(words.name(category) if category else (shown.settled or shown.verdict).category)


def _model_name(shown: Card) -> str:
    """Return the category's name as the model knows it, whatever the reader does."""
    return escaped(shown.category.name if shown.category else shown.verdict.category)


def _reason(shown: Card) -> str:
    """Return, as mrkdwn, the reason for the current category; empty for another one's, and for one that says nothing.

    What staff wrote is always shown.
    """
    if shown.settled and shown.settled.reason:
        return escaped(shown.settled.reason, REASON_SHOWN)
    if shown.settled and shown.settled.category != shown.verdict.category:
        return ""
    if shown.verdict.from_memory:
        return ""
    return escaped(shown.verdict.reason, REASON_SHOWN) if tells_why(shown.verdict.reason, _model_name(shown)) else ""


def remembered(verdict: Verdict, words: Words) -> str:
    """Return, as mrkdwn, what an answer from memory repeats; an empty text for a model's answer."""
    if not verdict.from_memory:
        return ""
    at = verdict.row_settled_at
    return words("card.remembered", at=day(at)) if at else words("card.remembered_import")


def confidence_text(shown: Card, words: Words) -> str:
    """Return in words how sure the model was, with the percentage; that it did not tell, or that no model was asked."""
    confidence = shown.verdict.confidence
    if shown.verdict.from_memory:
        return words("card.memory")
    if confidence is None:
        return words("card.unsure")
    level = next((level for least, level in CERTAINTY if confidence >= least), "guess")
    # A model is never certain: 99.6 % must not read as 100 %.
    return words(f"card.sure.{level}", percent=min(99, round(confidence * 100)))


def small_print(shown: Card, words: Words) -> str:
    """Return how sure the answer is, and what to know about it; empty if there is nothing to say."""
    from bot.domain.parts import asks_several  # no start waits for its patterns

    verdict = shown.prompt.category(shown.verdict.category)
    changed = shown.settled and shown.settled.category != shown.verdict.category
    parts = [words("card.late")] if shown.question.late else []
    if changed:
        parts.append(words("card.first", category=escaped(words.name(verdict) if verdict else "")))
    elif shown.verdict.from_memory:
        parts.append(remembered(shown.verdict, words))
    elif shown.verdict.confidence is not None and not shown.settled:
        parts.append(confidence_text(shown, words))
    if asks_several(shown.question.text):
        parts.append(words("card.several"))
    if shown.question.cut:
        parts.append(words("card.cut"))
    parts += _unread(shown.question.unread or "", words)
    if shown.verdict.provisional and not shown.settled:
        parts.append(words("card.provisional"))
    return " · ".join(parts)


def _became(shown: Card, words: Words) -> str:
    """Return what became of the question, one thing a line: who settled it, who has it, what the asker says."""
    parts = []
    if shown.settled:
        parts.append(settlement(shown, words))
        parts += [words("card.waits")] if shown.question.withheld else []
    if shown.signal:
        facts = {"who": person(shown.signal.by), "at": date(shown.signal.at)}
        parts.append(words(f"card.signal.{shown.signal.kind.value}", **facts))
    if shown.feedback:
        parts.append(words("card.solved" if shown.feedback.helped else "card.unsolved"))
    return "\n".join(parts)


def _unread(unread: str, words: Words) -> list[str]:
    """Return what of the message was not read: other people's messages, files by name, and other parts."""
    things = [thing for thing in unread.split("\n") if thing]
    files = ", ".join(escaped(thing) for thing in things if not thing.startswith(":"))
    said = [words("card.unread_files", files=files)] if files else []
    return said + [words(key) for thing, key in UNREAD_TEXTS.items() if thing in things]


def settlement(shown: Card, words: Words) -> str:
    """Return who settled the question, and when."""
    assert shown.settled  # noqa: S101 - callers pass settled cards only
    key = "card.agreed" if shown.settled.kind is CorrectionKind.AGREE else "card.changed"
    return words(key, who=person(shown.settled.by), at=date(shown.settled.at))


def _controls(shown: Card, words: Words, likely: int = NEXT_LIKELY) -> list[Block]:
    """Return the controls of an open question: agree, the next likely categories, and all others.

    Where the answer is only likely, the likeliest categories stand beside each other as equals.
    """
    offered = shown.likely[: max(2, likely) if shown.doubtful else likely + 1]
    buttons = []
    for n, category in enumerate(offered):
        agreed = category.id == shown.verdict.category
        value = CategoryChoice(question=shown.question.id, seen=shown.seen, category=category.id).packed()
        label = words("card.agree") if agreed and not shown.doubtful else words.name(category)
        buttons.append(button(label, ids.AGREE if agreed else f"{ids.CHANGE}.{n - 1}", value))
    return [*buttons, button(words("card.more"), ids.CORRECT_OPEN, _seen(shown))]


def _settled_controls(shown: Card, words: Words) -> list[Block]:
    return [
        button(words("card.undo"), ids.UNDO, _seen(shown)),
        button(words("card.change"), ids.CORRECT_OPEN, _seen(shown)),
    ]


def _seen(shown: Card) -> str:
    return SeenPayload(question=shown.question.id, seen=shown.seen).packed()


def _summary(shown: Card, words: Words, staff: str, told: str = "") -> str:
    """Return the card in one line, for notifications, screen readers, and if Slack refuses the blocks."""
    late = words("card.late") if shown.question.late else ""
    parts = [*_head(shown, words, staff, told), _reason(shown), late, *_became(shown, words).splitlines()]
    return " · ".join(part.replace("*", "") if n == 0 else part for n, part in enumerate(parts) if part)
