"""The privacy notice, which each asker gets once, and which stands in App Home."""

from collections.abc import Sequence

from bot.domain.privacy import Privacy
from bot.domain.release import ModelName
from handlers.texts.escape import escaped, mentions
from handlers.texts.words import Words
from handlers.views.message import Block, Message, plain, section


def privacy_notice(privacy: Privacy, models: Sequence[ModelName], words: Words) -> Message:
    """Return the message that an asker gets once."""
    lines = [words("privacy.once"), *privacy_lines(privacy, models, words)]
    return Message(lines[0], [section("\n".join(lines))])


def privacy_blocks(privacy: Privacy, models: Sequence[ModelName], words: Words) -> list[Block]:
    """Return the same for App Home."""
    title: Block = {"type": "header", "text": plain(words("privacy.title"), 150)}
    return [title, section("\n".join(privacy_lines(privacy, models, words)))]


def privacy_lines(privacy: Privacy, models: Sequence[ModelName], words: Words) -> list[str]:
    """Return who reads questions, which models get them, how long they are kept, and how they are forgotten.

    Args:
        privacy: The facts of the notice.
        models: The models that are asked now.
        words: The reader's language.
    """
    staff = mentions(privacy.staff) or words("privacy.staff")
    admins = mentions(privacy.admins) or words("privacy.admins")
    outside = words.listed([f"*{escaped(one)}*" for one in privacy.recipients(models)])
    told = words("privacy.sent", outside=outside) if outside else words("privacy.stays")
    kept = {"questions": _time(privacy.question_days, words), "examples": _time(privacy.row_days, words)}
    lines = [
        words("privacy.read", staff=staff),
        told,
        words("privacy.learn"),
        words("privacy.kept", **kept),
        words("privacy.forget", button=words("forget.own"), admins=admins),
    ]
    return [f"• {line}" for line in lines] + ([privacy.sentence] if privacy.sentence else [])


def _time(days: int | None, words: Words) -> str:
    """Return how long something is kept."""
    return words("privacy.days", n=days) if days else words("privacy.until_forgotten")
