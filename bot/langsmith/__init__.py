"""LangSmith: the only room that speaks its SDK."""

from bot.langsmith.tracker import LangSmithTracker

__all__ = ["LangSmithTracker"]
