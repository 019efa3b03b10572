"""JSON that is nested too deeply for a parser, or only for what walks the parsed value."""

DEEP = {levels: "[" * levels + "]" * levels for levels in (150, 900, 100_000)}
"""Levels → lists within lists. Python's parser takes the first two, which break what calls itself for each level."""


def deep_objects(levels: int) -> str:
    """Return objects within objects, each under the key `a`."""
    return '{"a":' * levels + "1" + "}" * levels
