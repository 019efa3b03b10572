"""The records of a file with a company's labelled questions; bot/dataset/reading/ reads them."""

from collections.abc import Callable
from enum import StrEnum

from pydantic import Field

from bot.domain.thing import Thing


class Labelled(Thing):
    """One labelled question. `line` is the line it ends on, counted from 1, including the header of a table."""

    line: int
    text: str
    category: str
    reason: str | None = None
    column: int | None = None
    """Column of the category: a cell of a table, counted from 1."""
    sheet: str = ""
    """Name of the sheet, in a workbook with several."""


class Flaw(StrEnum):
    """A reason why a line is unusable. Each flaw has a text in each language under `cli.import.flaw.<value>`."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_HEADER = "no_header"
    ABOVE_HEADER = "above_header"
    NOT_CSV = "not_csv"
    OPEN_QUOTE = "open_quote"
    SURPLUS = "surplus"
    TRAINING_EXAMPLE = "training_example"
    ENCODING = "encoding"
    BINARY = "binary"
    TOO_LARGE = "too_large"
    BROKEN_WORKBOOK = "broken_workbook"
    UNREADABLE = "unreadable"
    NO_TEXT = "no_text"
    NO_CATEGORY = "no_category"
    SEVERAL_CATEGORIES = "several_categories"
    NO_WORDS = "no_words"
    UNKNOWN_CATEGORY = "unknown_category"
    CONTRADICTED = "contradicted"


class BadLine(Thing):
    """A line, or a span of lines, that cannot be imported, and why. `facts` are the values for its text."""

    line: int
    end: int | None = None
    """Last line of a span."""
    column: int | None = None
    """Cell of a table or character of a line, counted from 1."""
    sheet: str = ""
    """Name of the sheet, in a workbook with several."""
    why: Flaw
    facts: dict[str, str] = Field(default_factory=dict)

    @property
    def lines(self) -> int:
        """Number of lines that are lost."""
        return (self.end or self.line) - self.line + 1


class Skip(StrEnum):
    """A reason why a part of a file was not meant as an example. Each has a text under `cli.import.skip.<value>`."""

    REJECTED = "rejected"
    IGNORED = "ignored"
    WEIGHT_ZERO = "weight_zero"
    SHEET = "sheet"
    """A sheet of a workbook that has no such columns, while another one has."""


class SkippedLine(Thing):
    """A line that its annotators took out."""

    line: int
    why: Skip


class ReadingOptions(Thing):
    """Options of reading a file; empty ones are detected."""

    text: tuple[str, ...] = ()
    """Names of the columns that together are the question."""
    category: str = ""
    encoding: str = ""
    is_label: Callable[[str], bool] | None = None
    """Whether a text plainly means one of our categories; it decides between columns that may hold one."""
