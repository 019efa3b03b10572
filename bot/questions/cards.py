"""The card of a question, read from its parts in the database."""

from datetime import datetime

from bot.current_prompt import current_prompt
from bot.domain.card import Card
from bot.domain.correction import settlement
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import ModelName, Release
from bot.domain.signal import standing
from bot.ports import MESSAGE_ID, Transaction


async def card_of(tx: Transaction, question: Question) -> Card | None:
    """Return the question's card, or None if it has no verdict yet."""
    parts = await tx.cards.parts(question)
    if parts is None:
        return None
    settled = settlement(parts.correction)
    now = {
        "settled": settled,
        "seen": parts.correction.seq if parts.correction else 0,
        "feedback": parts.feedback,
        "signal": standing(await tx.signals.of(question.id)) if parts.signalled else None,
        "paired": parts.paired,
    }
    prompt = await _with_settled_category(tx, parts.prompt, settled.category) if settled else parts.prompt
    return first_card(question, parts.verdict, parts.release, prompt).model_copy(update=now)


async def whole_card(tx: Transaction, question: Question) -> Card | None:
    """Return the card as its message shows it: of the message's first question, with the second one, if it has both.

    Args:
        tx: The transaction.
        question: Either question of the message.
    """
    first = await tx.questions.get(question.part_of) if question.part_of else question
    card = await card_of(tx, first) if first else None
    second = await tx.questions.second(first) if first else None
    return card.model_copy(update={"second": await card_of(tx, second)}) if card and second else card


async def update_card(tx: Transaction, question: Question, now: datetime) -> None:
    """Queue an update of the message that answers this question. Both questions of a message wait in one line."""
    await tx.outbox.add("card", question.root, {}, now)


def first_card(question: Question, verdict: Verdict, release: Release, prompt: Prompt) -> Card:
    """Return the card of a question that nobody has corrected yet.

    Args:
        question: The question.
        verdict: Its verdict.
        release: The release that gave the verdict.
        prompt: The release's prompt.
    """
    unsure = release.is_unsure(verdict.confidence, verdict.revision)
    return Card(question=question, verdict=verdict, prompt=prompt, unsure=unsure, settled=None, seen=0)


async def _with_settled_category(tx: Transaction, prompt: Prompt, category_id: str) -> Prompt:
    """Return the release's prompt with the settled category, which may be newer than the release."""
    if prompt.category(category_id):
        return prompt
    category = (await current_prompt(tx)).category(category_id)
    if category is None or prompt.find_category(category.name):
        return prompt
    return prompt.with_category(category.model_copy(update={"other": False}))


async def tell_new_owner(tx: Transaction, before: Card, verdict: Verdict, now: datetime) -> None:
    """Queue a message to the owner of the new category, because Slack notifies nobody of an updated card.

    Args:
        tx: The transaction that stored the verdict.
        before: The card with the earlier verdict.
        verdict: The new verdict.
        now: The time.
    """
    question = await tx.questions.get(before.question.id)
    after = await card_of(tx, question) if question else None
    if after and not after.question.direct and after.owner not in {None, before.owner}:
        payload = {"seq": str(before.seen + 1), MESSAGE_ID: verdict.id}
        await tx.outbox.add("owner", before.question.id, payload, now)


async def tell_added_owner(tx: Transaction, added: Question, first: Card | None, now: datetime) -> None:
    """Queue a message to the owner of a second question that an edit added, unless the first one mentions them."""
    after = await card_of(tx, added)
    if after and not added.direct and after.owner not in {None, first.owner if first else None}:
        payload = {"seq": "1", MESSAGE_ID: after.verdict.id}
        await tx.outbox.add("owner", added.id, payload, now)


async def models_asked(tx: Transaction) -> list[ModelName]:
    """Return the models that get each question now: the serving release's, and the shadow's if there is one."""
    releases = await tx.releases.serving(), await tx.releases.shadow()
    return [release.model for release in releases if release]
