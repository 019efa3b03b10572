"""LangSmith: the only room that speaks its SDK."""

from bot.tracking.tracker import LangSmithTracker

__all__ = ["LangSmithTracker"]
