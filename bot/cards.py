"""Reads a card's things together."""

from bot.domain.card import Card
from bot.domain.correction import settlement
from bot.domain.question import Question
from bot.ports import Transaction


async def card_of(tx: Transaction, question: Question) -> Card | None:
    """The card of a question, or None where it has no verdict yet."""
    verdict = await tx.questions.verdict(question.id)
    release = await tx.releases.get(verdict.release_id) if verdict else None
    prompt = await tx.prompts.get(release.prompt_id) if release else None
    if verdict is None or release is None or prompt is None:
        return None
    corrections = await tx.corrections.of(question.id)
    return Card(
        question=question,
        verdict=verdict,
        prompt=prompt,
        unsure=release.is_unsure(verdict.confidence),
        settled=settlement(corrections),
        seen=corrections[-1].seq if corrections else 0,
    )
