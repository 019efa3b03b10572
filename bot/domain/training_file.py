"""What may be wrong with a training file."""

from typing import NamedTuple

FEWEST_EXAMPLES = 10
"""OpenAI refuses a file with fewer (supervised fine-tuning guide)."""


class FileProblem(NamedTuple):
    """Something wrong in a training file. `line` counts from 1; 0 is the file as a whole. No message holds content."""

    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message
