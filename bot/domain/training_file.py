"""Problems of a training file."""

from typing import NamedTuple

FEWEST_EXAMPLES = 10
"""Minimum number of examples that OpenAI accepts (supervised fine-tuning guide)."""


class FileProblem(NamedTuple):
    """A problem of a training file. `line` counts from 1; 0 means the whole file. The message holds no content."""

    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message
