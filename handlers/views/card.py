"""The card: the one visible answer to a question, with the controls to correct it."""

from typing import Any

from bot.domain.card import Card
from bot.domain.correction import CorrectionKind
from bot.domain.prompt import Category
from bot.domain.question import Unread, Verdict
from handlers.texts.escape import escaped, mention, person
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import CategoryChoice, Form, SeenPayload
from handlers.views.message import Block, Message, button, context, date, day, option, plain, section, select

MOST_BUTTONS = 5
"""Maximum number of categories that have a button each; with more, a menu replaces the buttons."""
REASON_LENGTH = 500
"""Maximum length of a reason that a person writes, in characters."""
REASON_SHOWN = 1_500
"""Maximum length of a reason or guide on the card, in characters."""

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
    blocks = [context(words("card.late"))] if shown.question.late else []
    blocks.append(section("\n".join(_head(shown, words, staff)), verbatim=True))
    reason = _reason(shown, words)
    if reason:
        blocks.append(section(f"{words('card.reason')} {reason}", verbatim=True))
    if shown.category and shown.category.guide and not shown.guessed:
        blocks.append(section(f"{words('card.guide')} {escaped(shown.category.guide, REASON_SHOWN)}"))
    blocks.append(context(small_print(shown, words)))
    if shown.settled:
        waits = [words("card.waits")] if shown.question.withheld else []
        blocks.append(context(" · ".join([settlement(shown, words), *waits])))
    elements = _settled_controls(shown, words) if shown.settled else _controls(shown, words)
    blocks.append({"type": "actions", "block_id": f"card.{shown.verdict.id}.{shown.seen}", "elements": elements})
    return Message(_summary(shown, words, staff), blocks)


def settled_first(shown: Card, words: Words) -> str:
    """Return, as mrkdwn, how somebody else settled or reopened the question first."""
    if shown.settled is None:
        return words("correct.reopened")
    return words("correct.already", category=_name(shown), who=person(shown.settled.by))


def settled_the_same(shown: Card, words: Words) -> str:
    """Return, as mrkdwn, that somebody else settled the question the same way first."""
    return words("correct.same", category=_name(shown), who=person(shown.settled.by) if shown.settled else "")


def settle_anyway(shown: Card, choice: CategoryChoice, words: Words) -> Message:
    """Return a message that tells who was first, with a button to settle the question differently anyway."""
    category = shown.prompt.category(choice.category)
    name = category.name if category else choice.category
    again = choice.model_copy(update={"seen": shown.seen})
    text = settled_first(shown, words)
    anyway = button(words("correct.anyway", category=name), ids.ANYWAY, again.packed())
    block_id = f"anyway.{shown.verdict.id}.{shown.seen}"
    return Message(text, [section(text), {"type": "actions", "block_id": block_id, "elements": [anyway]}])


def modal(shown: Card, form: Form, category: str | None, words: Words, *, drafting: bool = False) -> dict[str, Any]:
    """Return the form for a category and a reason.

    Args:
        shown: The card when the form was opened.
        form: The form's private data; its draft is the initial text of the reason.
        category: Id of the category that is chosen in the form, if any.
        words: The language of the person who corrects.
        drafting: Whether a draft is on its way. Until it arrives there is no input for a reason, so that the draft
            cannot overwrite what somebody types.
    """
    options = [option(c.name, c.id) for c in shown.prompt.categories]
    initial = next((o for o in options if o["value"] == category), None)
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
            context(words("correct.modal.drafting")) if drafting else _reason_input(form, category, words),
        ],
    }


def _reason_input(form: Form, category: str | None, words: Words) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": ids.REASON_INPUT,
        "multiline": True,
        "max_length": REASON_LENGTH,
    }
    if form.draft:
        element["initial_value"] = form.draft
    return {
        "type": "input",
        # Slack keeps the text of an input whose block id stays the same, so each category has an input of its own.
        "block_id": f"{ids.REASON_INPUT}.{category or ''}",
        "optional": True,
        "label": plain(words("correct.modal.reason"), 2_000),
        "hint": plain(words("correct.modal.drafted" if form.draft else "correct.modal.hint"), 2_000),
        "element": element,
    }


def _head(shown: Card, words: Words, staff: str) -> list[str]:
    """Return the category and its owner; for a guess, that it is one and who is asked to look."""
    name = _name(shown)
    if shown.guessed:
        return [f"*{words('card.guess', category=name)}*", words("card.ask_staff", staff=staff).strip()]
    return [f"*{name}*", _owner(shown.category, words)]


def new_owner(shown: Card, words: Words) -> Message | None:
    """Return the message that tells the settled category's owner about the question; None if it has no owner."""
    owner = mention(shown.owner)
    if owner is None or shown.settled is None:
        return None
    text = words("card.moved", owner=owner, category=_name(shown), who=person(shown.settled.by))
    return Message(text, [section(text, verbatim=True)])


def _name(shown: Card) -> str:
    category = shown.category
    return escaped(category.name if category else (shown.settled or shown.verdict).category)


def _owner(category: Category | None, words: Words) -> str:
    owner = mention(category.owner) if category else None
    return words("card.owner", owner=owner) if owner else words("card.no_owner")


def _reason(shown: Card, words: Words) -> str:
    """Return, as mrkdwn, the reason for the current category; an empty text instead of a reason for another one."""
    if shown.settled and shown.settled.reason:
        return escaped(shown.settled.reason, REASON_SHOWN)
    if shown.settled and shown.settled.category != shown.verdict.category:
        return ""
    return remembered(shown.verdict, words) or escaped(shown.verdict.reason, REASON_SHOWN)


def remembered(verdict: Verdict, words: Words) -> str:
    """Return, as mrkdwn, what an answer from memory repeats; an empty text for a model's answer."""
    if not verdict.from_memory:
        return ""
    at = verdict.row_settled_at
    return words("card.remembered", at=day(at)) if at else words("card.remembered_import")


def confidence_text(shown: Card, words: Words) -> str:
    """Return how sure the model was, that it gave no confidence, or that no model was asked."""
    confidence = shown.verdict.confidence
    if shown.verdict.from_memory:
        return words("card.memory")
    if confidence is None:
        return words("card.unsure")
    # A model is never certain: 99.6 % must not read as 100 %.
    return words("card.sure", percent=min(99, round(confidence * 100)))


def small_print(shown: Card, words: Words) -> str:
    verdict = shown.prompt.category(shown.verdict.category)
    changed = shown.settled and shown.settled.category != shown.verdict.category
    parts = [words("card.first", category=escaped(verdict.name if verdict else ""))] if changed else []
    parts.append(confidence_text(shown, words))
    if shown.question.cut:
        parts.append(words("card.cut"))
    parts += _unread(shown.question.unread or "", words)
    if shown.verdict.provisional and not shown.settled:
        parts.append(words("card.provisional"))
    return " · ".join(parts)


def _unread(unread: str, words: Words) -> list[str]:
    """Return what of the message was not read: other people's messages, files by name, and other parts."""
    things = [thing for thing in unread.split("\n") if thing]
    files = ", ".join(escaped(thing) for thing in things if not thing.startswith(":"))
    said = [words("card.unread_files", files=files)] if files else []
    return said + [words(key) for thing, key in UNREAD_TEXTS.items() if thing in things]


def settlement(shown: Card, words: Words) -> str:
    """Return who settled the question as what, and when."""
    assert shown.settled  # noqa: S101 - callers pass settled cards only
    key = "card.agreed" if shown.settled.kind is CorrectionKind.AGREE else "card.changed"
    return words(key, category=_name(shown), who=person(shown.settled.by), at=date(shown.settled.at))


def _controls(shown: Card, words: Words) -> list[Block]:
    """Return the controls of an open question: agree, another category, and a category with a reason."""
    verdict = shown.verdict.category

    def choice(category: str) -> str:
        return CategoryChoice(question=shown.question.id, seen=shown.seen, category=category).packed()

    others = [c for c in shown.prompt.categories if c.id != verdict]
    agree = button(words("card.agree"), ids.AGREE, choice(verdict), style="primary")
    if len(shown.prompt.categories) <= MOST_BUTTONS:
        changes = [button(c.name, f"{ids.CHANGE}.{n}", choice(c.id)) for n, c in enumerate(others)]
    else:
        changes = [select(words("card.choose"), ids.CHANGE, [option(c.name, choice(c.id)) for c in others])]
    return [agree, *changes, button(words("card.with_reason"), ids.CORRECT_OPEN, _seen(shown))]


def _settled_controls(shown: Card, words: Words) -> list[Block]:
    return [
        button(words("card.undo"), ids.UNDO, _seen(shown)),
        button(words("card.change"), ids.CORRECT_OPEN, _seen(shown)),
    ]


def _seen(shown: Card) -> str:
    return SeenPayload(question=shown.question.id, seen=shown.seen).packed()


def _summary(shown: Card, words: Words, staff: str) -> str:
    """Return the card in one line, for notifications, screen readers, and if Slack refuses the blocks."""
    name, who = _head(shown, words, staff)
    parts = [name[1:-1], who, _reason(shown, words)]
    if shown.question.late:
        parts.append(words("card.late"))
    if shown.settled:
        parts.append(settlement(shown, words))
    return " · ".join(part for part in parts if part)
