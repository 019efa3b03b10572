"""Fine-tunes: their plan, start, progress, end and costs."""
