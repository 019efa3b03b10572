"""JSON from outside, whose depth is bounded: Python's own parser, and all code that walks a value, end in an error."""

import json
from typing import Any

MOST_LEVELS = 100
"""Maximum number of objects and lists within each other. Slack, providers and LangSmith stay far below."""


def parse_nested(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is no JSON, or its value is nested deeper than `MOST_LEVELS`.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {MOST_LEVELS} levels") from None
    if is_too_deep(value):
        raise ValueError(f"nested deeper than {MOST_LEVELS} levels")
    return value


def is_too_deep(value: Any) -> bool:
    """Return whether a value of JSON's types is nested deeper than `MOST_LEVELS`."""
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
