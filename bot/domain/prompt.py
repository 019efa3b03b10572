"""The prompt: the whole system message, identified by the hash of its text."""

import difflib
import hashlib
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from bot.domain.characters import clean_text, clean_values
from bot.domain.faults import Fault, fault_error
from bot.domain.label import explained, meant
from bot.domain.thing import Thing

PLACEHOLDER = "{{categories}}"
LONG_PROMPT_TOKENS = 4_000
"""Number of tokens from which people are warned: every question pays for them, and training rows teach better."""
LONGEST_ID = 64
LATER_FIELDS = frozenset({"channel", "name_en", "name_ja"})
"""Fields of a category that the first programs did not know."""
OUTSIDE_TEXT = ("owner", "guide", "channel", "name_en", "name_ja")
"""Fields of a category that are not part of the system message."""

CategoryId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[\w.-]+$")]


CategoryName = Annotated[str, Field(min_length=1, max_length=60)]


class Category(Thing):
    """A category that the model may answer; also one entry of categories.toml."""

    id: CategoryId
    name: CategoryName
    """The name for the model, and for people of the prompt's language."""
    name_en: CategoryName | None = None
    """The name for people whose language is English; None shows them `name`."""
    name_ja: CategoryName | None = None
    """The same for Japanese."""
    rule: str = ""
    examples: tuple[str, ...] = ()
    owner: str | None = None
    """A user id (U… or W…) or a user-group id (S…)."""
    guide: str | None = None
    channel: Annotated[str | None, Field(pattern=r"^[CG][A-Z0-9]+$")] = None
    """Id of the channel that gets the direct messages which askers send on."""
    other: bool = False
    """Whether this is the catch-all."""

    @model_serializer(mode="wrap")
    def _without_later_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out empty fields that came later: the folder's hash stays the one that earlier programs stored."""
        fields: dict[str, Any] = handler(self)
        return {name: one for name, one in fields.items() if one or name not in LATER_FIELDS}

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, fields: Any) -> Any:
        return clean_values(fields)

    def name_in(self, language: str | None) -> str:
        """Return the name that people of this language (`en`, `ja`) read; None is the prompt's own language."""
        return {"en": self.name_en, "ja": self.name_ja}.get(language or "") or self.name

    def rendered(self) -> str:
        """Return this category's part of the system message."""
        parts = [f"## {self.name}", self.rule.strip(), "\n".join(f"- {example.strip()}" for example in self.examples)]
        return "\n".join(part for part in parts if part)


Contact = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean_text)]


class Care(Thing):
    """The section `[care]` of categories.toml: who helps in private with harassment, danger and the like."""

    contacts: Annotated[tuple[Contact, ...], Field(max_length=20)] = ()
    """Free texts, user ids (U… or W…) and user-group ids (S…)."""


class CategoriesFile(Thing):
    """The content of categories.toml."""

    language: Literal["ja", "en"]
    care: Care = Care()
    category: tuple[Category, ...]


class Prompt(Thing):
    """The instructions to the model and the categories it may answer. Owners and guides are not part of the text.

    Raises:
        pydantic.ValidationError: There are fewer than two categories, two have the same id or name, or the number of
            catch-alls is not one.
    """

    language: str
    template: Annotated[str, AfterValidator(clean_text)]
    """The content of system.md. The categories replace `{{categories}}`, or follow the template if it lacks that."""
    categories: tuple[Category, ...]
    care: Annotated[Care, Field(exclude=True)] = Care()
    """Read from the configured folder at each start; the database keeps no copy."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.categories) < 2:
            raise fault_error(Fault.FEW_CATEGORIES)
        for field in ("id", "name"):
            twice = [value for value, n in Counter(getattr(c, field) for c in self.categories).items() if n > 1]
            if twice:
                raise fault_error(Fault.TWICE, field=field, names=", ".join(twice))
        others = [c.id for c in self.categories if c.other]
        if len(others) != 1:
            raise fault_error(Fault.CATCH_ALL, n=len(others))
        return self

    @classmethod
    def parse(cls, system_md: str, categories_toml: str) -> Self:
        """Build a prompt from the content of its two files.

        Raises:
            tomllib.TOMLDecodeError: Categories.toml is not TOML.
            pydantic.ValidationError: The categories are not usable.
        """
        file = CategoriesFile.model_validate(tomllib.loads(categories_toml))
        return cls(language=file.language, template=system_md, categories=file.category, care=file.care)

    @cached_property
    def text(self) -> str:
        """The system message, byte for byte as it is sent and used in training."""
        template = self.template if PLACEHOLDER in self.template else f"{self.template.rstrip()}\n\n{PLACEHOLDER}\n"
        return template.replace(PLACEHOLDER, "\n\n".join(c.rendered() for c in self.categories)).strip() + "\n"

    @cached_property
    def id(self) -> str:
        """The sha256 of `text`, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def category(self, category_id: str) -> Category | None:
        return next((c for c in self.categories if c.id == category_id), None)

    def named(self, name: str) -> Category | None:
        """Return the category with exactly this name, as a model answers it."""
        return next((c for c in self.categories if c.name == name), None)

    def meant(self, written: str) -> Category | None:
        """Return the category that a model or a file plainly means, by name or id; None for none or two."""
        key = meant(written, self._spellings)
        return self.named(written) or (self.category(key) if key else None)

    def explained(self, written: str) -> tuple[str, str] | None:
        """Return the label that a text begins with and the explanation behind it; None if that is not plain."""
        return explained(written, self._spellings)

    @property
    def _spellings(self) -> dict[str, tuple[str, str]]:
        return {c.id: (c.name, c.id) for c in self.categories}

    def changed(self, *, template: str | None = None, categories: Collection[Category] | None = None) -> "Prompt":
        """Return this prompt with another template or other categories; if the text changes, so does the id.

        Raises:
            pydantic.ValidationError: The new categories are not usable.
        """
        # `model_copy` would copy the cached text and id too.
        return Prompt(
            language=self.language,
            template=self.template if template is None else template,
            categories=self.categories if categories is None else tuple(categories),
        )

    def with_category(self, category: Category) -> "Prompt":
        """Return this prompt with the category of this id replaced; a new category goes before the catch-all."""
        if self.category(category.id):
            return self.changed(categories=[category if c.id == category.id else c for c in self.categories])
        last = next(n for n, c in enumerate(self.categories) if c.other)
        return self.changed(categories=[*self.categories[:last], category, *self.categories[last:]])

    def without(self, category_id: str) -> "Prompt":
        return self.changed(categories=[c for c in self.categories if c.id != category_id])

    def with_contacts(self, contacts: Mapping[str, Category]) -> "Prompt":
        """Return this prompt with what these categories (by id) name beside the text, which stays the same.

        That is their owners, guides, channels, and their names in other languages.
        """

        def contact(category_id: str) -> dict[str, Any]:
            return {name: getattr(contacts[category_id], name) for name in OUTSIDE_TEXT}

        return self.changed(
            categories=[c.model_copy(update=contact(c.id)) if c.id in contacts else c for c in self.categories]
        )

    def find_category(self, written: str) -> Category | None:
        """Return the category that a person wrote, by id or by name, ignoring case."""
        return match_category(self.categories, written)

    def with_default_owner(self, owner: str, teams: Mapping[str, str] | None = None) -> "Prompt":
        """Return this prompt with an owner for every category without one.

        Args:
            owner: The owner of a category that `teams` lacks.
            teams: A category's id → its owner.
        """
        owners = teams or {}
        return self.model_copy(
            update={
                "categories": tuple(
                    c if c.owner else c.model_copy(update={"owner": owners.get(c.id, owner)}) for c in self.categories
                )
            }
        )

    @property
    def names(self) -> Sequence[str]:
        return [c.name for c in self.categories]

    @property
    def examples(self) -> Sequence[str]:
        """The example questions of all categories. A release with this prompt knows the answers to them."""
        return [text for c in self.categories for text in c.examples]


class PromptWhy(StrEnum):
    """The reason for a new current prompt. Each reason has a text in each language under `prompt.why.<value>`."""

    CONFIGURED = "configured"
    """The configured folder has a new text."""
    CONTACTS = "contacts"
    """Only owners or guides changed in the folder; the current prompt stays the same."""
    EDITED = "edited"
    """A person edited the prompt in Slack."""


class PromptEvent(Thing):
    """An entry of the append-only history: this prompt became the current one."""

    prompt_id: str
    why: PromptWhy
    by: str
    at: datetime
    folder: str | None = None
    """Hash of the configured folder's whole content, including owners and guides; None if it was not read."""


def match_category(categories: Collection[Category], written: str) -> Category | None:
    """Return the category that a person wrote, by id or by name in any language, ignoring case; an exact id wins."""
    wanted = written.casefold().strip()
    exact = next((c for c in categories if c.id == written), None)
    named = next((c for c in categories if wanted in {c.id.casefold(), c.name.casefold()}), None)
    others = [c for c in categories if wanted in {(c.name_en or "").casefold(), (c.name_ja or "").casefold()} - {""}]
    return exact or named or next(iter(others), None)


def id_for(name: str, taken: Collection[str]) -> str:
    """Return an id for a new category, derived from its name and not in `taken`."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    kept = "".join(ch if unicodedata.category(ch)[0] in "LM" or ch.isdecimal() else " " for ch in folded)
    base = "_".join(kept.split())[: LONGEST_ID - 4] or "category"
    return next(i for i in (base, *(f"{base}_{n}" for n in range(2, len(taken) + 3))) if i not in taken)


def difference(old: Prompt, new: Prompt) -> str:
    """Return the changes of the text as a unified diff; empty if there are none."""
    lines = difflib.unified_diff(
        old.text.splitlines(), new.text.splitlines(), old.id[:12], new.id[:12], n=1, lineterm=""
    )
    return "\n".join(lines)
