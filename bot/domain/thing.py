"""The base class of all immutable values."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Thing(BaseModel):
    """An immutable value. Use `model_copy(update=…)` for a changed copy.

    Raises:
        pydantic.ValidationError: a field is missing, unknown or of the wrong type.
    """

    # Errors go to the log, which must not hold people's words: the input is hidden.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def kept(cls, document: Any) -> Self:
        """Load a stored value. Unknown fields are ignored, because a newer version of the app may have written it."""
        return cls.model_validate(document, extra="ignore")
