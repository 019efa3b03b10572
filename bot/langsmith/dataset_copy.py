"""Rows as examples of a dataset.

An id that was an example's once is taken for ever over there, in whichever dataset, though the example was deleted. So
an id is made of the dataset, the row, and how often the row came back.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

from langsmith.schemas import Example

from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.mirror import Edits, RowCopy
from bot.langsmith.connection import Connection
from bot.langsmith.shapes import edit_of, example_of, named
from bot.langsmith.wire import NotThere, TakenBefore, ours, translated

EXAMPLES_PER_REQUEST = 100
"""Examples of one request: a page of LangSmith's."""
RETURNS = 8
"""So often may a row be taken out and come back."""
ONLY_NEEDED: dict[str, Any] = {
    "select": ("id", "outputs", "metadata", "source_run_id", "created_at", "modified_at"),
    "exclude_default_fields": True,
}
"""What tells whether a person changed an example, and nothing else of it: each holds a whole prompt."""

Item = TypeVar("Item")


class DatasetCopy:
    """What is done to a dataset, to be run in a thread. Each verb raises what `wire.translated` makes of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, name: str) -> str:
        """The id of the dataset of this name, made where there is none."""
        client = self._connection.client
        while True:
            if client.has_dataset(dataset_name=name):
                return str(client.read_dataset(dataset_name=name).id)
            try:
                # By itself the SDK tells of the machine that it runs on.
                return str(client.create_dataset(name, metadata={"runtime": {}}).id)
            except Exception as error:
                if not isinstance(ours(error), TakenBefore):
                    raise

    def put(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        for page in _pages(rows):
            there = self._living(dataset, [row.row_id for row in page], first_only=True)
            self._update(dataset, {row: there[row.row_id] for row in page if row.row_id in there})
            self._create(dataset, {row: _id(dataset, row.row_id, 0) for row in page if row.row_id not in there})

    def withdraw(self, dataset: str, row_ids: Sequence[str], *, erase: bool) -> None:
        for page in _pages(row_ids):
            living = [example.id for example in self._living(dataset, page).values()]
            if living:
                with self.within(dataset):
                    self._connection.client.delete_examples(living)
            for row_id in page if erase else ():
                self._erase(dataset, row_id)

    def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        client = self._connection.client
        self._check(dataset)
        if self.version(dataset, tag) is not None:
            return
        for page in _pages(row_ids):
            # A split that is added would make a person's change look as new as itself, and what is frozen is not that.
            living = self._living(dataset, page).values()
            ids: list[uuid.UUID | str] = [example.id for example in living if edit_of(example) is None]
            if ids:
                client.update_dataset_splits(dataset_id=dataset, split_name=tag, example_ids=ids)
        version = self.version(dataset, "latest")
        if version is not None:
            client.update_dataset_tag(dataset_id=dataset, as_of=version, tag=tag)

    def edits(self, dataset: str, since: datetime | None) -> Edits:
        client = self._connection.client
        made = self._check(dataset)
        upto = self.version(dataset, "latest") or made
        if since is None:
            changed = client.list_examples(dataset_id=dataset, as_of=upto, **ONLY_NEEDED)
        elif since < upto:
            diff = client.diff_dataset_versions(dataset, from_version=since, to_version=upto)
            # One that we added and a person changed since is an added one.
            pages = _pages([*diff.examples_added, *diff.examples_modified])
            changed = (example for page in pages for example in self._read(dataset, page, as_of=upto))
        else:
            return Edits(edits=(), upto=since)
        found = [edit for example in changed if (edit := edit_of(example))]
        return Edits(edits=tuple(sorted(found, key=lambda edit: edit.at)), upto=upto)

    def living(self, dataset: str, row_ids: Sequence[str]) -> dict[str, uuid.UUID]:
        """Row id → the id of its example, of those that are there."""
        return {
            row_id: example.id for page in _pages(row_ids) for row_id, example in self._living(dataset, page).items()
        }

    def _living(self, dataset: str, row_ids: Sequence[str], *, first_only: bool = False) -> dict[str, Example]:
        """`first_only`: those that never came back."""
        found: dict[str, Example] = {}
        for time in range(1 if first_only else RETURNS):
            names = {_id(dataset, row_id, time): row_id for row_id in row_ids if row_id not in found}
            if not names:
                break
            found |= {names[example.id]: example for example in self._read(dataset, list(names))}
        return found

    def _read(self, dataset: str, ids: Sequence[uuid.UUID], as_of: datetime | None = None) -> list[Example]:
        with self.within(dataset):
            examples = self._connection.client.list_examples(
                dataset_id=dataset, example_ids=ids, as_of=as_of, **ONLY_NEEDED
            )
            return list(examples)

    def _update(self, dataset: str, rows: Mapping[RowCopy, Example]) -> None:
        """Those that a person changed after the row was settled stay as they are: `edits` tells of them."""
        older = {row: example.id for row, example in rows.items() if not _newer(example, row)}
        if older:
            updates = [{"id": example_id, **example_of(row)} for row, example_id in older.items()]
            with self.within(dataset):
                self._connection.client.update_examples(dataset_id=dataset, updates=updates)

    def _create(self, dataset: str, rows: Mapping[RowCopy, uuid.UUID]) -> None:
        try:
            self._post(dataset, rows)
        except TakenBefore:
            for row in rows:
                self._create_again(dataset, row)

    def _create_again(self, dataset: str, row: RowCopy) -> None:
        """One that may have been taken out before: with the first id that is free, unless it is there by then."""
        there = self._living(dataset, [row.row_id]).get(row.row_id)
        if there is not None:
            self._update(dataset, {row: there})
            return
        for time in range(RETURNS):
            with suppress(TakenBefore):
                self._post(dataset, {row: _id(dataset, row.row_id, time)})
                return
        raise TrackerRefused(TrackerReason.NOT_TAKEN, f"a row came back more than {RETURNS} times")

    def _post(self, dataset: str, rows: Mapping[RowCopy, uuid.UUID]) -> None:
        if rows:
            examples = []
            for row, example_id in rows.items():
                shape = example_of(row)
                outputs = shape.pop("outputs")
                examples.append({"id": example_id, "reference_outputs": outputs, **shape})
            with self.within(dataset):
                self._connection.client.create_examples(dataset_id=dataset, examples=examples)

    def _erase(self, dataset: str, row_id: str) -> None:
        for time in range(RETURNS):
            try:
                self._connection.client.delete_examples([_id(dataset, row_id, time)], hard_delete=True)
            except Exception as error:
                if isinstance(ours(error), NotThere):
                    return
                raise

    def version(self, dataset: str, tag: str) -> datetime | None:
        """The moment that a tag stands for."""
        try:
            return self._connection.client.read_dataset_version(dataset_id=dataset, tag=tag).as_of
        except Exception as error:
            if isinstance(ours(error), NotThere):
                return None
            raise

    def _check(self, dataset: str) -> datetime:
        """When it was made. Raises DATASET_GONE where it is not there."""
        try:
            made: datetime = self._connection.client.read_dataset(dataset_id=dataset).created_at
        except Exception as error:
            if isinstance(ours(error), NotThere):
                raise TrackerRefused(TrackerReason.DATASET_GONE, "status 404") from None
            raise
        return made

    @contextmanager
    def within(self, dataset: str) -> Iterator[None]:
        """Of what is not there: either the dataset is gone, or an example went away just now and may come again."""
        try:
            with translated():
                yield
        except NotThere:
            self._check(dataset)
            raise TrackerDown("an example went away meanwhile") from None


def _id(dataset: str, row_id: str, time: int) -> uuid.UUID:
    return named(dataset, row_id, time)


def _newer(example: Example, row: RowCopy) -> bool:
    """Whether a person changed the example after the row was settled."""
    edit = edit_of(example)
    return edit is not None and edit.at > row.settled_at


def _pages(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + EXAMPLES_PER_REQUEST] for start in range(0, len(items), EXAMPLES_PER_REQUEST))
