"""JSON of pages and apps: bounded in depth, without numbers that JSON cannot write, and with texts that UTF-8 can."""

import json
import math
from typing import Any

MOST_DEPTH = 100
"""Maximum number of objects and lists within each other."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; half characters in it are replaced.

    Raises:
        ValueError: The text is no JSON, holds a number that is not finite, or is nested deeper than `MOST_DEPTH`.
    """
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if _is_too_deep(value):
        raise ValueError(_TOO_DEEP)
    has_halves = b"\\u" in text if isinstance(text, bytes) else "\\u" in text
    return _whole(value) if has_halves else value


_TOO_DEEP = f"it is nested deeper than {MOST_DEPTH} levels"


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written} is not a number of JSON")
    return number


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
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


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return {_whole(key): _whole(one) for key, one in value.items()} if isinstance(value, dict) else value
