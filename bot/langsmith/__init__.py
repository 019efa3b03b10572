"""LangSmith as a tracker: the only code that uses the langsmith SDK."""

from bot.langsmith.tracker import LangSmithTracker

__all__ = ["LangSmithTracker"]
