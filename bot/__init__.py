"""Madoguchi, a Slack bot for a company's internal questions."""
