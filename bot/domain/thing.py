"""The base of all frozen things."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Thing(BaseModel):
    """A value that never changes: a changed one is another one (`model_copy(update=…)`).

    Raises:
        pydantic.ValidationError: on a missing, surplus or ill-typed field.
    """

    # The input may be what somebody wrote, and an error's text goes to the log.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def kept(cls, document: Any) -> Self:
        """A thing as it was written down, perhaps by a newer version beside this one: what that added is left out."""
        return cls.model_validate(document, extra="ignore")
