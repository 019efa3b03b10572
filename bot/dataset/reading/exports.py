"""One record of a file as a labelled question, in whichever program's shape it is.

Read are plain columns, OpenAI's training files, and exports of doccano, Label Studio, Argilla, Prodigy and LangSmith.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from bot.dataset.reading.columns import ANSWER_CONTAINERS, QUESTION_CONTAINERS, normal, select
from bot.dataset.reading.plain import plain
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine

Record = Mapping[str, object]

UNREADABLE = re.compile("[\x00\ufffd\ud800-\udfff]")
"""Characters that show a decoding error: NUL, the replacement character and lone surrogates."""
ASKING_ROLES = frozenset({"user", "human"})
ANSWERING_ROLES = frozenset({"assistant", "ai", "gpt"})
WRITTEN_LIST = re.compile(r"\[(?:'[^'\\]*'(?:,\s*|\s+|(?=\])))*\]")
"""A list of strings as Python and numpy write it in a cell of a table."""
LONGEST_LABEL = 60
"""Maximum length of an answer that is a bare label, as of a category's name."""
DEEPEST_LABEL = 12
"""Maximum depth of lists and objects in which a label is looked for."""


def labelled(line: int, record: Record, options: ReadingOptions) -> Labelled | BadLine | SkippedLine:
    """Return what a record says, or why nothing can be taken from it."""
    record = {str(name): value for name, value in record.items()}
    if why := _skip(record):
        return SkippedLine(line=line, why=why)
    turns = next((record[name] for name in ("messages", "conversations") if isinstance(record.get(name), list)), None)
    if isinstance(turns, list) and not options.text:
        return _from_turns(line, turns)
    chosen = select(tuple(record), options.text, options.category)
    text = "\n".join(
        filter(None, (_text(record[name], inner=normal(name) in QUESTION_CONTAINERS) for name in chosen.text))
    )
    answer = _opened(record[chosen.category], normal(chosen.category)) if chosen.category else None
    numbered = [str(answer)] if isinstance(answer, int) and not isinstance(answer, bool) else []
    labels = _accepted(record) or numbered or list(dict.fromkeys(_labels(answer)))
    reason = record[chosen.reason] if chosen.reason else answer.get("reason") if isinstance(answer, dict) else None
    return _checked(line, text, labels, reason)


def _checked(line: int, text: str, labels: Sequence[str], reason: object) -> Labelled | BadLine:
    text, because = plain(text), plain(reason) if isinstance(reason, str) else ""
    labels = list(filter(None, map(plain, labels)))
    if UNREADABLE.search(text + because + "".join(labels)):
        return BadLine(line=line, why=Flaw.UNREADABLE)
    if not text:
        return BadLine(line=line, why=Flaw.NO_TEXT)
    if not labels:
        return BadLine(line=line, why=Flaw.NO_CATEGORY)
    if len(labels) > 1:
        return BadLine(line=line, why=Flaw.SEVERAL_CATEGORIES, facts={"categories": ", ".join(labels[:5])})
    return Labelled(line=line, text=text, category=labels[0], reason=because or None)


def _skip(record: Record) -> Skip | None:
    """Return why annotators took this record out."""
    answer = str(record.get("answer")).strip().casefold()
    if answer in {"reject", "ignore"}:
        return Skip.REJECTED if answer == "reject" else Skip.IGNORED
    if _is_zero(record.get("weight")):
        return Skip.WEIGHT_ZERO
    kept = [str(value).casefold() for name, value in record.items() if name.endswith(".responses.status")]
    if str(record.get("status")).strip().casefold() == "discarded" or any("discarded" in each for each in kept):
        return Skip.REJECTED
    made = record.get("annotations")
    made = made if isinstance(made, list) else []
    cancelled = [isinstance(one, dict) and one.get("was_cancelled") is True for one in made]
    return Skip.REJECTED if cancelled and all(cancelled) else None


def _is_zero(weight: object) -> bool:
    return not isinstance(weight, bool) and str(weight).strip() in {"0", "0.0"}


def _opened(value: object, name: str = "") -> object:
    """Return the JSON in a cell, if this column may hold some."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        if WRITTEN_LIST.fullmatch(value.strip()):
            return re.findall(r"'([^']*)'", value)
        return None if name in {*QUESTION_CONTAINERS, *ANSWER_CONTAINERS} else value


def _text(value: object, *, inner: bool = False) -> str:
    """Return the question in a value: a string, chunks of text, turns of a conversation or a program's fields."""
    value = _opened(value) if inner else value
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        asked = [content for role, content in _turns(value) if role in ASKING_ROLES]
        return asked[-1] if asked else _chunks(value)
    if isinstance(value, dict):
        if isinstance(turns := value.get("messages"), list):
            return _text(turns)
        chosen = select(tuple(map(str, value)))
        names = chosen.text or (tuple(value) if len(value) == 1 and not chosen.category else ())
        return "\n".join(filter(None, (_text(value.get(name)) for name in names)))
    return ""


def _chunks(content: object) -> str:
    """Return the text of a message's content: a string, or a list of which each part is text."""
    if isinstance(content, str):
        return content.strip()
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts).strip() if isinstance(content, list) and len(texts) == len(content) else ""


def _turns(messages: list[object]) -> list[tuple[str, str]]:
    """Return role and text of each message, in the shapes of OpenAI, LangChain and ShareGPT."""
    found = []
    for one in messages:
        if isinstance(one, dict):
            role = next((one[key] for key in ("role", "type", "from") if isinstance(one.get(key), str)), "")
            found.append((role.casefold(), _chunks(one.get("content", one.get("value")))))
    return found


def _from_turns(line: int, messages: list[object]) -> Labelled | BadLine | SkippedLine:
    """Return the last question of a conversation and its answer."""
    turns = [(role, text) for role, text in _turns(messages) if role not in {"system", "developer"}]
    last = messages[-1] if messages else None
    roles = [role for role, _ in turns[-2:]]
    if len(roles) != 2 or roles[0] not in ASKING_ROLES or roles[1] not in ANSWERING_ROLES or not isinstance(last, dict):
        return BadLine(line=line, why=Flaw.TRAINING_EXAMPLE)
    if _is_zero(last.get("weight")):
        return SkippedLine(line=line, why=Skip.WEIGHT_ZERO)
    (_, question), (_, answer) = turns[-2:]
    record = _opened(answer)
    if isinstance(record, dict):
        chosen = select(tuple(record))
        labels = list(dict.fromkeys(_labels(record.get(chosen.category))))
        return _checked(line, question, labels, record.get(chosen.reason))
    if isinstance(record, str) and 0 < len(record) <= LONGEST_LABEL and "\n" not in record and record[0] not in "[{":
        return _checked(line, question, [record], None)
    return BadLine(line=line, why=Flaw.TRAINING_EXAMPLE)


def _accepted(record: Record) -> list[str]:
    """Return the chosen options of a Prodigy record; a numbered option is known by its text."""
    accepted, options = record.get("accept"), record.get("options")
    accepted = [str(one) for one in accepted if isinstance(one, str | int)] if isinstance(accepted, list) else []
    made = [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    texts = {str(one.get("id")): str(one.get("text") or one.get("id")) for one in made}
    return [texts.get(one, one) if one.isdecimal() else one for one in accepted]


def _labels(value: object, depth: int = 0) -> Iterator[str]:
    """Yield the labels in a value, as annotators chose them. Numbers and marked parts of a text are none."""
    if depth > DEEPEST_LABEL:
        return
    if isinstance(value, str):
        opened = _opened(value)
        yield from [value.strip()] if opened is value or opened is None else _labels(opened, depth + 1)
    elif isinstance(value, list):
        turns = [text for role, text in _turns(value) if role in ANSWERING_ROLES]
        if turns:
            yield from _labels(turns[-1], depth + 1)
        elif not any(isinstance(one, int) for one in value):
            for one in value:
                yield from _labels(one, depth + 1)
    elif isinstance(value, dict) and not _is_no_label(value):
        yield from _labels(_inner(value), depth + 1)


def _is_no_label(value: Record) -> bool:
    """Return whether an annotation was withdrawn, or marks a part of a text."""
    withdrawn = value.get("was_cancelled") is True or str(value.get("status")) in {"discarded", "draft", "pending"}
    return withdrawn or {"start", "end"} <= value.keys()


def _inner(value: Record) -> object:
    """Return the part of an annotation or an answer that holds the label."""
    for key in ("choices", "result", "messages", "value"):
        if key in value:
            return value[key]
    if name := select(tuple(map(str, value))).category:
        return value.get(name)
    return next(iter(value.values())) if len(value) == 1 else None
