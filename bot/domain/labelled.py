"""Reads the labelled questions that a company already has: CSV or JSON Lines."""

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
"""The one that the header holds most of is the file's."""
UNREADABLE = re.compile("[\ufffd\ud800-\udfff]")
"""What is left where bytes or escapes stood for no character."""


class Labelled(Thing):
    """One labelled question. `line` is the one that it ends on, counted from 1, the header of a CSV included."""

    line: int
    text: str
    category: str
    reason: str | None = None


class Flaw(StrEnum):
    """What is wrong with a line. Each has a text in each language under `cli.import.flaw.<value>`."""

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
    """A line that could not be taken over, and why; `facts` are what its text's placeholders stand for."""

    line: int
    why: Flaw
    facts: dict[str, str] = Field(default_factory=dict)


def read(data: bytes) -> Iterator[Labelled | BadLine]:
    """Each non-empty record of a file, in order, good or bad; it is JSON Lines if its first character is `{`.

    UTF-8 (with or without a byte-order mark), UTF-16 with one (Excel's "Unicode text"), else Shift_JIS as Excel in
    Japan writes it (cp932). A CSV's fields are parted by commas, tabs or, as Excel in much of Europe does,
    semicolons. Never raises.
    """
    text = _decoded(data)
    yield from _read_jsonl(text) if text.lstrip().startswith("{") else _read_csv(text)


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    text = data.decode("utf-8-sig", errors="replace")
    broken = text.count("\ufffd")
    # A byte that went wrong makes one line bad. Reading all as cp932 would turn the good ones into other words.
    few = broken * 2 <= sum(ch > "\x7f" for ch in text)
    return text if few else data.decode("cp932", errors="replace")


def _read_jsonl(text: str) -> Iterator[Labelled | BadLine]:
    # Only a line feed ends a record: U+2028 and the like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            yield BadLine(line=number, why=Flaw.NOT_JSON)
            continue
        if isinstance(record, dict):
            yield _labelled(number, record)
        else:
            yield BadLine(line=number, why=Flaw.NOT_AN_OBJECT)


def _read_csv(text: str) -> Iterator[Labelled | BadLine]:
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
        yield record if isinstance(record, BadLine) else _labelled(record[0], dict(zip(names, record[1], strict=False)))


def _csv_records(text: str) -> Iterator[tuple[int, list[str]] | BadLine]:
    """The line that each record ends on, and its fields. Blank lines are left out."""
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


def _labelled(line: int, record: Mapping[str, object]) -> Labelled | BadLine:
    if isinstance(messages := record.get("messages"), list):
        trained = _of_training_example(messages)
        if trained is None:
            return BadLine(line=line, why=Flaw.TRAINING_EXAMPLE)
        record = trained
    text, category, reason = (_field(record, names) for names in (TEXT_COLUMNS, CATEGORY_COLUMNS, REASON_COLUMNS))
    if UNREADABLE.search(text + category + reason):
        return BadLine(line=line, why=Flaw.NOT_UTF8)
    if not text:
        return BadLine(line=line, why=Flaw.NO_TEXT)
    if not category:
        return BadLine(line=line, why=Flaw.NO_CATEGORY)
    return Labelled(line=line, text=text, category=category, reason=reason or None)


def _of_training_example(messages: list[object]) -> Mapping[str, object] | None:
    """The one question of a line of OpenAI's fine-tuning format, and what was answered to it as a JSON object.

    None where it is another kind of conversation.
    """
    said = [(one.get("role"), one.get("content")) for one in messages if isinstance(one, dict)]
    turns = [(role, content) for role, content in said if role not in {"system", "developer"}]
    if len(said) != len(messages) or [role for role, _ in turns] != ["user", "assistant"]:
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
