"""The prompt: the whole system message, named by the hash of its text."""

import difflib
import hashlib
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bot.domain.faults import Fault, wrong
from bot.domain.thing import Thing

PLACEHOLDER = "{{categories}}"
LONG_PROMPT_TOKENS = 4_000
"""Tokens of a prompt that people are warned of: each question pays for them, and past that, rows teach better."""
LONGEST_ID = 64

CategoryId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[\w.-]+$")]


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
            raise wrong(Fault.FEW_CATEGORIES)
        for field in ("id", "name"):
            twice = [value for value, n in Counter(getattr(c, field) for c in self.categories).items() if n > 1]
            if twice:
                raise wrong(Fault.TWICE, field=field, names=", ".join(twice))
        others = [c.id for c in self.categories if c.other]
        if len(others) != 1:
            raise wrong(Fault.CATCH_ALL, n=len(others))
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

    def changed(self, *, template: str | None = None, categories: Collection[Category] | None = None) -> "Prompt":
        """This prompt with another template or other categories: mostly another version, with an id of its own.

        Raises:
            pydantic.ValidationError: it would not be consistent.
        """
        # Not model_copy: it would take the cached text and id along.
        return Prompt(
            language=self.language,
            template=self.template if template is None else template,
            categories=self.categories if categories is None else tuple(categories),
        )

    def with_category(self, category: Category) -> "Prompt":
        """This prompt with a category in the place of the one of its id; a new one goes before the catch-all."""
        if self.category(category.id):
            return self.changed(categories=[category if c.id == category.id else c for c in self.categories])
        last = next(n for n, c in enumerate(self.categories) if c.other)
        return self.changed(categories=[*self.categories[:last], category, *self.categories[last:]])

    def without(self, category_id: str) -> "Prompt":
        return self.changed(categories=[c for c in self.categories if c.id != category_id])

    def reowned(self, contacts: Mapping[str, Category]) -> "Prompt":
        """This prompt with the owners and guides of these categories (by id): the same version."""
        return self.changed(
            categories=[
                c.model_copy(update={"owner": contacts[c.id].owner, "guide": contacts[c.id].guide})
                if c.id in contacts
                else c
                for c in self.categories
            ]
        )

    def meant(self, written: str) -> Category | None:
        """The category that a person means: by id or by name, whatever the case."""
        return meant(self.categories, written)

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

    @property
    def examples(self) -> Sequence[str]:
        """The example questions of all categories: a release with this prompt knows their answers."""
        return [text for c in self.categories for text in c.examples]


class PromptWhy(StrEnum):
    """Why a prompt became the current one. Each has a text in each language under `prompt.why.<value>`."""

    CONFIGURED = "configured"
    """The folder's text is new."""
    CONTACTS = "contacts"
    """Only owners or guides of the folder are new: the version stays the one that it was."""
    EDITED = "edited"


class PromptEvent(Thing):
    """One entry of the append-only history: this prompt was the current one from then on."""

    prompt_id: str
    why: PromptWhy
    by: str
    at: datetime
    folder: str | None = None
    """The hash of all that the configured folder says, owners and guides too; None where it was not read."""


def meant(categories: Collection[Category], written: str) -> Category | None:
    """The one of these that a person means: by id or by name, whatever the case."""
    wanted = written.casefold().strip()
    exact = next((c for c in categories if c.id == written), None)
    return exact or next((c for c in categories if wanted in {c.id.casefold(), c.name.casefold()}), None)


def id_for(name: str, taken: Collection[str]) -> str:
    """A new category's id, made of its name; `taken` are those of other categories."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    kept = "".join(ch if unicodedata.category(ch)[0] in "LM" or ch.isdecimal() else " " for ch in folded)
    base = "_".join(kept.split())[: LONGEST_ID - 4] or "category"
    return next(i for i in (base, *(f"{base}_{n}" for n in range(2, len(taken) + 3))) if i not in taken)


def difference(old: Prompt, new: Prompt) -> str:
    """What is new in the text, as a unified diff; empty where nothing is."""
    lines = difflib.unified_diff(
        old.text.splitlines(), new.text.splitlines(), old.id[:12], new.id[:12], n=1, lineterm=""
    )
    return "\n".join(lines)
