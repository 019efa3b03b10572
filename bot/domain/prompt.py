"""The prompt: the whole system message, named by the hash of its text."""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bot.domain.thing import Thing

PLACEHOLDER = "{{categories}}"

CategoryId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]


class Category(Thing):
    """One answer that the model may give; also one entry of categories.toml."""

    id: CategoryId
    name: Annotated[str, Field(min_length=1, max_length=60)]
    rule: str = ""
    examples: tuple[str, ...] = ()
    owner: str | None = None
    """A user id (U… or W…) or a user-group id (S…)."""
    guide: str | None = None
    other: bool = False
    """The catch-all."""

    def rendered(self) -> str:
        """This category's part of the system message."""
        parts = [f"## {self.name}", self.rule.strip(), "\n".join(f"- {example.strip()}" for example in self.examples)]
        return "\n".join(part for part in parts if part)


class CategoriesFile(Thing):
    """categories.toml."""

    language: Literal["ja", "en"]
    category: tuple[Category, ...]


class Prompt(Thing):
    """What the model is told, and the categories it may answer. Owners and guides are not part of its text.

    Raises:
        pydantic.ValidationError: fewer than two categories, an id or name twice, or not exactly one catch-all.
    """

    language: str
    template: str
    """The content of system.md. Where it does not say `{{categories}}`, the categories follow it."""
    categories: tuple[Category, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.categories) < 2:
            raise ValueError("at least two categories are needed")
        for field in ("id", "name"):
            twice = [value for value, n in Counter(getattr(c, field) for c in self.categories).items() if n > 1]
            if twice:
                raise ValueError(f"this category {field} stands twice: {', '.join(twice)}")
        others = [c.id for c in self.categories if c.other]
        if len(others) != 1:
            raise ValueError(f"exactly one category must have `other = true`, not {len(others)}")
        return self

    @classmethod
    def parse(cls, system_md: str, categories_toml: str) -> Self:
        """A prompt from its two files.

        Raises:
            tomllib.TOMLDecodeError, pydantic.ValidationError: they cannot be used.
        """
        file = CategoriesFile.model_validate(tomllib.loads(categories_toml))
        return cls(language=file.language, template=system_md, categories=file.category)

    @cached_property
    def text(self) -> str:
        """The system message, byte for byte as it is sent and trained on."""
        template = self.template if PLACEHOLDER in self.template else f"{self.template.rstrip()}\n\n{PLACEHOLDER}\n"
        return template.replace(PLACEHOLDER, "\n\n".join(c.rendered() for c in self.categories)).strip() + "\n"

    @cached_property
    def id(self) -> str:
        """The sha256 of `text`, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def category(self, category_id: str) -> Category | None:
        return next((c for c in self.categories if c.id == category_id), None)

    def named(self, name: str) -> Category | None:
        """The category that the model means by this name."""
        return next((c for c in self.categories if c.name == name), None)

    def owned_by(self, owner: str) -> "Prompt":
        """This prompt, with `owner` for every category that has none."""
        return self.model_copy(
            update={
                "categories": tuple(c if c.owner else c.model_copy(update={"owner": owner}) for c in self.categories)
            }
        )

    @property
    def names(self) -> Sequence[str]:
        return [c.name for c in self.categories]
