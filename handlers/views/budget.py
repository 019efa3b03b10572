"""The message to admins at the end of the month's budget."""

from bot.domain.budget import BudgetNews
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.message import Message, day, section


def budget_end(news: BudgetNews, words: Words) -> Message:
    """Return that the budget is used up, and what answers until the next month."""
    facts = {"budget": f"{news.budget:.2f}", "until": day(news.until)}
    answers = words("budget.fallback", name=escaped(news.fallback)) if news.fallback else words("budget.goes_on")
    text = " ".join([words("budget.ended", **facts), answers])
    return Message(text, [section(f"⚠️ {text}")])
