"""Recall: settled questions that a release is shown with each new one."""

MOST_RECALL = 20
"""Examples that a release may ask for: past that, a fine-tune is cheaper than the tokens."""
