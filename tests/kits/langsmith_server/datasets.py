"""Datasets and their examples. Every change makes a version, and older versions stay readable."""

import json
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SPLIT = "dataset_split"
"""Key of an example's metadata: its splits."""


class Problem(Exception):  # noqa: N818 - reads as what happened
    """A request that is refused with `status`."""

    status = 400


class Missing(Problem):
    status = 404


class Conflict(Problem):
    status = 409


class Invalid(Problem):
    status = 422


@dataclass
class Example:
    """An example: `versions` holds its content from each moment on, None after its deletion."""

    id: str
    dataset: str
    created_at: datetime
    source: str | None = None
    """The run that the example was made from."""
    versions: list[tuple[datetime, dict[str, Any] | None]] = field(default_factory=list)

    def at(self, as_of: datetime) -> dict[str, Any] | None:
        """Return the example as of a moment, in the API's format; None if it did not exist then."""
        known = [(moment, content) for moment, content in self.versions if moment <= as_of]
        moment, content = known[-1] if known else (as_of, None)
        if content is None:
            return None
        return {
            "id": self.id,
            "dataset_id": self.dataset,
            "name": f"#{self.id[:4]}",
            "created_at": self.created_at.isoformat(),
            "modified_at": moment.isoformat(),
            "source_run_id": self.source,
            "attachment_urls": None,
            **content,
        }


@dataclass
class Dataset:
    """A dataset: `about` holds the fields of its creation request, `versions` the moments of its changes."""

    id: str
    about: dict[str, Any]
    created_at: datetime
    versions: list[datetime] = field(default_factory=list)
    tags: dict[str, datetime] = field(default_factory=dict)
    examples: dict[str, Example] = field(default_factory=dict)

    def moment(self, as_of: str | None) -> datetime:
        """Return the moment that a tag or an ISO 8601 time names."""
        if as_of is None or as_of == "latest":
            return self.versions[-1] if self.versions else self.created_at
        if as_of in self.tags:
            return self.tags[as_of]
        try:
            return datetime.fromisoformat(as_of)
        except ValueError:
            raise Missing(f"no version {as_of}") from None

    def version(self, as_of: str | None) -> dict[str, Any]:
        """Return the version that was current at that time."""
        moment = self.moment(as_of)
        known = [one for one in self.versions if one <= moment]
        if not known:
            raise Missing("no version")
        tags = [tag for tag, at in self.tags.items() if at == known[-1]]
        return {"as_of": known[-1].isoformat(), "tags": tags + (["latest"] if known[-1] == self.versions[-1] else [])}

    def at(self, as_of: str | None, only: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return the examples of a version, oldest first; a non-empty `only` limits them to these ids."""
        moment = self.moment(as_of)
        examples = [self.examples[one] for one in only if one in self.examples] if only else self.examples.values()
        return [content for example in examples if (content := example.at(moment)) is not None]


class Datasets:
    """All datasets. An example's id is never accepted twice, in any dataset."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.by_id: dict[str, Dataset] = {}
        self._taken: set[str] = set()

    def get(self, dataset_id: str) -> Dataset:
        if dataset_id not in self.by_id:
            raise Missing("Dataset not found")
        return self.by_id[dataset_id]

    def named(self, name: str) -> Dataset:
        return next(dataset for dataset in self.by_id.values() if dataset.about["name"] == name)

    def create(self, about: Mapping[str, Any]) -> Dataset:
        if any(dataset.about["name"] == about["name"] for dataset in self.by_id.values()):
            raise Conflict("Dataset with this name already exists.")
        dataset = Dataset(str(about.get("id") or uuid.uuid4()), dict(about), self._now())
        self.by_id[dataset.id] = dataset
        return dataset

    def find(self, example_id: str) -> tuple[Dataset, Example]:
        """Return an existing example with its dataset."""
        for dataset in self.by_id.values():
            example = dataset.examples.get(example_id)
            if example and example.versions[-1][1] is not None:
                return dataset, example
        raise Missing("Example not found")

    def add(self, dataset: Dataset, given: Mapping[str, Mapping[str, Any]]) -> str:
        """Add examples by id, all or none, and return the moment of the new version."""
        if taken := self._taken & set(given):
            raise Conflict(f"{len(taken)} example ids already exist")
        if any(content.get("inputs") is None for content in given.values()):
            raise Invalid("inputs: field required")
        at = self._now()
        for example_id, content in given.items():
            self._taken.add(example_id)
            example = Example(example_id, dataset.id, at, content.get("source_run_id"))
            example.versions.append((at, _content({"inputs": None, "outputs": None, "metadata": {}}, content)))
            dataset.examples[example_id] = example
        dataset.versions.append(at)
        return at.isoformat()

    def change(self, dataset: Dataset, given: Mapping[str, Mapping[str, Any]]) -> str:
        """Change existing examples by id, all or none, and return the moment of the new version.

        Fields that are not given stay.
        """
        now = {example["id"] for example in dataset.at(None, given)}
        if set(given) - now:
            raise Missing("Example not found")
        at = self._now()
        for example_id, content in given.items():
            example = dataset.examples[example_id]
            example.versions.append((at, _content(example.versions[-1][1] or {}, content)))
        dataset.versions.append(at)
        return at.isoformat()

    def remove(self, example_ids: Iterable[str]) -> None:
        """Remove examples from the newest version only."""
        found = [self.find(example_id) for example_id in example_ids]
        at = self._now()
        for dataset, example in found:
            example.versions.append((at, None))
            if dataset.versions[-1] != at:
                dataset.versions.append(at)

    def erase(self, example_ids: Iterable[str]) -> None:
        """Blank the examples' content in all versions; the ids stay."""
        every = {key: example for dataset in self.by_id.values() for key, example in dataset.examples.items()}
        if set(example_ids) - set(every):
            raise Missing("Example not found")
        for example in (every[example_id] for example_id in example_ids):
            blank = {"inputs": None, "outputs": None, "metadata": None}
            example.versions = [(at, content and blank) for at, content in example.versions]

    def split(self, dataset: Dataset, example_ids: Iterable[str], name: str, *, remove: bool) -> None:
        given = {}
        for example_id in example_ids:
            _, example = self.find(example_id)
            content = example.versions[-1][1] or {}
            splits = [split for split in content["metadata"].get(SPLIT, []) if split != name]
            given[example_id] = {"split": splits if remove else [*splits, name]}
        self.change(dataset, given)

    def diff(self, dataset: Dataset, older: str, newer: str) -> dict[str, list[str]]:
        before, after = ({one["id"]: one for one in dataset.at(as_of)} for as_of in (older, newer))
        both = before.keys() & after.keys()
        return {
            "examples_added": sorted(after.keys() - before.keys()),
            "examples_removed": sorted(before.keys() - after.keys()),
            "examples_modified": sorted(key for key in both if before[key] != after[key]),
        }


def _content(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example's content after a change, with its splits in its metadata."""
    after = {**before, **{key: value for key, value in given.items() if key in {"inputs", "outputs", "metadata"}}}
    splits = (before.get("metadata") or {}).get(SPLIT, ["base"])
    if (split := given.get("split")) is not None:
        splits = [split] if isinstance(split, str) else list(split)
    after["metadata"] = {**(after["metadata"] or {}), SPLIT: splits}
    return after


def training_line(example: Mapping[str, Any]) -> str:
    """Return an example as a line of OpenAI's fine-tuning format; the outputs become the assistant's message."""
    outputs = example["outputs"] or {}
    answer = outputs.get("messages") or [{"role": "assistant", "content": json.dumps(outputs, ensure_ascii=False)}]
    return json.dumps({"messages": [*example["inputs"]["messages"], *answer]}, ensure_ascii=False)
