"""The card: a question's one visible answer, and what staff can say of it."""

from typing import Any

from bot.domain.card import Card
from bot.domain.correction import CorrectionKind
from bot.domain.prompt import Category
from handlers.texts.escape import escaped, mention, person
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import CategoryChoice, Form, SeenPayload
from handlers.views.message import Block, Message, button, context, date, option, plain, section, select

MOST_BUTTONS = 5
"""Categories up to which each has a button; beyond, there is a menu."""
REASON_LENGTH = 500
REASON_SHOWN = 1_500


def card(shown: Card, words: Words, staff: str = "") -> Message:
    """The card as it is now. Its controls have another block id in each state, so that a stale press is told apart.

    Args:
        shown: what it is about.
        words: the asker's language.
        staff: mentions of who is asked instead of an owner where the bot is unsure.
    """
    blocks = [context(words("card.late"))] if shown.question.late else []
    blocks.append(section("\n".join(_head(shown, words, staff)), verbatim=True))
    reason = _reason(shown)
    if reason:
        blocks.append(section(f"{words('card.reason')} {escaped(reason, REASON_SHOWN)}", verbatim=True))
    if shown.category and shown.category.guide and not shown.guessed:
        blocks.append(section(f"{words('card.guide')} {escaped(shown.category.guide, REASON_SHOWN)}"))
    blocks.append(context(_small_print(shown, words)))
    if shown.settled:
        blocks.append(context(settlement(shown, words)))
    elements = _after(shown, words) if shown.settled else _controls(shown, words)
    blocks.append({"type": "actions", "block_id": f"card.{shown.verdict.id}.{shown.seen}", "elements": elements})
    return Message(_text(shown, words, staff), blocks)


def already(shown: Card, words: Words) -> str:
    """What somebody else said first, as mrkdwn."""
    if shown.settled is None:
        return words("correct.reopened")
    return words("correct.already", category=_name(shown), who=person(shown.settled.by))


def same(shown: Card, words: Words) -> str:
    """That somebody else said the very same first, as mrkdwn."""
    return words("correct.same", category=_name(shown), who=person(shown.settled.by) if shown.settled else "")


def anyway(shown: Card, choice: CategoryChoice, words: Words) -> Message:
    """Tell what the first said, and let this person, who has seen it now, change it."""
    category = shown.prompt.category(choice.category)
    name = category.name if category else choice.category
    again = choice.model_copy(update={"seen": shown.seen})
    text = already(shown, words)
    pressed = button(words("correct.anyway", category=name), ids.ANYWAY, again.packed())
    block_id = f"anyway.{shown.verdict.id}.{shown.seen}"
    return Message(text, [section(text), {"type": "actions", "block_id": block_id, "elements": [pressed]}])


def modal(shown: Card, form: Form, category: str | None, words: Words, *, drafting: bool = False) -> dict[str, Any]:
    """The form for a category and a reason.

    Args:
        shown: what holds, as the form was opened.
        form: what it remembers; its draft stands in the reason's place.
        category: what is chosen in it.
        words: the language of who corrects.
        drafting: a reason is on its way. Until then there is no place for one, so that nobody's words are written over.
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
            *([section(already(shown, words))] if shown.settled else []),
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
        # Slack keeps what stands in a block of the same id: each category has a reason of its own.
        "block_id": f"{ids.REASON_INPUT}.{category or ''}",
        "optional": True,
        "label": plain(words("correct.modal.reason"), 2_000),
        "hint": plain(words("correct.modal.drafted" if form.draft else "correct.modal.hint"), 2_000),
        "element": element,
    }


def _head(shown: Card, words: Words, staff: str) -> list[str]:
    """Where the question belongs and who is told; or that this is a guess, and who is asked."""
    name = _name(shown)
    if shown.guessed:
        return [f"*{words('card.guess', category=name)}*", words("card.ask_staff", staff=staff).strip()]
    return [f"*{name}*", _owner(shown.category, words)]


def moved(shown: Card, words: Words) -> Message | None:
    """To the owner of what a question was settled as, who has not heard of it yet; None where nobody owns it."""
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


def _reason(shown: Card) -> str | None:
    """Words that argue for the category that holds now, never for another one."""
    if shown.settled and shown.settled.reason:
        return shown.settled.reason
    changed = shown.settled and shown.settled.category != shown.verdict.category
    return None if changed else shown.verdict.reason


def sureness(shown: Card, words: Words) -> str:
    """How sure the model was, or that it does not tell."""
    sure = shown.verdict.confidence
    # A model is never certain: 99.6 % must not read as 100 %.
    return words("card.unsure") if sure is None else words("card.sure", percent=min(99, round(sure * 100)))


def _small_print(shown: Card, words: Words) -> str:
    verdict = shown.prompt.category(shown.verdict.category)
    changed = shown.settled and shown.settled.category != shown.verdict.category
    parts = [words("card.first", category=escaped(verdict.name if verdict else ""))] if changed else []
    parts.append(sureness(shown, words))
    if shown.question.cut:
        parts.append(words("card.cut"))
    if shown.verdict.provisional and not shown.settled:
        parts.append(words("card.provisional"))
    return " · ".join(parts)


def settlement(shown: Card, words: Words) -> str:
    """Who settled it as what, and when."""
    assert shown.settled  # noqa: S101 - the caller asked for it
    key = "card.agreed" if shown.settled.kind is CorrectionKind.AGREE else "card.changed"
    return words(key, category=_name(shown), who=person(shown.settled.by), at=date(shown.settled.at))


def _controls(shown: Card, words: Words) -> list[Block]:
    """Agree, another category, or a reason."""
    said = shown.verdict.category

    def choice(category: str) -> str:
        return CategoryChoice(question=shown.question.id, seen=shown.seen, category=category).packed()

    others = [c for c in shown.prompt.categories if c.id != said]
    agree = button(words("card.agree"), ids.AGREE, choice(said), style="primary")
    if len(shown.prompt.categories) <= MOST_BUTTONS:
        changes = [button(c.name, f"{ids.CHANGE}.{n}", choice(c.id)) for n, c in enumerate(others)]
    else:
        changes = [select(words("card.choose"), ids.CHANGE, [option(c.name, choice(c.id)) for c in others])]
    return [agree, *changes, button(words("card.with_reason"), ids.CORRECT_OPEN, _seen(shown))]


def _after(shown: Card, words: Words) -> list[Block]:
    return [
        button(words("card.undo"), ids.UNDO, _seen(shown)),
        button(words("card.change"), ids.CORRECT_OPEN, _seen(shown)),
    ]


def _seen(shown: Card) -> str:
    return SeenPayload(question=shown.question.id, seen=shown.seen).packed()


def _text(shown: Card, words: Words, staff: str) -> str:
    """The whole point in one line: it is read aloud, notified, and shown where blocks are refused."""
    reason = _reason(shown)
    name, who = _head(shown, words, staff)
    parts = [name[1:-1], who, escaped(reason, REASON_SHOWN) if reason else ""]
    if shown.question.late:
        parts.append(words("card.late"))
    if shown.settled:
        parts.append(settlement(shown, words))
    return " · ".join(part for part in parts if part)
