"""Block Kit for the audit log."""

from collections.abc import Mapping, Sequence

from bot.domain.audit import ALIAS, OPERATOR, AuditAct, AuditEntry
from bot.domain.release import EMBEDDED, SYSTEM
from handlers.texts.escape import escaped, mention
from handlers.texts.words import Words
from handlers.views.message import Message, context, date, section

ENTRIES_IN_SECTION = 10
"""Entries in one section."""
NAMELESS = {
    AuditAct.EXPORTED,
    AuditAct.TRAINING_STARTED,
    AuditAct.TRAINING_CANCELLED,
    AuditAct.PROMPT_CHANGED,
}
"""Acts whose thing has no name for people, only an id. The id stands in the file that `python -m bot audit` writes."""

MODELS = {AuditAct.TRAINING_ALLOWED, AuditAct.TRAINING_FORBIDDEN}
"""Acts whose thing is a model."""


def audit_message(entries: Sequence[AuditEntry], people: Mapping[str, str], words: Words) -> Message:
    """Return the entries, newest first.

    Args:
        entries: The entries.
        people: Alias → user id of the people that are still known.
        words: The reader's language.
    """
    title = words("audit.title", n=len(entries)) if entries else words("audit.none")
    lines = [f"• {date(entry.at)} · {_who(entry, people, words)} · {_what(entry, people, words)}" for entry in entries]
    blocks = [
        section("\n".join(lines[start : start + ENTRIES_IN_SECTION]))
        for start in range(0, len(lines), ENTRIES_IN_SECTION)
    ]
    return Message(title, [section(f"*{title}*"), *blocks, context(words("audit.where"))])


def _who(entry: AuditEntry, people: Mapping[str, str], words: Words) -> str:
    if entry.who in {SYSTEM, OPERATOR}:
        return words(f"audit.{'system' if entry.who == SYSTEM else 'operator'}")
    return mention(people.get(entry.who)) or words("audit.unknown")


def _what(entry: AuditEntry, people: Mapping[str, str], words: Words) -> str:
    told = {name: _model(fact, words) if name == "student" else fact for name, fact in entry.facts.items()}
    facts = words.listed([words(f"audit.fact.{name}", fact=fact, n=fact) for name, fact in told.items()])
    act = words(f"audit.act.{entry.act.value}")
    name = mention(people.get(entry.thing)) or words("audit.unknown") if entry.thing.startswith(ALIAS) else ""
    gap = "" if act.endswith("：") else " "
    thing = _model(entry.thing, words) if entry.act in MODELS else entry.thing
    what = act + gap + thing if thing and entry.act not in NAMELESS else act
    said = escaped(words("audit.with_facts", what=what, facts=facts) if facts else what, 200)
    return said.replace(entry.thing, name) if name else said


def _model(name: object, words: Words) -> str:
    """Return a model as people call it."""
    return words("permission.embedded") if str(name).startswith(f"{EMBEDDED}/") else str(name)
