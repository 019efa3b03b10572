"""Releases: evaluation, switching, shadows and thresholds, and the prompts that people change."""
