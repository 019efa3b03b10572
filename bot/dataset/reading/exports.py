"""One record of a file as a labelled question, in whichever program's shape it is.

Read are plain columns, OpenAI's training files, and exports of doccano, Label Studio, Argilla, Prodigy and LangSmith.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.dataset.reading.columns import QUESTION_CONTAINERS, columns, normal, select, settled
from bot.dataset.reading.fields import ASKING_ROLES, opened, question_in, turns_of
from bot.dataset.reading.plain import plain
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine
from bot.providers.written_answer import written_answer

Record = Mapping[str, object]

UNREADABLE = re.compile("[\x00\ufffd\ud800-\udfff]")
"""Characters that show a decoding error: NUL, the replacement character and lone surrogates."""
ANSWERING_ROLES = frozenset({"assistant", "ai", "gpt", "model"})
TURNS = ("messages", "conversations", "contents")
"""Names of a list of turns: OpenAI's, ShareGPT's and Gemini's."""
WRAPPERS = ("fields", "row", "item", "issue", "ticket", "record", "attributes")
"""Names under which programs put a whole record, beside what they say about it."""
LABEL_KEYS = (
    *("choices", "result", "messages", "message", "generations", "values", "value"),
    *("display_value", "displayName", "display_name"),
)
"""Names under which an annotation or an answer holds its label."""
SILENT_ROLES = frozenset({"system", "developer", "tool", "function"})
NO_LABEL_TYPES = frozenset({"textarea", "rating", "number", "datetime"})
"""Label Studio's types of what annotators add to a label."""
HALF = 0.5
"""Share from which a category of several counts as chosen."""
LOOKED_AT = 500
"""Number of records that are looked at for known labels."""
LONGEST_LABEL = 60
"""Maximum length of an answer that is a bare label, as of a category's name."""
DEEPEST_LABEL = 12
"""Maximum depth of lists and objects in which a label is looked for."""


def labelled(line: int, record: Record, options: ReadingOptions) -> Labelled | BadLine | SkippedLine:
    """Return what a record says, or why nothing can be taken from it."""
    record = _unwrapped({str(name): value for name, value in record.items()})
    if why := _skip(record):
        return SkippedLine(line=line, why=why)
    turns = next((record[name] for name in TURNS if isinstance(record.get(name), list)), None)
    if isinstance(turns, list) and not options.text:
        return _from_turns(line, turns, options)
    chosen = select(tuple(record), options.text, options.category)
    text = "\n".join(
        filter(None, (question_in(record[name], inner=normal(name) in QUESTION_CONTAINERS) for name in chosen.text))
    )
    if not text and not options.text:
        inner = [value for name, value in record.items() if normal(name) in QUESTION_CONTAINERS]
        text = next(filter(None, (question_in(value, inner=True) for value in inner)), "")
    answer = opened(record[chosen.category], normal(chosen.category)) if chosen.category else None
    if normal(chosen.category) == "cats" and isinstance(answer, dict):
        answer = [name for name, share in answer.items() if isinstance(share, int | float) and share >= HALF]
    numbered = [str(answer)] if isinstance(answer, int) and not isinstance(answer, bool) else []
    labels = _accepted(record) or numbered or list(dict.fromkeys(_labels(answer)))
    reason = record[chosen.reason] if chosen.reason else answer.get("reason") if isinstance(answer, dict) else None
    return _checked(line, text, labels, reason)


def known_column(records: Sequence[Record], options: ReadingOptions) -> ReadingOptions:
    """Return the options with another category column, if the guessed one holds no known category and another does."""
    if options.is_label is None or options.category:
        return options
    looked_at = [_unwrapped(record) for record in records[:LOOKED_AT]]
    names = tuple(dict.fromkeys(str(name) for record in looked_at for name in record))
    first = select(names, options.text).category
    for name in filter(None, [first, *settled(columns(names))]):
        if any(options.is_label(label) for record in looked_at for label in _labels(opened(record.get(name)))):
            return options if name == first else options.model_copy(update={"category": name})
    return options


def _unwrapped(record: Record) -> Record:
    """Return a record with the fields that a program has put one level deeper."""
    for name in WRAPPERS:
        if isinstance(inner := record.get(name), dict):
            record = {**{str(key): value for key, value in inner.items()}, **record}
    return record


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


def _from_turns(line: int, messages: list[object], options: ReadingOptions) -> Labelled | BadLine | SkippedLine:
    """Return the last question of a conversation and its answer."""
    last = messages[-1] if messages else None
    spoken = [one for one in messages if one is last or not (isinstance(one, dict) and one.get("tool_calls"))]
    turns = [(role, text) for role, text in turns_of(spoken) if role not in SILENT_ROLES]
    roles = [role for role, _ in turns[-2:]]
    if len(roles) != 2 or roles[0] not in ASKING_ROLES or roles[1] not in ANSWERING_ROLES or not isinstance(last, dict):
        return BadLine(line=line, why=Flaw.TRAINING_EXAMPLE)
    if _is_zero(last.get("weight")):
        return SkippedLine(line=line, why=Skip.WEIGHT_ZERO)
    (_, question), (_, answer) = turns[-2:]
    record = opened(answer)
    if isinstance(record, dict):
        chosen = select(tuple(record))
        labels = list(dict.fromkeys(_labels(record.get(chosen.category))))
        return _checked(line, question, labels, record.get(chosen.reason))
    written = written_answer(answer, options.is_label or (lambda _: False))
    if written and written.category:
        return _checked(line, question, [written.category], written.reason)
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
        inner = opened(value)
        yield from [value.strip()] if inner is value or inner is None else _labels(inner, depth + 1)
    elif isinstance(value, list):
        turns = [text for role, text in turns_of(value) if role in ANSWERING_ROLES]
        if turns:
            yield from _labels(turns[-1], depth + 1)
        elif not any(isinstance(one, int) for one in value):
            for one in value:
                yield from _labels(one, depth + 1)
    elif isinstance(value, dict) and not _is_no_label(value):
        ((role, text),) = turns_of([value])
        yield from _labels(text if role in ANSWERING_ROLES else _inner(value), depth + 1)


def _is_no_label(value: Record) -> bool:
    """Return whether an annotation was withdrawn, is a comment or a rating, or marks a part of a text."""
    withdrawn = value.get("was_cancelled") is True or str(value.get("status")) in {"discarded", "draft", "pending"}
    return withdrawn or str(value.get("type")) in NO_LABEL_TYPES or {"start", "end"} <= value.keys()


def _inner(value: Record) -> object:
    """Return the part of an annotation or an answer that holds the label."""
    for key in LABEL_KEYS:
        if key in value:
            return value[key]
    if name := select(tuple(map(str, value))).category:
        return value.get(name)
    return value.get("name") or (next(iter(value.values())) if len(value) == 1 else None)
