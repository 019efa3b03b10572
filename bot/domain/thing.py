"""The base class of all immutable values."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

_set = object.__setattr__


class Thing(BaseModel):
    """An immutable value. Use `model_copy(update=…)` for a changed copy.

    Raises:
        pydantic.ValidationError: A field is missing, unknown or of the wrong type.
    """

    # Errors go to the log, which must not hold people's words: the input is hidden.
    # Building all validators takes a tenth of a start, so each is built at its first use, or after the start.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    @classmethod
    def kept(cls, document: Any) -> Self:
        """Load a stored value. Unknown fields are ignored, because a newer version of the app may have written it."""
        return cls.model_validate(document, extra="ignore")

    @classmethod
    def of_fields(cls, values: dict[str, Any], names: set[str]) -> Self:
        """Return a value of all its fields, which are not checked: `model_construct` in a fifth of its time.

        Args:
            values: Each field, which the caller does not change any more.
            names: The names of all fields; one set for many values saves memory.
        """
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", names)
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


def build_validators(*bases: type[BaseModel]) -> None:
    """Build the validators of all loaded subclasses that wait for their first use."""
    for base in bases:
        for kind in base.__subclasses__():
            kind.model_rebuild()
            build_validators(kind)
