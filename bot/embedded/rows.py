"""Training files: OpenAI's rules for chat fine-tuning, and the rows that a valid file holds."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.embedded.schemas import CATEGORY_NAMES

FEWEST_LINES = 10
"""OpenAI refuses files with fewer examples."""

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_KEYS = {"role", "content", "name", "weight", "function_call", "tool_calls", "tool_call_id", "refusal"}
_SPECIAL = re.compile(r"<\|(?:endoftext|endofprompt|fim_prefix|fim_middle|fim_suffix|im_start|im_end|im_sep)\|>")
_SHOWN = 5


class InvalidFileError(ValueError):
    """The file breaks a rule of the training format; the message names the lines."""


@dataclass(frozen=True)
class TrainingExample:
    """One line: what the system said, what was asked, what the assistant should answer, and whether to learn it."""

    system: str
    question: str
    answer: str
    learn: bool


def text_of(content: object) -> str:
    """Return the text of a message's content: a string or a list of text parts. Raises ValueError for anything else."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "\n".join(part["text"] for part in content)
    raise ValueError("content must be a string or a list of text parts")


def _check_message(message: object, at: str) -> Iterator[str]:
    if not isinstance(message, dict):
        yield f"{at} is not an object"
        return
    if unknown := sorted(set(message) - _KEYS):
        yield f"{at} has an unknown key: {unknown[0]}"
    if message.get("role") not in _ROLES:
        yield f"{at} has an unknown role"
    if "weight" in message and (message.get("role") != "assistant" or message["weight"] not in (0, 1)):
        yield f"{at} has a weight: only an assistant's message may have one, and it is 0 or 1"
    try:
        text = text_of(message.get("content"))
    except ValueError as wrong:
        yield f"{at}: {wrong}"
        return
    if special := _SPECIAL.search(text):
        yield f"{at} contains the special token {special.group()}, which is not allowed"


def _check(line: object) -> Iterator[str]:
    messages = line.get("messages") if isinstance(line, dict) else None
    if not isinstance(messages, list) or not messages:
        yield "not valid JSON, or no object with a list of messages"
        return
    for number, message in enumerate(messages, start=1):
        yield from _check_message(message, f"message {number}")
    roles = [message.get("role") for message in messages if isinstance(message, dict)]
    if roles[-1:] != ["assistant"]:
        yield "the last message must be from the assistant"
    if "user" not in roles:
        yield "there must be a message from the user"


def _example(messages: list[dict[str, Any]]) -> TrainingExample:
    by_role = [(message["role"], text_of(message["content"])) for message in messages]
    return TrainingExample(
        system="\n\n".join(text for role, text in by_role if role in {"system", "developer"}),
        question=[text for role, text in by_role if role == "user"][-1],
        answer=by_role[-1][1],
        learn=messages[-1].get("weight", 1) == 1,
    )


def examples_of(data: bytes) -> list[TrainingExample]:
    """Read a training file.

    Raises:
        InvalidFileError: It is not UTF-8 JSONL of chats with at least ten examples. The first few bad lines are named.
    """
    problems: list[str] = []
    examples: list[TrainingExample] = []
    for number, line in enumerate(_text(data).split("\n"), start=1):
        if line.strip():
            value = _value(line)
            wrong = [f"Line {number}: {problem}" for problem in _check(value)]
            problems += wrong
            examples += [] if wrong else [_example(value["messages"])]
    if problems:
        more = f" ({len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        raise InvalidFileError(f"Invalid file format. {'; '.join(problems[:_SHOWN])}{more}.")
    if len(examples) < FEWEST_LINES:
        raise InvalidFileError(f"The file has {len(examples)} example(s), but at least {FEWEST_LINES} are required.")
    if not labelled(examples):
        raise InvalidFileError("No example has both a question and an answer to learn.")
    return examples


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        number = data.count(b"\n", 0, wrong.start) + 1
        raise InvalidFileError(f"The file is not UTF-8: line {number} can't be read.") from wrong


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _fields(answer: str) -> dict[str, str] | None:
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else None


def _order(answers: list[dict[str, str]]) -> list[str]:
    """Return the fields, the likeliest to be the category first: by name, else the shortest on average."""
    lengths: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for fields in answers:
        for key, text in fields.items():
            lengths[key] += len(text)
            times[key] += 1
    return sorted(times, key=lambda key: (key.casefold() not in CATEGORY_NAMES, lengths[key] / times[key], key))


def _label(answer: str, order: list[str]) -> str:
    fields = _fields(answer)
    return answer.strip() if fields is None else next((fields[key] for key in order if key in fields), "")


def label_in(answer: str) -> str:
    """Return the label of one answer, read as `labelled` does."""
    return _label(answer, _order([_fields(answer) or {}]))


def labelled(examples: list[TrainingExample]) -> list[tuple[str, str]]:
    """Return (question, label) of the examples to learn.

    The label is the answer itself, or the field of a JSON answer that is called category (or alike), or else its
    shortest field on average: labels are short, reasons are sentences.
    """
    learnt = [example for example in examples if example.learn]
    order = _order([fields for example in learnt if (fields := _fields(example.answer))])
    rows = [(example.question, _label(example.answer, order)) for example in learnt]
    return [(question, label) for question, label in rows if question.strip() and label]


def usual_system(examples: list[TrainingExample]) -> str:
    """Return the system message that most examples share."""
    return Counter(example.system for example in examples).most_common(1)[0][0]
