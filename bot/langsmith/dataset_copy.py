"""The copy of our rows as examples of a LangSmith dataset.

LangSmith never accepts an example's id twice, not even in another dataset or after the example was deleted. So an id
is derived from the dataset, the row, and how often the row came back.
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
from bot.langsmith.shapes import edit_of, example_of, stable_id
from bot.langsmith.wire import AlreadyExists, NotFound, tracker_error, translate_errors

EXAMPLES_PER_REQUEST = 100
"""Most examples of one request, which is LangSmith's page size."""
MAX_RETURNS = 8
"""How often a row can be withdrawn and sent again."""
EDIT_FIELDS: dict[str, Any] = {
    "select": ("id", "outputs", "metadata", "source_run_id", "created_at", "modified_at"),
    "exclude_default_fields": True,
}
"""The query for only the fields that show an edit, because each example also holds a whole prompt."""

Item = TypeVar("Item")


class DatasetCopy:
    """Blocking operations on a dataset, for `Connection.run`, which translates the SDK's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, name: str) -> str:
        """Return the id of the dataset with this name, creating it if there is none."""
        client = self._connection.client
        while True:
            if client.has_dataset(dataset_name=name):
                return str(client.read_dataset(dataset_name=name).id)
            try:
                # By default the SDK adds details of this machine.
                return str(client.create_dataset(name, metadata={"runtime": {}}).id)
            except Exception as error:
                if not isinstance(tracker_error(error), AlreadyExists):
                    raise

    def put(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        for page in _pages(rows):
            existing = self._existing(dataset, [row.row_id for row in page], first_only=True)
            self._update(dataset, {row: existing[row.row_id] for row in page if row.row_id in existing})
            new = [row for row in page if row.row_id not in existing]
            self._create(dataset, {row: _example_id(dataset, row.row_id, 0) for row in new})

    def withdraw(self, dataset: str, row_ids: Sequence[str], *, erase: bool) -> None:
        for page in _pages(row_ids):
            existing = [example.id for example in self._existing(dataset, page).values()]
            if existing:
                with self.translate_missing(dataset):
                    self._connection.client.delete_examples(existing)
            for row_id in page if erase else ():
                self._erase(dataset, row_id)

    def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        client = self._connection.client
        self._created_at(dataset)
        if self.version(dataset, tag) is not None:
            return
        for page in _pages(row_ids):
            # Leave out edited examples: adding a split would make the edit look new, and an edit is not what is frozen.
            existing = self._existing(dataset, page).values()
            ids: list[uuid.UUID | str] = [example.id for example in existing if edit_of(example) is None]
            if ids:
                client.update_dataset_splits(dataset_id=dataset, split_name=tag, example_ids=ids)
        version = self.version(dataset, "latest")
        if version is not None:
            client.update_dataset_tag(dataset_id=dataset, as_of=version, tag=tag)

    def edits(self, dataset: str, since: datetime | None) -> Edits:
        client = self._connection.client
        created_at = self._created_at(dataset)
        upto = self.version(dataset, "latest") or created_at
        if since is None:
            changed = client.list_examples(dataset_id=dataset, as_of=upto, **EDIT_FIELDS)
        elif since < upto:
            diff = client.diff_dataset_versions(dataset, from_version=since, to_version=upto)
            # An example that we added and a person changed since is listed as added.
            pages = _pages([*diff.examples_added, *diff.examples_modified])
            changed = (example for page in pages for example in self._read(dataset, page, as_of=upto))
        else:
            return Edits(edits=(), upto=since)
        found = [edit for example in changed if (edit := edit_of(example))]
        return Edits(edits=tuple(sorted(found, key=lambda edit: edit.at)), upto=upto)

    def example_ids(self, dataset: str, row_ids: Sequence[str]) -> dict[str, uuid.UUID]:
        """Return the example ids of the rows that have an example, by row id."""
        return {
            row_id: example.id for page in _pages(row_ids) for row_id, example in self._existing(dataset, page).items()
        }

    @staticmethod
    def possible_ids(dataset: str, row_ids: Sequence[str]) -> list[uuid.UUID]:
        """Return every id that an example of these rows can ever have had."""
        return [_example_id(dataset, row_id, returns) for row_id in row_ids for returns in range(MAX_RETURNS)]

    def _existing(self, dataset: str, row_ids: Sequence[str], *, first_only: bool = False) -> dict[str, Example]:
        """Return the existing examples by row id; with `first_only` only those of rows that never came back."""
        found: dict[str, Example] = {}
        for returns in range(1 if first_only else MAX_RETURNS):
            rows = {_example_id(dataset, row_id, returns): row_id for row_id in row_ids if row_id not in found}
            if not rows:
                break
            found |= {rows[example.id]: example for example in self._read(dataset, list(rows))}
        return found

    def _read(self, dataset: str, ids: Sequence[uuid.UUID], as_of: datetime | None = None) -> list[Example]:
        with self.translate_missing(dataset):
            examples = self._connection.client.list_examples(
                dataset_id=dataset, example_ids=ids, as_of=as_of, **EDIT_FIELDS
            )
            return list(examples)

    def _update(self, dataset: str, rows: Mapping[RowCopy, Example]) -> None:
        """Update examples, except those that a person edited after the row was settled: `edits` reports these."""
        older = {row: example.id for row, example in rows.items() if not _edited_after_settling(example, row)}
        if older:
            updates = [{"id": example_id, **example_of(row)} for row, example_id in older.items()]
            with self.translate_missing(dataset):
                self._connection.client.update_examples(dataset_id=dataset, updates=updates)

    def _create(self, dataset: str, rows: Mapping[RowCopy, uuid.UUID]) -> None:
        try:
            self._post(dataset, rows)
        except AlreadyExists:
            for row in rows:
                self._create_again(dataset, row)

    def _create_again(self, dataset: str, row: RowCopy) -> None:
        """Create an example that may have been deleted before, under the first free id, or update an existing one."""
        existing = self._existing(dataset, [row.row_id]).get(row.row_id)
        if existing is not None:
            self._update(dataset, {row: existing})
            return
        for returns in range(MAX_RETURNS):
            with suppress(AlreadyExists):
                self._post(dataset, {row: _example_id(dataset, row.row_id, returns)})
                return
        raise TrackerRefused(TrackerReason.NOT_TAKEN, f"a row came back more than {MAX_RETURNS} times")

    def _post(self, dataset: str, rows: Mapping[RowCopy, uuid.UUID]) -> None:
        if rows:
            examples = []
            for row, example_id in rows.items():
                shape = example_of(row)
                outputs = shape.pop("outputs")
                examples.append({"id": example_id, "reference_outputs": outputs, **shape})
            with self.translate_missing(dataset):
                self._connection.client.create_examples(dataset_id=dataset, examples=examples)

    def _erase(self, dataset: str, row_id: str) -> None:
        for returns in range(MAX_RETURNS):
            try:
                self._connection.client.delete_examples([_example_id(dataset, row_id, returns)], hard_delete=True)
            except Exception as error:
                if isinstance(tracker_error(error), NotFound):
                    return
                raise

    def version(self, dataset: str, tag: str) -> datetime | None:
        """Return the moment of the version that a tag names, or None if there is no such tag."""
        try:
            return self._connection.client.read_dataset_version(dataset_id=dataset, tag=tag).as_of
        except Exception as error:
            if isinstance(tracker_error(error), NotFound):
                return None
            raise

    def _created_at(self, dataset: str) -> datetime:
        """Return when the dataset was created; raises TrackerRefused with DATASET_GONE if it does not exist."""
        try:
            created_at: datetime = self._connection.client.read_dataset(dataset_id=dataset).created_at
        except Exception as error:
            if isinstance(tracker_error(error), NotFound):
                raise TrackerRefused(TrackerReason.DATASET_GONE, "status 404") from None
            raise
        return created_at

    @contextmanager
    def translate_missing(self, dataset: str) -> Iterator[None]:
        """Translate a status 404 by its cause.

        Raises:
            TrackerRefused: DATASET_GONE, when the dataset does not exist.
            TrackerDown: An example disappeared during the call; the call may be retried.
        """
        try:
            with translate_errors():
                yield
        except NotFound:
            self._created_at(dataset)
            raise TrackerDown("an example disappeared during the request") from None


def _example_id(dataset: str, row_id: str, returns: int) -> uuid.UUID:
    """Return the id of a row's example; `returns` is how often the row came back."""
    return stable_id(dataset, row_id, returns)


def _edited_after_settling(example: Example, row: RowCopy) -> bool:
    edit = edit_of(example)
    return edit is not None and edit.at > row.settled_at


def _pages(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + EXAMPLES_PER_REQUEST] for start in range(0, len(items), EXAMPLES_PER_REQUEST))
