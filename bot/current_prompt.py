"""The current prompt: the newest one that was edited in Slack or changed in the configured folder."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from bot.domain.prompt import Category, Prompt, PromptEvent, PromptWhy
from bot.ports import Transaction

CONFIGURATION = "madoguchi"
"""Author of a change that came from the configured folder."""


async def current_prompt(tx: Transaction) -> Prompt:
    """Return the prompt for exports, new fine-tunes and edits. The serving release may still have an earlier one.

    Raises:
        LookupError: `configure` has not run yet.
    """
    history = await tx.prompts.history()
    prompt = await tx.prompts.get(history[0].prompt_id) if history else None
    if prompt is None:
        raise LookupError("no prompt has been stored")
    return prompt


async def configure(tx: Transaction, prompt: Prompt, now: datetime) -> None:
    """Apply the configured folder at start, if it changed since the last start.

    An unchanged folder changes nothing, so edits made in Slack survive a restart. A folder with a new text becomes the
    current prompt. If only owners or guides changed, they are updated in all prompts.
    """
    history = await tx.prompts.history()
    folder = hashlib.sha256(prompt.model_dump_json().encode()).hexdigest()
    if next((event.folder for event in history if event.folder), None) == folder:
        return
    configured = next((event.prompt_id for event in history if event.why is PromptWhy.CONFIGURED), None)
    if configured == prompt.id:
        current, why = history[0].prompt_id, PromptWhy.CONTACTS
    else:
        await tx.prompts.put(prompt)
        current, why = prompt.id, PromptWhy.CONFIGURED
    await update_contacts(tx, prompt.categories)
    await tx.prompts.enter(PromptEvent(prompt_id=current, why=why, by=CONFIGURATION, at=now, folder=folder))


async def update_contacts(tx: Transaction, categories: Sequence[Category]) -> None:
    """Set these owners and guides in every prompt: the people are the same, whichever prompt serves."""
    contacts = {category.id: category for category in categories}
    for prompt in await tx.prompts.all():
        reowned = prompt.with_contacts(contacts)
        if reowned != prompt:
            await tx.prompts.put(reowned)
