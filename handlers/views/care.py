"""The private answer to a cry for help: whom to turn to."""

import re
from collections.abc import Sequence

from handlers.texts.escape import escaped, mention
from handlers.texts.words import Words
from handlers.views.message import Message, context, section

MEMBER = re.compile(r"[UWS][A-Z0-9]{5,}")
"""Matches the id of a user or a user group."""


def care(contacts: Sequence[str], words: Words, *, in_channel: bool) -> Message:
    """Return the answer with the company's contacts; without any, it says where to look.

    Mentions notify nobody, because nobody but the asker can read this message.

    Args:
        contacts: Free texts and ids of users and user groups.
        words: The asker's language.
        in_channel: Whether other people can read the asker's own message.
    """
    named = "\n".join(f"• {_shown(contact)}" for contact in contacts)
    help_in_company = words("care.contacts", contacts=named) if named else words("care.nobody_named")
    small = words("care.private")
    if in_channel:
        small += " " + words("care.delete")
    small += " " + words("care.otherwise")
    blocks = [section(words("notice.care")), section(help_in_company), context(small)]
    return Message("\n".join([words("notice.care"), help_in_company, small]), blocks)


def _shown(contact: str) -> str:
    member = mention(contact) if MEMBER.fullmatch(contact) else None
    return member or escaped(contact)
