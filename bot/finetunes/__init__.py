"""From rows to a model: plan, start and follow fine-tunes, and count what they cost."""
