"""What askers say about answers, and what owners are told of it."""

from bot.domain.card import Card
from bot.domain.feedback import AskerFeedback
from handlers.texts.escape import escaped, mention
from handlers.texts.words import Words
from handlers.views.message import Message, section

WORDS_LENGTH = 500
"""Maximum length of an asker's sentence, in characters."""


def unhelped(shown: Card, words: Words, staff: str) -> Message:
    """Return the message that asks the owner, or staff if there is none, to help the asker."""
    asker, owner = mention(shown.question.asker) or "", mention(shown.owner) or staff
    why = said(shown.feedback, words) if shown.feedback else ""
    key = "feedback.tell" if owner else "feedback.tell_nobody"
    text = words(key, owner=owner, asker=asker, why=why)
    return Message(text, [section(text, verbatim=True)])


def said(feedback: AskerFeedback, words: Words) -> str:
    """Return, as mrkdwn, what an asker said."""
    return words(f"feedback.kind.{feedback.kind.value}", words=escaped(feedback.words or "", WORDS_LENGTH))
