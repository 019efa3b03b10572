"""The card: a question's one visible answer, and what staff can say of it."""

from typing import Any

from bot.domain.card import Card
from bot.domain.correction import Kind
from bot.domain.prompt import Category
from handlers.escape import escaped, mention
from handlers.views import ids
from handlers.views.ids import Choice, Form, Seen
from handlers.views.message import Block, Message, button, context, date, option, plain, section, select
from handlers.words import Words

MOST_BUTTONS = 5
"""Categories up to which each has a button; beyond, there is a menu."""
REASON_LENGTH = 500
REASON_SHOWN = 1_500


def card(shown: Card, words: Words) -> Message:
    """The card as it is now. Its controls have another block id in each state, so that a stale press is told apart."""
    name = _name(shown)
    blocks = [section(f"*{name}*\n{_owner(shown.category, words)}", verbatim=True)]
    reason = _reason(shown)
    if reason:
        blocks.append(section(f"{words('card.reason')} {escaped(reason, REASON_SHOWN)}", verbatim=True))
    if shown.category and shown.category.guide:
        blocks.append(section(f"{words('card.guide')} {escaped(shown.category.guide, REASON_SHOWN)}"))
    blocks.append(context(_small_print(shown, words)))
    if shown.settled:
        blocks.append(context(_settled(shown, words)))
    elements = _after(shown, words) if shown.settled else _controls(shown, words)
    blocks.append({"type": "actions", "block_id": f"card.{shown.verdict.id}.{shown.seen}", "elements": elements})
    return Message(_text(shown, words), blocks)


def already(shown: Card, words: Words) -> str:
    """What somebody else said first, as mrkdwn."""
    if shown.settled is None:
        return words("correct.reopened")
    return words("correct.already", category=_name(shown), who=f"<@{shown.settled.by}>")


def same(shown: Card, words: Words) -> str:
    """That somebody else said the very same first, as mrkdwn."""
    return words("correct.same", category=_name(shown), who=f"<@{shown.settled.by}>" if shown.settled else "")


def anyway(shown: Card, choice: Choice, words: Words) -> Message:
    """Tell what the first said, and let this person, who has seen it now, change it."""
    category = shown.prompt.category(choice.category)
    name = category.name if category else choice.category
    again = choice.model_copy(update={"seen": shown.seen})
    text = already(shown, words)
    pressed = button(words("correct.anyway", category=name), ids.ANYWAY, again.packed())
    block_id = f"anyway.{shown.verdict.id}.{shown.seen}"
    return Message(text, [section(text), {"type": "actions", "block_id": block_id, "elements": [pressed]}])


def modal(shown: Card, channel: str | None, thread: str | None, words: Words) -> dict[str, Any]:
    """The form for a category and a reason, for what the card shows now."""
    options = [option(c.name, c.id) for c in shown.prompt.categories]
    initial = next((o for o in options if shown.category and o["value"] == shown.category.id), None)
    form = Form(question=shown.question.id, seen=shown.seen, channel=channel, thread=thread)
    blocks: list[Block] = [section(already(shown, words))] if shown.settled else []
    return {
        "type": "modal",
        "callback_id": ids.MODAL,
        "private_metadata": form.packed(),
        "title": plain(words("correct.modal.title"), 24),
        "submit": plain(words("correct.modal.submit"), 24),
        "close": plain(words("correct.modal.close"), 24),
        "blocks": [
            *blocks,
            {
                "type": "input",
                "block_id": ids.CATEGORY,
                "label": plain(words("correct.modal.category"), 2_000),
                "element": select(words("card.choose"), ids.CATEGORY, options, initial),
            },
            {
                "type": "input",
                "block_id": ids.REASON,
                "optional": True,
                "label": plain(words("correct.modal.reason"), 2_000),
                "hint": plain(words("correct.modal.hint"), 2_000),
                "element": {
                    "type": "plain_text_input",
                    "action_id": ids.REASON,
                    "multiline": True,
                    "max_length": REASON_LENGTH,
                },
            },
        ],
    }


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


def _sureness(shown: Card, words: Words) -> str:
    sure = shown.verdict.confidence
    # A model is never certain: 99.6 % must not read as 100 %.
    return words("card.unsure") if sure is None else words("card.sure", percent=min(99, round(sure * 100)))


def _small_print(shown: Card, words: Words) -> str:
    verdict = shown.prompt.category(shown.verdict.category)
    changed = shown.settled and shown.settled.category != shown.verdict.category
    parts = [words("card.first", category=escaped(verdict.name if verdict else ""))] if changed else []
    parts.append(_sureness(shown, words))
    if shown.question.cut:
        parts.append(words("card.cut"))
    return " · ".join(parts)


def _settled(shown: Card, words: Words) -> str:
    assert shown.settled  # noqa: S101 - the caller asked for it
    key = "card.agreed" if shown.settled.kind is Kind.AGREE else "card.changed"
    return words(key, category=_name(shown), who=f"<@{shown.settled.by}>", at=date(shown.settled.at))


def _controls(shown: Card, words: Words) -> list[Block]:
    """Agree, another category, or a reason."""
    said = shown.verdict.category

    def choice(category: str) -> str:
        return Choice(question=shown.question.id, seen=shown.seen, category=category).packed()

    others = [c for c in shown.prompt.categories if c.id != said]
    agree = button(words("card.agree"), ids.AGREE, choice(said), style="primary")
    if len(shown.prompt.categories) <= MOST_BUTTONS:
        changes = [button(c.name, f"{ids.CHANGE}.{n}", choice(c.id)) for n, c in enumerate(others)]
    else:
        changes = [select(words("card.choose"), ids.CHANGE, [option(c.name, choice(c.id)) for c in others])]
    return [agree, *changes, button(words("card.with_reason"), ids.OPEN, _seen(shown))]


def _after(shown: Card, words: Words) -> list[Block]:
    return [
        button(words("card.undo"), ids.UNDO, _seen(shown)),
        button(words("card.change"), ids.OPEN, _seen(shown)),
    ]


def _seen(shown: Card) -> str:
    return Seen(question=shown.question.id, seen=shown.seen).packed()


def _text(shown: Card, words: Words) -> str:
    """The whole point in one line: it is read aloud, notified, and shown where blocks are refused."""
    reason = _reason(shown)
    parts = [_name(shown), _owner(shown.category, words), escaped(reason, REASON_SHOWN) if reason else ""]
    if shown.settled:
        parts.append(_settled(shown, words))
    return " · ".join(part for part in parts if part)
