"""Other people's words in a question, and their agreement to the use of these words."""

from collections.abc import Iterable
from enum import StrEnum

from bot.domain.thing import Thing


class Consent(StrEnum):
    """An author's answer to the use of the words as a training example."""

    ASKED = "asked"
    """Nothing yet. Silence is no agreement."""
    YES = "yes"
    NO = "no"
    """Final: a later yes is not taken."""


class Author(Thing):
    """A person whose words a question holds without having asked it, and the message with these words."""

    id: str
    channel: str
    ts: str
    consent: Consent = Consent.ASKED


def withheld(authors: Iterable[Author]) -> bool:
    """Return whether a text with words of these authors may not be used beyond its answer."""
    return any(author.consent is not Consent.YES for author in authors)


def waiting(authors: Iterable[Author], asked: Iterable[Author] = ()) -> list[str]:
    """Return the ids of the authors who have not answered, each once, without those who were `asked` before."""
    before = {author.id for author in asked}
    return list(dict.fromkeys(one.id for one in authors if one.consent is Consent.ASKED and one.id not in before))


def answered(authors: Iterable[Author], author_id: str, consent: Consent) -> tuple[Author, ...]:
    """Return the authors after one of them has answered, for all their messages. A no stays a no."""

    def after(author: Author) -> Author:
        final = author.id != author_id or author.consent is Consent.NO
        return author if final else author.model_copy(update={"consent": consent})

    return tuple(map(after, authors))


def merged(authors: Iterable[Author], known: Iterable[Author], channel: str, ts: str) -> tuple[Author, ...]:
    """Return the authors of an edited message at this place.

    Answers about the same messages stay, and so does the author of the edited message itself, who did not ask it.

    Args:
        authors: The authors of the new text.
        known: The authors of the old text.
        channel: The edited message's channel.
        ts: The edited message's ts.
    """
    old = {(author.id, author.channel, author.ts): author for author in known}
    own = {key: author for key, author in old.items() if key[1:] == (channel, ts)}
    new = {(author.id, author.channel, author.ts): author for author in authors}
    return tuple((own | new | {key: old[key] for key in new if key in old}).values())
