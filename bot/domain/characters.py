"""The repair of text that is no valid Unicode, which can be neither hashed, nor sent, nor stored."""

from typing import Any

REPLACEMENT = "\ufffd"
"""Replaces a character that cannot be stored (U+FFFD)."""


def clean_text(text: str) -> str:
    """Join the two halves of a surrogate pair; replace each lone half, and NUL, which PostgreSQL refuses."""
    if text.isascii():
        return text.replace("\0", REPLACEMENT)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", REPLACEMENT)


def clean_values(value: Any) -> Any:
    """Return a value of JSON's types with every text in it cleaned, the keys included."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_values(key): clean_values(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(clean_values(each) for each in value)
    return value
