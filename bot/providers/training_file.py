"""Validation of a training file before anything is paid for, at least as strict as OpenAI's.

The rules come from OpenAI's fine-tuning guide for chat models, the limits from gpt-4o and gpt-4.1. Some rules are
stricter, because our own files never need more: content is always text, and there are no tools.
"""

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

from bot.domain.dataset import SPECIAL_TOKENS
from bot.domain.training_file import FEWEST_EXAMPLES, FileProblem
from bot.providers.tokens import tokens_of

EXAMPLE_TOKENS = 65_536
"""Most tokens of one example; providers silently cut longer ones."""
TRAINING_FILE_BYTES = 512 * 1024 * 1024
"""Largest size of a training file, in bytes."""
ROLES = ("system", "user", "assistant")
MESSAGE_KEYS = frozenset({"role", "content", "name", "weight"})


def check(lines: Iterable[bytes]) -> list[FileProblem]:
    """Return all problems of a file, in order of its lines; an empty list means that providers accept it."""
    problems: list[FileProblem] = []
    number = size = 0
    first_at: dict[bytes, int] = {}
    for number, ended in enumerate(lines, start=1):
        line = ended.removesuffix(b"\n")
        size += len(line) + 1
        problems.extend(FileProblem(number, *found) for found in _line_problems(line))
        digest = blake2b(line, digest_size=16).digest()
        earlier = first_at.setdefault(digest, number)
        if earlier != number:
            problems.append(FileProblem(number, "duplicate", f"the same as line {earlier}"))
    if size > TRAINING_FILE_BYTES:
        return [FileProblem(0, "too_large", f"{size:,} bytes; at most {TRAINING_FILE_BYTES:,} are allowed")]
    if number < FEWEST_EXAMPLES:
        problems.insert(0, FileProblem(0, "too_few", f"{number} examples; at least {FEWEST_EXAMPLES} are needed"))
    return problems


def _line_problems(line: bytes) -> list[tuple[str, str]]:
    try:
        example = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return [("encoding", "not UTF-8")]
    except (ValueError, RecursionError):
        return [("not_json", "not one JSON value on one line")]
    if not isinstance(example, dict) or set(example) != {"messages"}:
        return [("not_an_example", "not an object with `messages` and nothing else")]
    messages = example["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages) or not messages:
        return [("no_messages", "`messages` is not a list of objects, or is empty")]
    found = [problem for message in messages for problem in _message_problems(message)]
    found += _conversation_problems(messages)
    # Tokens can be counted only in a valid example.
    return found or list(_length_problems(messages))


def _message_problems(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if message.get("role") not in ROLES:
        yield "role", f"a role other than {', '.join(ROLES)}"
    if not MESSAGE_KEYS.issuperset(message):
        yield "unknown_key", f"a key other than {', '.join(sorted(MESSAGE_KEYS))}"
    if not isinstance(message.get("name", ""), str):
        yield "name", "a name that is not text"
    yield from _content_problems(message.get("content"))
    if "weight" in message:
        yield from _weight_problems(message["weight"], message.get("role"))


def _content_problems(content: object) -> Iterator[tuple[str, str]]:
    if not isinstance(content, str) or not content.strip():
        yield "content", "content that is not text, or is empty"
    elif not _encodable(content):
        yield "encoding", "half of a surrogate pair, which is not valid text"
    elif any(token in content for token in SPECIAL_TOKENS):
        yield "special_token", f"one of the special tokens {' '.join(SPECIAL_TOKENS)}"


def _weight_problems(weight: object, role: object) -> Iterator[tuple[str, str]]:
    if role != "assistant":
        yield "weight", "a weight on a message that is not the assistant's"
    elif not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= 1:
        yield "weight", "a weight other than 0 and 1"


def _conversation_problems(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if messages[-1].get("role") != "assistant":
        yield "last_message", "the last message is not the assistant's"
    if not any(message.get("role") == "user" for message in messages):
        yield "no_question", "no message of the user"
    if all(message.get("weight", 1) == 0 for message in messages if message.get("role") == "assistant"):
        yield "nothing_to_learn", "no message of the assistant with a weight of 1"


def _length_problems(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    tokens = tokens_of(messages)
    if tokens > EXAMPLE_TOKENS:
        yield "too_long", f"{tokens:,} tokens; at most {EXAMPLE_TOKENS:,} are read"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
