"""The question in a field of an export, and the turns of a conversation."""

import ast
import json
import re
from collections.abc import Iterator

from bot.dataset.reading.columns import ANSWER_CONTAINERS, QUESTION_CONTAINERS, select

ASKING_ROLES = frozenset({"user", "human"})
WRITTEN_LIST = re.compile(r"\[(?:'[^'\\]*'(?:,\s*|\s+|(?=\])))*\]")
"""A list of strings as Python and numpy write it in a cell of a table."""
DEEPEST_FIELD = 12
"""Maximum depth of fields within fields in which a question is looked for."""
LONGEST_CELL = 100_000
"""Most characters of a cell that is read as Python wrote it."""


def opened(value: object, name: str = "") -> object:
    """Return the JSON in a cell, if this column may hold some."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        if WRITTEN_LIST.fullmatch(value.strip()):
            return re.findall(r"'([^']*)'", value)
        if (found := _written_by_python(value)) is not None:
            return found
        return None if name in {*QUESTION_CONTAINERS, *ANSWER_CONTAINERS} else value


def _written_by_python(value: str) -> dict[object, object] | None:
    """Return the dictionary in a cell, as pandas writes it; None if it is none."""
    if not value.lstrip().startswith("{") or len(value) > LONGEST_CELL:
        return None
    try:
        found = ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) else None


def question_in(value: object, *, inner: bool = False, depth: int = 0) -> str:
    """Return the question in a value: a string, chunks of text, turns of a conversation or a program's fields."""
    value = opened(value) if inner else value
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        value = value[0] if len(value) == 1 and isinstance(value[0], list) else value
        asked = [content for role, content in turns_of(value) if role in ASKING_ROLES]
        return asked[-1] if asked else _chunks(value)
    return _question_of(value, depth + 1) if isinstance(value, dict) and depth < DEEPEST_FIELD else ""


def _question_of(fields: dict[str, object], depth: int) -> str:
    """Return the question in a program's fields."""
    if isinstance(turns := fields.get("messages"), list):
        return question_in(turns)
    if fields.get("type") == "doc":
        return "\n".join(filter(None, (" ".join(_written(block)) for block in _list(fields.get("content")))))
    chosen = select(tuple(map(str, fields)))
    written = [name for name, field in fields.items() if isinstance(field, str | list) and field]
    names = chosen.text or (tuple(written) if len(written) == 1 and not chosen.category else ())
    return "\n".join(filter(None, (question_in(fields.get(name), depth=depth) for name in names)))


def _written(block: object, depth: int = 0) -> Iterator[str]:
    """Yield the texts of a block of Jira's document format."""
    if isinstance(block, dict) and depth < DEEPEST_FIELD:
        if isinstance(text := block.get("text"), str):
            yield text
        for inner in _list(block.get("content")):
            yield from _written(inner, depth + 1)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _chunks(content: object) -> str:
    """Return the text of a message's content: a string, or a list of which each part is text."""
    if isinstance(content, str):
        return content.strip()
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts).strip() if isinstance(content, list) and len(texts) == len(content) else ""


def turns_of(messages: list[object]) -> list[tuple[str, str]]:
    """Return role and text of each message, in the shapes of OpenAI, LangChain and ShareGPT."""
    found = []
    for message in messages:
        if isinstance(message, dict):
            # LangChain puts a message's fields one level deeper.
            deeper: dict[str, object] = next(
                (message[key] for key in ("kwargs", "data") if isinstance(message.get(key), dict)), {}
            )
            one = {**message, **deeper}
            role = next((one[key] for key in ("role", "type", "from") if isinstance(one.get(key), str)), "")
            content = next((one[key] for key in ("content", "value", "parts") if one.get(key)), None)
            found.append((role.casefold(), _chunks(content) or _called(one.get("tool_calls"))))
    return found


def _called(calls: object) -> str:
    """Return the arguments of an answer that is one call of a tool."""
    call = calls[0] if isinstance(calls, list) and len(calls) == 1 else None
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    return arguments if isinstance(arguments, str) else ""
