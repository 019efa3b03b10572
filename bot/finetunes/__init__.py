"""From rows to a model: plan, start, follow, and what it costs."""
