"""The import of labelled questions that a company already has."""

import asyncio
import difflib
import time
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from pydantic import Field

from bot.current_prompt import current_prompt
from bot.dataset.reading import read
from bot.domain.audience import Audience
from bot.domain.dataset import IMPORTED_PREFIX, IMPORTER, Row, Source, group_of, neutral_reason, split_of
from bot.domain.faults import Fault, Problem, Unable
from bot.domain.intake import MOST_MASKED, cut, has_words
from bot.domain.label import is_named
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine
from bot.domain.masking import masked
from bot.domain.prompt import Category, Prompt
from bot.domain.thing import Thing
from bot.ports import Clock, Neighbours, Store
from bot.ports.progress import Progress, unheard
from bot.similarity.packed import NumberedTexts, Packed

IMPORTED_PER_TRANSACTION = 500
"""Upper bound per transaction, so that other writers get their turn in between."""
KEPT_AFTER = 1.0
"""Fewest seconds between two times that the index is kept."""
WORK_PER_KEEPING = 6.0
"""Seconds of work that follow each second of keeping the index. Most of that second is work that the end would do."""

MOST_LABELS = 10_000
"""Most labels of a file whose category is remembered."""
PREVIEWED_ROWS = 5
"""Number of rows that a dry run shows."""
NEAREST = 0.6
"""Least similarity of a written category to one of the prompt, 0..1, from which it is suggested."""


_ROW_FIELDS = set(Row.model_fields)


class UnknownMapping(Unable):
    """A mapping to a category that the prompt does not have."""


class ImportOptions(ReadingOptions):
    """Options of reading a file, and of mapping its categories."""

    mapping: Mapping[str, str] = Field(default_factory=dict)
    """Categories of the file → categories of the prompt."""


class ImportReport(Thing):
    """The result of an import. The counts and the bad lines add up to the number of records in the file."""

    added: int
    changed: int
    """Questions of an earlier import that got another category or reason."""
    same: int
    """Questions that were known already, or occur again in the file with the same category."""
    bad: tuple[BadLine, ...]
    skipped: dict[Skip, int] = Field(default_factory=dict)
    """Lines that their annotators took out."""


class ImportPreview(Thing):
    """A preview of an import, which stores nothing."""

    rows: tuple[Row, ...]
    """The first rows, with their text as it would be stored."""
    by_category: dict[str, int]
    same: int
    bad: tuple[BadLine, ...]
    skipped: dict[Skip, int]


class FileRow(NamedTuple):
    """A labelled question of a file, as it would be stored. A file has many, so it is smaller than a `Row`."""

    line: int
    text: str
    own_group: str
    """The group of its text (`group_of`); a row may join another one."""
    category: str
    reason: str | None

    @property
    def id(self) -> str:
        return f"{IMPORTED_PREFIX}{self.own_group}"

    def as_row(self, origin: str, group: str, settled_at: datetime) -> Row:
        """Return the row, whose fields need no check: they are of their types."""
        fields = {
            "id": self.id,
            "text": self.text,
            "group": group,
            "category": self.category,
            "reason": self.reason,
            "split": split_of(group),
            "source": Source.IMPORT,
            "by": IMPORTER,
            "team": None,
            "channel": None,
            "ts": None,
            "origin": origin,
            "settled_at": settled_at,
            "audience": Audience.PUBLIC,
        }
        return Row.of_fields(fields, _ROW_FIELDS)


class FileRows:
    """The rows of a file, one for each question, in the order in which the questions came first.

    A file has many rows, so they are kept packed: 150 bytes a row instead of 900.
    """

    def __init__(self) -> None:
        self._groups = NumberedTexts()
        self._records = array("I")
        """Number of a group → the last of its records."""
        self._texts, self._reasons, self._lines = Packed(), Packed(), array("I")
        self._categories: dict[str, int] = {}
        self._category_numbers = array("H")

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[FileRow]:
        return map(self._row, range(len(self)))

    def pages(self) -> Iterator[list[FileRow]]:
        """Yield the rows in pages of at most `IMPORTED_PER_TRANSACTION`."""
        for start in range(0, len(self), IMPORTED_PER_TRANSACTION):
            yield [self._row(at) for at in range(start, min(start + IMPORTED_PER_TRANSACTION, len(self)))]

    def put(self, row: FileRow) -> FileRow | None:
        """Add a row, or replace the one of its group; return that one."""
        at = self._groups.number(row.own_group)
        earlier = self._row(at) if at < len(self._records) else None
        if earlier is None:
            self._records.append(0)
        self._records[at] = len(self._texts)
        self._texts.append(row.text)
        self._reasons.append("" if row.reason is None else f"={row.reason}")
        self._lines.append(row.line)
        self._category_numbers.append(self._categories.setdefault(row.category, len(self._categories)))
        return earlier

    def _row(self, at: int) -> FileRow:
        record = self._records[at]
        category = [*self._categories][self._category_numbers[record]]
        reason = self._reasons[record]
        return FileRow(
            self._lines[record], self._texts[record], self._groups[at], category, reason[1:] if reason else None
        )


class FoundRows(NamedTuple):
    """The rows of a file, and what is no row."""

    rows: FileRows
    same: int
    bad: tuple[BadLine, ...]
    skipped: dict[Skip, int]


class Labels:
    """The categories that the labels of a file mean.

    Args:
        prompt: The prompt with the categories.
        options: What a person says about labels.

    Raises:
        UnknownMapping: A label is mapped to a category that the prompt does not have.
    """

    def __init__(self, prompt: Prompt, options: ImportOptions) -> None:
        self.prompt = prompt
        self._mapping = _mapping(options, prompt)
        self._neutral = {c.id: neutral_reason(prompt.language, c) for c in prompt.categories}
        self.category = lru_cache(MOST_LABELS)(self._category)
        """Return the category of a label, or None. A file repeats the same few labels."""

    def _category(self, label: str) -> Category | None:
        return self._mapping.get(_folded(label)) or category_of(label, self.prompt)

    def is_label(self, label: str) -> bool:
        """Return whether a label means a category.

        Every list of groups has an `Other`, so the catch-all shows nothing.
        """
        category = self.category(label)
        return category is not None and not category.other

    def reason(self, reason: str, category: Category) -> str | None:
        """Return a reason as it is stored; None for the neutral one, which an export fills in."""
        kept = masked(reason)
        return None if kept == self._neutral[category.id] else kept


class Importing:
    """The import of labelled questions as rows. A second import of the same file changes nothing."""

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock

    async def load(
        self, data: bytes, origin: str, options: ImportOptions | None = None, report: Progress = unheard
    ) -> ImportReport:
        """Import a file, with the categories of the current prompt. Bad lines are reported; the others are kept.

        Each page of rows is kept once it is written, and by and by what was found out about them: an import that was
        broken off goes on there when it is repeated.

        Args:
            data: The file.
            origin: The file's name, which is kept with each row.
            options: The options of reading and mapping.
            report: Is told how many records are read, then how many rows are indexed and written, of how many.

        Raises:
            LookupError: No prompt has been stored yet (`current_prompt.configure`).
            UnknownMapping: A category is mapped to one that the prompt does not have.
        """
        found = await self._rows_of(data, options or ImportOptions(), report)
        counts: Counter[str] = Counter(same=found.same)
        written, kept_at, pause = 0, time.monotonic(), KEPT_AFTER
        for page in found.rows.pages():
            outcomes = Counter(await self._write(page, origin, report if counts["added"] == 0 else unheard))
            counts += outcomes
            written += len(page)
            report(written, len(found.rows))
            if outcomes["added"] and time.monotonic() - kept_at > pause:
                began = time.monotonic()
                await self._neighbours.keep()
                kept_at = time.monotonic()
                pause = max(KEPT_AFTER, WORK_PER_KEEPING * (kept_at - began))
        return ImportReport(
            added=counts["added"],
            changed=counts["changed"],
            same=counts["same"],
            bad=found.bad,
            skipped=found.skipped,
        )

    async def preview(self, data: bytes, options: ImportOptions | None = None) -> ImportPreview:
        """Return what `load` would read of a file, without writing anything. Raises as `load` does."""
        found = await self._rows_of(data, options or ImportOptions())
        now = self._clock.now()
        return ImportPreview(
            rows=tuple(row.as_row("", row.own_group, now) for row in islice(found.rows, PREVIEWED_ROWS)),
            by_category=dict(Counter(row.category for row in found.rows).most_common()),
            same=found.same,
            bad=found.bad,
            skipped=found.skipped,
        )

    async def _rows_of(self, data: bytes, options: ImportOptions, report: Progress = unheard) -> FoundRows:
        async with self._store.transaction() as tx:
            labels = Labels(await current_prompt(tx), options)
        options = options.model_copy(update={"is_label": labels.is_label})
        rows = FileRows()
        bad: list[BadLine] = []
        skipped: Counter[Skip] = Counter()
        same = number = 0
        for number, record in enumerate(read(data, options), start=1):
            if number % IMPORTED_PER_TRANSACTION == 0:
                report(number, 0)  # a line may hold many records, and a record many lines
                await asyncio.sleep(0)
            if isinstance(record, SkippedLine):
                skipped[record.why] += 1
                continue
            row = record if isinstance(record, BadLine) else _row_of(record, labels)
            if isinstance(row, BadLine):
                bad.append(row)
                continue
            earlier = rows.put(row)
            if earlier and earlier.category != row.category:
                bad.append(BadLine(line=earlier.line, why=Flaw.CONTRADICTED, facts={"other": str(row.line)}))
            same += earlier is not None and earlier.category == row.category
        report(number, number)
        return FoundRows(rows=rows, same=same, bad=tuple(bad), skipped=dict(skipped))

    async def _write(self, page: Sequence[FileRow], origin: str, report: Progress) -> list[str]:
        """Write rows, each into the group that it joins; return "added", "changed" or "same" for each.

        `report` is told of the rows that are indexed before.
        """
        ids = [row.id for row in page]
        async with self._store.snapshot() as tx:
            known_ids = {*await tx.rows.some(ids)}
        new = [row for row in page if row.id not in known_ids]
        if new and report is not unheard:
            await self._neighbours.refresh(report)
        joined = await self._neighbours.groups([row.text for row in new]) if new else []
        groups = {row.id: group for row, group in zip(new, joined, strict=True)}
        outcomes = []
        async with self._store.transaction() as tx:
            stored = await tx.rows.some(ids, lock=True)
            changed = []
            for row in page:
                known = stored.get(row.id)
                # A row that staff settled after its import stays as they settled it.
                if known and (known.by != IMPORTER or (known.category, known.reason) == (row.category, row.reason)):
                    outcomes.append("same")
                    continue
                outcomes.append("changed" if known else "added")
                group = known.group if known else groups.get(row.id, row.own_group)
                changed.append(row.as_row(origin, group, self._clock.now()))
            await tx.rows.put(*changed)
        await self._neighbours.written(changed)
        return outcomes


def _row_of(labelled: Labelled, labels: Labels) -> FileRow | BadLine:
    """Return the row of a record, or the flaw that makes it unusable."""
    category = labels.category(labelled.category)
    if category is None:
        return _unknown(labelled, labels.prompt)
    text, _ = cut(masked(labelled.text[:MOST_MASKED]))
    if not has_words(text):
        return BadLine(line=labelled.line, sheet=labelled.sheet, why=Flaw.NO_WORDS)
    reason = labels.reason(labelled.reason, category) if labelled.reason else None
    return FileRow(labelled.line, text, group_of(text), category.id, reason)


def _mapping(options: ImportOptions, prompt: Prompt) -> dict[str, Category]:
    """Return the category of each mapped label. Raises UnknownMapping."""
    found = {}
    for old, new in options.mapping.items():
        category = category_of(new, prompt)
        if category is None:
            facts = {"category": new, "names": _names(prompt)}
            raise UnknownMapping(Problem(what=Fault.UNKNOWN_CATEGORY, where="--map", facts=facts))
        found[_folded(old)] = category
    return found


def category_of(label: str, prompt: Prompt) -> Category | None:
    """Return the category that a file's label plainly means; an exact id or name comes first."""
    return prompt.category(label) or prompt.meant(label)


def _names(prompt: Prompt) -> str:
    return ", ".join(c.name for c in prompt.categories)


def _folded(label: str) -> str:
    return unicodedata.normalize("NFKC", label).casefold().strip()


def _unknown(labelled: Labelled, prompt: Prompt) -> BadLine:
    """Return the flaw of a label that is no category, with the category that it names or that is written most alike."""
    by_spelling = {_folded(spelling): c.name for c in prompt.categories for spelling in (c.id, c.name)}
    label = _folded(labelled.category)
    named = [spelling for spelling in by_spelling if is_named(spelling, label)]
    close = difflib.get_close_matches(label, by_spelling, n=1, cutoff=NEAREST)
    alike = sorted(named, key=len, reverse=True) or close
    facts = {
        "category": labelled.category,
        "names": _names(prompt),
        "nearest": by_spelling[alike[0]] if alike else "",
    }
    return BadLine(
        line=labelled.line, column=labelled.column, sheet=labelled.sheet, why=Flaw.UNKNOWN_CATEGORY, facts=facts
    )
