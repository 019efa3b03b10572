"""Training files: validation by OpenAI's rules for chat fine-tuning, and the labelled rows of a valid file."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.embedded.json_text import parse_json
from bot.embedded.schemas import CATEGORY_NAMES

MIN_EXAMPLES = 10
"""Minimum number of examples in a training file; OpenAI refuses smaller files."""

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_KEYS = {"role", "content", "name", "weight", "function_call", "tool_calls", "tool_call_id", "refusal"}
_SPECIAL_TOKEN = re.compile(r"<\|(?:endoftext|endofprompt|fim_prefix|fim_middle|fim_suffix|im_start|im_end|im_sep)\|>")
_MAX_PROBLEMS_SHOWN = 5


class InvalidFileError(ValueError):
    """A training file that breaks a rule of the format; the message names the bad lines, if there are any."""


@dataclass(frozen=True)
class TrainingExample:
    """One line of a training file; `learn` is False for an answer with weight 0, and `line` counts from 1."""

    system: str
    question: str
    answer: str
    learn: bool
    line: int = 0


def text_of(content: object) -> str:
    """Return the text of a message's content.

    Raises:
        ValueError: The content is neither a string nor a list of text parts.
    """
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
    if message.get("role") not in list(_ROLES):
        yield f"{at} has an unknown role"
    if "weight" in message and (message.get("role") != "assistant" or message["weight"] not in (0, 1)):
        yield f"{at} has a weight: only an assistant's message may have one, and it is 0 or 1"
    try:
        text = text_of(message.get("content"))
    except ValueError as wrong:
        yield f"{at}: {wrong}"
        return
    if special := _SPECIAL_TOKEN.search(text):
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


def _example(messages: list[dict[str, Any]], line: int) -> TrainingExample:
    by_role = [(message["role"], text_of(message["content"])) for message in messages]
    return TrainingExample(
        system="\n\n".join(text for role, text in by_role if role in {"system", "developer"}),
        question=[text for role, text in by_role if role == "user"][-1],
        answer=by_role[-1][1],
        learn=messages[-1].get("weight", 1) == 1,
        line=line,
    )


def examples_of(data: bytes) -> list[TrainingExample]:
    """Parse a training file.

    Raises:
        InvalidFileError: The file is not UTF-8 JSONL of chats, has fewer than ten examples, or has none to learn. The
            message names the first five problems.
    """
    problems: list[str] = []
    examples: list[TrainingExample] = []
    for number, line in enumerate(_decode(data).split("\n"), start=1):
        if line.strip():
            value = _parse_json(line)
            wrong = [f"Line {number}: {problem}" for problem in _check(value)]
            problems += wrong
            examples += [] if wrong else [_example(value["messages"], number)]
    if problems:
        more = f" ({len(problems) - _MAX_PROBLEMS_SHOWN} more)" if len(problems) > _MAX_PROBLEMS_SHOWN else ""
        raise InvalidFileError(f"Invalid file format. {'; '.join(problems[:_MAX_PROBLEMS_SHOWN])}{more}.")
    if len(examples) < MIN_EXAMPLES:
        raise InvalidFileError(f"The file has {len(examples)} example(s), but at least {MIN_EXAMPLES} are required.")
    if not labelled_rows(examples):
        raise InvalidFileError("No example has both a question and an answer to learn.")
    return examples


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        number = data.count(b"\n", 0, wrong.start) + 1
        raise InvalidFileError(f"The file is not UTF-8: line {number} can't be read.") from wrong


def _parse_json(line: str) -> Any:
    try:
        return parse_json(line)
    except ValueError:
        return None


def _fields(answer: str) -> dict[str, str] | None:
    try:
        value = parse_json(answer)
    except ValueError:
        return None
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else None


def _rank_fields(answers: list[dict[str, str]]) -> list[str]:
    """Return the field names, the likeliest category first: known category names, then the shortest average text."""
    lengths: Counter[str] = Counter()
    occurrences: Counter[str] = Counter()
    for fields in answers:
        for key, text in fields.items():
            lengths[key] += len(text)
            occurrences[key] += 1
    return sorted(
        occurrences, key=lambda key: (key.casefold() not in CATEGORY_NAMES, lengths[key] / occurrences[key], key)
    )


def _label_from(answer: str, ranked: list[str]) -> str:
    fields = _fields(answer)
    return answer.strip() if fields is None else next((fields[key] for key in ranked if key in fields), "")


def label_of(answer: str) -> str:
    """Return the label of a single answer, by the rule of `labelled_rows`."""
    return _label_from(answer, _rank_fields([_fields(answer) or {}]))


def labelled_rows(examples: list[TrainingExample]) -> list[tuple[str, str]]:
    """Return the question and label of each example that is to be learned.

    The label is the whole answer, or one field of a JSON answer: the field with a name such as "category". If no field
    has such a name, the shortest field on average is the label, because labels are short and reasons are sentences.
    """
    return [(example.question, label) for example, label in labelled_examples(examples)]


def labelled_examples(examples: list[TrainingExample]) -> list[tuple[TrainingExample, str]]:
    """Return each example that is to be learned with its label, by the rule of `labelled_rows`."""
    learned = [example for example in examples if example.learn]
    ranked = _rank_fields([fields for example in learned if (fields := _fields(example.answer))])
    labelled = [(example, _label_from(example.answer, ranked)) for example in learned]
    return [(example, label) for example, label in labelled if example.question.strip() and label]


def open_questions(examples: list[TrainingExample]) -> list[str]:
    """Return the questions of examples without an answer: they show what is asked, and teach no answer."""
    return [one.question for one in examples if not one.learn and one.question.strip() and not one.answer.strip()]


def most_common_system(examples: list[TrainingExample]) -> str:
    """Return the system message that most of the examples that are to be learned share."""
    return Counter(example.system for example in examples if example.learn).most_common(1)[0][0]
