"""What may be wrong with a training file."""

from bot.domain.thing import Thing

LEAST_EXAMPLES = 10
"""OpenAI refuses a file with fewer (supervised fine-tuning guide)."""


class Problem(Thing):
    """One thing that a provider would refuse. `line` counts from 1; 0 is the file itself."""

    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message
