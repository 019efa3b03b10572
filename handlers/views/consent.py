"""The private question to a person whose words a colleague asked about."""

from datetime import UTC, datetime

from bot.domain.consent import Author, Consent
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.ids import QuestionPayload
from handlers.views.message import Message, button, date, section


def ask(question_id: str, author: Author, link: str | None, words: Words) -> Message:
    """Return the question whether the words may be used, with its two buttons.

    It says neither who asked nor where: the author may not be able to read that conversation.

    Args:
        question_id: The question that holds the words.
        author: The author, and the message with the words.
        link: The message's permalink, if there is one.
        words: The author's language.
    """
    where = f"<#{author.channel}>"
    if author.ts:
        where = f"{where}, {date(datetime.fromtimestamp(float(author.ts), UTC), link)}"
    text = words("consent.ask", message=where)
    value = QuestionPayload(question=question_id).packed()
    buttons = [
        button(words("consent.yes"), ids.CONSENT_YES, value, style="primary"),
        button(words("consent.no"), ids.CONSENT_NO, value),
    ]
    return Message(text, [section(text), {"type": "actions", "block_id": "consent", "elements": buttons}])


def noted(consent: Consent, words: Words) -> Message:
    """Return the message that replaces the question once it is answered."""
    text = words("consent.agreed" if consent is Consent.YES else "consent.declined")
    return Message(text, [section(text)])
