"""A reader of files with a company's labelled questions: CSV or JSON Lines."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from pydantic import Field

from bot.domain.thing import Thing

TEXT_COLUMNS = ("text", "question", "質問", "本文")
CATEGORY_COLUMNS = ("category", "label", "カテゴリー", "カテゴリ", "分類")
REASON_COLUMNS = ("reason", "理由")
SEPARATORS = (",", "\t", ";")
"""Possible separators of a CSV; the one most frequent in the header is used."""
UNREADABLE = re.compile("[\ufffd\ud800-\udfff]")
"""Characters that show a decoding error: the replacement character and lone surrogates."""


class Labelled(Thing):
    """One labelled question. `line` is the line it ends on, counted from 1, including the header of a CSV."""

    line: int
    text: str
    category: str
    reason: str | None = None


class Flaw(StrEnum):
    """A reason why a line is unusable. Each flaw has a text in each language under `cli.import.flaw.<value>`."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_HEADER = "no_header"
    NOT_CSV = "not_csv"
    TRAINING_EXAMPLE = "training_example"
    NOT_UTF8 = "not_utf8"
    NO_TEXT = "no_text"
    NO_CATEGORY = "no_category"
    NO_WORDS = "no_words"
    UNKNOWN_CATEGORY = "unknown_category"
    CONTRADICTED = "contradicted"


class BadLine(Thing):
    """A line that cannot be imported, and why. `facts` are the values for its text's placeholders."""

    line: int
    why: Flaw
    facts: dict[str, str] = Field(default_factory=dict)


def read(data: bytes) -> Iterator[Labelled | BadLine]:
    """Yield each non-empty record of a file, good or bad, in order. Never raises.

    A file whose first character is `{` is JSON Lines, any other is a CSV. The encoding is UTF-8, with or without a
    byte-order mark, or UTF-16 with one (Excel's "Unicode text"). Otherwise it is Shift_JIS as Excel in Japan writes it
    (cp932). A CSV's separator is a comma, a tab or, as Excel in much of Europe writes it, a semicolon.
    """
    text = _decode(data)
    yield from _parse_jsonl(text) if text.lstrip().startswith("{") else _parse_csv(text)


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    text = data.decode("utf-8-sig", errors="replace")
    broken = text.count("\ufffd")
    # A few broken bytes spoil only their own lines. Decoding all as cp932 would garble the good lines.
    mostly_utf8 = broken * 2 <= sum(ch > "\x7f" for ch in text)
    return text if mostly_utf8 else data.decode("cp932", errors="replace")


def _parse_jsonl(text: str) -> Iterator[Labelled | BadLine]:
    # Only a line feed ends a record: a JSON string may contain U+2028 and other line ends.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            yield BadLine(line=number, why=Flaw.NOT_JSON)
            continue
        if isinstance(record, dict):
            yield _parse_record(number, record)
        else:
            yield BadLine(line=number, why=Flaw.NOT_AN_OBJECT)


def _parse_csv(text: str) -> Iterator[Labelled | BadLine]:
    records = _csv_records(text)
    header = next(records, (1, []))
    if isinstance(header, BadLine):
        yield header
        return
    names = [name.strip().lower() for name in header[1]]
    if not (set(names) & set(TEXT_COLUMNS) and set(names) & set(CATEGORY_COLUMNS)):
        yield BadLine(line=header[0], why=Flaw.NO_HEADER)
        return
    for record in records:
        if isinstance(record, BadLine):
            yield record
        else:
            line, fields = record
            yield _parse_record(line, dict(zip(names, fields, strict=False)))


def _csv_records(text: str) -> Iterator[tuple[int, list[str]] | BadLine]:
    """Yield the line that each record ends on, and its fields. Blank lines are skipped."""
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count))
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadLine(line=reader.line_num, why=Flaw.NOT_CSV, facts={"error": str(error)})
        else:
            if fields:
                yield reader.line_num, fields


def _parse_record(line: int, record: Mapping[str, object]) -> Labelled | BadLine:
    if isinstance(messages := record.get("messages"), list):
        converted = _from_training_example(messages)
        if converted is None:
            return BadLine(line=line, why=Flaw.TRAINING_EXAMPLE)
        record = converted
    text, category, reason = (_field(record, names) for names in (TEXT_COLUMNS, CATEGORY_COLUMNS, REASON_COLUMNS))
    if UNREADABLE.search(text + category + reason):
        return BadLine(line=line, why=Flaw.NOT_UTF8)
    if not text:
        return BadLine(line=line, why=Flaw.NO_TEXT)
    if not category:
        return BadLine(line=line, why=Flaw.NO_CATEGORY)
    return Labelled(line=line, text=text, category=category, reason=reason or None)


def _from_training_example(messages: list[object]) -> Mapping[str, object] | None:
    """Return the question and its JSON answer, from the messages of a line in OpenAI's fine-tuning format.

    None means that the line is another kind of conversation.
    """
    parsed = [(one.get("role"), one.get("content")) for one in messages if isinstance(one, dict)]
    turns = [(role, content) for role, content in parsed if role not in {"system", "developer"}]
    if len(parsed) != len(messages) or [role for role, _ in turns] != ["user", "assistant"]:
        return None
    question, answer = (content for _, content in turns)
    try:
        answered = json.loads(answer) if isinstance(answer, str) else None
    except (ValueError, RecursionError):
        return None
    return {**answered, "text": question} if isinstance(answered, dict) else None


def _field(record: Mapping[str, object], names: tuple[str, ...]) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""
