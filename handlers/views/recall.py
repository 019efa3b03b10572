"""Block Kit for the number of settled questions that a version is shown."""

from bot.domain.release import Release
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.gate import switch_button
from handlers.views.ids import FINETUNE_COMPARE, NamedPayload
from handlers.views.message import Message, button
from handlers.views.version import version


def shown(release: Release, words: Words) -> Message:
    """Return how many settled questions a version is shown with each new one."""
    text = words("recall.is" if release.recall else "recall.none", name=release.name, n=release.recall)
    return brief([text], [details_button(DetailsOf.VERSIONS, release.id, words)], f"recall.{release.id}")


def made(release: Release, base: Release, words: Words) -> Message:
    """Return which version was made from another one, with the buttons to compare it or to let it answer."""
    key = "recall.made" if release.recall else "recall.made_none"
    lines = [words(key, version=version(release, words), base=base.name, n=release.recall), words("recall.next")]
    compare = button(words("progress.compare"), FINETUNE_COMPARE, NamedPayload(id=release.id).packed())
    details = details_button(DetailsOf.VERSIONS, release.id, words)
    return brief(lines, [compare, switch_button(release, words), details], f"recall.{release.id}")
