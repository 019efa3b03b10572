"""Problems with an operator's request: keys and facts only, because the texts are in handlers/texts/."""

import re
from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, ValidationError
from pydantic_core import PydanticCustomError

from bot.domain.disk import is_disk_full
from bot.domain.thing import Thing


class Fault(StrEnum):
    """A kind of problem. A text for each, in each language, says what to do: `cli.fault.<value>`."""

    # A value in a setting or file.
    NOT_SET = "not_set"
    UNKNOWN_NAME = "unknown_name"
    NEAREST_NAME = "nearest_name"
    ONE_OF = "one_of"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_WHOLE_NUMBER = "not_a_whole_number"
    NOT_TRUE_OR_FALSE = "not_true_or_false"
    NOT_TEXT = "not_text"
    NOT_A_LIST = "not_a_list"
    NOT_A_TABLE = "not_a_table"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    PATTERN = "pattern"
    UNUSABLE = "unusable"
    # A setting.
    HALF_SET = "half_set"
    TWO_WAYS = "two_ways"
    SWAPPED = "swapped"
    ROTATING = "rotating"
    NOT_A_KEY = "not_a_key"
    UNKNOWN_PROVIDER = "unknown_provider"
    NO_KEY = "no_key"
    NO_PROMPT = "no_prompt"
    NOT_A_MODEL = "not_a_model"
    NOT_AN_ENCODER = "not_an_encoder"
    NOT_AN_ADDRESS = "not_an_address"
    NOT_A_DATABASE = "not_a_database"
    NOT_PEOPLE = "not_people"
    NOT_CHANNELS = "not_channels"
    NOT_A_CHANNEL = "not_a_channel"
    NOT_SET_APART = "not_set_apart"
    NOT_CERTIFICATES = "not_certificates"
    NOT_INSTALLED = "not_installed"
    # A file.
    NO_FILE = "no_file"
    FORBIDDEN = "forbidden"
    A_FOLDER = "a_folder"
    NO_FOLDER = "no_folder"
    UNREADABLE = "unreadable"
    DISK_FULL = "disk_full"
    NOT_UTF8 = "not_utf8"
    NOT_TOML = "not_toml"
    # A prompt.
    FEW_CATEGORIES = "few_categories"
    TWICE = "twice"
    CATCH_ALL = "catch_all"
    # Other systems.
    DATABASE_UNREACHABLE = "database_unreachable"
    FILE_UNREACHABLE = "file_unreachable"
    TABLES_REFUSED = "tables_refused"
    TABLES_NEWER = "tables_newer"
    SLACK_REFUSED = "slack_refused"
    SLACK_UNREACHABLE = "slack_unreachable"
    SLACK_CERTIFICATE = "slack_certificate"
    PORT_TAKEN = "port_taken"
    # A replay.
    NOTHING_READ = "nothing_read"
    ONE_CATEGORY = "one_category"
    FEW_QUESTIONS = "few_questions"
    NO_ANSWER = "no_answer"
    NO_PLAN = "no_plan"
    # An import.
    UNKNOWN_CATEGORY = "unknown_category"
    UNKNOWN_ENCODING = "unknown_encoding"
    NOT_A_MAPPING = "not_a_mapping"


class Problem(Thing):
    """One problem, without secrets and without values of settings that may be secret.

    Attributes:
        what: The text to show.
        where: The setting, file or option with the problem, as the operator writes it; empty if the text names it.
        facts: Values for the text's placeholders.
    """

    what: Fault
    where: str = ""
    facts: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        problem = f"{self.what.value} {self.facts}" if self.facts else self.what.value
        return f"{self.where}: {problem}" if self.where else problem


class Unable(Exception):  # noqa: N818 - reads as what happened
    """A failure to do what an operator asks. Its string is for logs; the command line shows texts."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class SettingsError(Unable):
    """Unusable settings."""


def fault_error(what: Fault, where: str = "", **facts: object) -> PydanticCustomError:
    """Return the error for a validator to raise; `problems_of` turns it into a `Problem`.

    Args:
        what: The problem.
        where: The place of the problem, if it is not the field itself.
        **facts: Values for the text's placeholders.
    """
    context = {"where": where, **{name: str(fact) for name, fact in facts.items()}}
    return PydanticCustomError(what.value, f"{what.value} {facts}" if facts else what.value, context)


FAULT_BY_VALUE: Mapping[str, Fault] = {fault.value: fault for fault in Fault}
PYDANTIC_FAULTS: Mapping[str, tuple[Fault, str]] = {
    "missing": (Fault.NOT_SET, ""),
    "extra_forbidden": (Fault.UNKNOWN_NAME, ""),
    "literal_error": (Fault.ONE_OF, "expected"),
    "int_parsing": (Fault.NOT_A_WHOLE_NUMBER, ""),
    "int_parsing_size": (Fault.NOT_A_WHOLE_NUMBER, ""),
    "int_from_float": (Fault.NOT_A_WHOLE_NUMBER, ""),
    "int_type": (Fault.NOT_A_WHOLE_NUMBER, ""),
    "float_parsing": (Fault.NOT_A_NUMBER, ""),
    "float_type": (Fault.NOT_A_NUMBER, ""),
    "finite_number": (Fault.NOT_A_NUMBER, ""),
    "bool_parsing": (Fault.NOT_TRUE_OR_FALSE, ""),
    "bool_type": (Fault.NOT_TRUE_OR_FALSE, ""),
    "string_type": (Fault.NOT_TEXT, ""),
    "tuple_type": (Fault.NOT_A_LIST, ""),
    "list_type": (Fault.NOT_A_LIST, ""),
    "model_type": (Fault.NOT_A_TABLE, ""),
    "dict_type": (Fault.NOT_A_TABLE, ""),
    "greater_than_equal": (Fault.AT_LEAST, "ge"),
    "less_than_equal": (Fault.AT_MOST, "le"),
    "string_too_short": (Fault.TOO_SHORT, "min_length"),
    "string_too_long": (Fault.TOO_LONG, "max_length"),
    "string_pattern_mismatch": (Fault.PATTERN, "pattern"),
}
"""pydantic's error types → our fault, and the name of the fact that is shown as `limit`. All others are UNUSABLE."""


def problems_of(error: ValidationError, *, within: str = "", join: str = " ") -> tuple[Problem, ...]:
    """Return every problem in a validation error, without the values.

    Args:
        error: Pydantic's error; our own validators raise `wrong`.
        within: The container of the fields, for example a file.
        join: Separator between the names of a nested field; list entries are numbered from 1.
    """
    found = []
    for entry in error.errors(include_input=False, include_url=False):
        # `:g` writes a whole limit without ".0".
        facts = {
            name: f"{fact:g}" if isinstance(fact, float) else str(fact) for name, fact in entry.get("ctx", {}).items()
        }
        names = (str(part + 1) if isinstance(part, int) else part for part in entry["loc"])
        field = facts.pop("where", "") or join.join(names)
        if entry["type"] in PYDANTIC_FAULTS:
            what, fact = PYDANTIC_FAULTS[entry["type"]]
            # pydantic writes "'ja' or 'en'"; only the choices are kept, without its English.
            limit = ", ".join(re.findall(r"'([^']*)'", facts[fact])) if fact == "expected" else facts.get(fact, "")
            facts = {"limit": limit} if fact else {}
        elif entry["type"] in FAULT_BY_VALUE:
            what = FAULT_BY_VALUE[entry["type"]]
        else:
            what, facts = Fault.UNUSABLE, {"kind": entry["type"]}
        found.append(Problem(what=what, where=": ".join(filter(None, (within, field))), facts=facts))
    return tuple(found)


def problem_of(error: OSError | UnicodeDecodeError, where: object) -> Problem:
    """Return the problem with a file or folder."""
    match error:
        case OSError() if is_disk_full(error):
            what = Fault.DISK_FULL
        case UnicodeDecodeError():
            what = Fault.NOT_UTF8
        case FileNotFoundError():
            what = Fault.NO_FILE
        case PermissionError():
            what = Fault.FORBIDDEN
        case IsADirectoryError():
            what = Fault.A_FOLDER
        case NotADirectoryError() | FileExistsError():
            what = Fault.NO_FOLDER
        case _:
            return Problem(what=Fault.UNREADABLE, where=str(where), facts={"error": error.strerror or str(error)})
    return Problem(what=what, where=str(where))
