"""Which prompt is the current one: the newest that was edited in Slack or changed in the configured folder."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from bot.domain.prompt import Category, Prompt, PromptEvent, PromptWhy
from bot.ports import Transaction

CONFIGURATION = "madoguchi"
"""Who did it, where the folder did."""


async def current_prompt(tx: Transaction) -> Prompt:
    """What exports, new fine-tunes and edits start from; the serving release may still have an earlier one.

    Raises:
        LookupError: before the start (`configure`).
    """
    history = await tx.prompts.history()
    prompt = await tx.prompts.get(history[0].prompt_id) if history else None
    if prompt is None:
        raise LookupError("no prompt was ever kept")
    return prompt


async def configure(tx: Transaction, prompt: Prompt, now: datetime) -> None:
    """At start: take over what the configured folder says, as far as it changed since the last start.

    An unchanged folder changes nothing, so that what was edited in Slack outlives a restart. A folder with a new text
    is the newer wish and becomes current; where only owners or guides are new, they are taken over everywhere.
    """
    history = await tx.prompts.history()
    folder = hashlib.sha256(prompt.model_dump_json().encode()).hexdigest()
    if next((event.folder for event in history if event.folder), None) == folder:
        return
    configured = next((event.prompt_id for event in history if event.why is PromptWhy.CONFIGURED), None)
    if configured == prompt.id:
        entered, why = history[0].prompt_id, PromptWhy.CONTACTS
    else:
        await tx.prompts.put(prompt)
        entered, why = prompt.id, PromptWhy.CONFIGURED
    await reown(tx, prompt.categories)
    await tx.prompts.enter(PromptEvent(prompt_id=entered, why=why, by=CONFIGURATION, at=now, folder=folder))


async def reown(tx: Transaction, categories: Sequence[Category]) -> None:
    """Let these owners and guides hold in every version: the people are the same, whichever prompt serves."""
    contacts = {category.id: category for category in categories}
    for prompt in await tx.prompts.all():
        reowned = prompt.reowned(contacts)
        if reowned != prompt:
            await tx.prompts.put(reowned)
