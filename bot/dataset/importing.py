"""The import of labelled questions that a company already has."""

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from pydantic import Field

from bot.current_prompt import current_prompt
from bot.dataset.reading import read
from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source, group_of, neutral_reason, split_of
from bot.domain.faults import Fault, Problem, Unable
from bot.domain.intake import MOST_MASKED, cut, words_of
from bot.domain.label import is_named
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine
from bot.domain.masking import masked
from bot.domain.prompt import Category, Prompt
from bot.domain.thing import Thing
from bot.ports import Clock, Neighbours, Store
from bot.ports.progress import Progress, unheard

IMPORTED_PER_TRANSACTION = 500
"""Upper bound per transaction, so that other writers get their turn in between."""


PREVIEWED_ROWS = 5
"""Number of rows that a dry run shows."""
NEAREST = 0.6
"""Least similarity of a written category to one of the prompt, 0..1, from which it is suggested."""


class UnknownMapping(Unable):
    """A mapping to a category that the prompt does not have."""


class ImportOptions(ReadingOptions):
    """What a person says about a file and its categories."""

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
    """What an import would read."""

    rows: tuple[Row, ...]
    """The first rows, with their text as it would be stored."""
    by_category: dict[str, int]
    same: int
    bad: tuple[BadLine, ...]
    skipped: dict[Skip, int]


class FileRows(Thing):
    """The rows of a file, one for each question, and what is no row."""

    rows: tuple[Row, ...]
    same: int
    bad: tuple[BadLine, ...]
    skipped: dict[Skip, int]


class Importing:
    """Turns labelled questions into rows. A second import of the same file changes nothing."""

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock

    async def load(
        self, data: bytes, origin: str, options: ImportOptions | None = None, report: Progress = unheard
    ) -> ImportReport:
        """Import a file, with the categories of the current prompt. Bad lines are reported; the others are kept.

        Args:
            data: The file.
            origin: The file's name, which is kept with each row.
            options: What a person says about the file.
            report: Is told after each page how many rows are written.

        Raises:
            LookupError: No prompt has been stored yet (`current_prompt.configure`).
            UnknownMapping: A category is mapped to one that the prompt does not have.
        """
        found = await self._rows_of(data, origin, options or ImportOptions())
        counts: Counter[str] = Counter(same=found.same)
        written = 0
        for page in pages(found.rows):
            counts.update(await self._write(page))
            written += len(page)
            report(written, len(found.rows))
        return ImportReport(
            added=counts["added"],
            changed=counts["changed"],
            same=counts["same"],
            bad=found.bad,
            skipped=found.skipped,
        )

    async def preview(self, data: bytes, options: ImportOptions | None = None) -> ImportPreview:
        """Return what `load` would read of a file, without writing anything. Raises as `load` does."""
        found = await self._rows_of(data, "", options or ImportOptions())
        return ImportPreview(
            rows=found.rows[:PREVIEWED_ROWS],
            by_category=dict(Counter(row.category for row in found.rows).most_common()),
            same=found.same,
            bad=found.bad,
            skipped=found.skipped,
        )

    async def _rows_of(self, data: bytes, origin: str, options: ImportOptions) -> FileRows:
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
        mapping = _mapping(options, prompt)
        is_label = partial(_is_label, prompt=prompt, mapping=mapping)
        options = options.model_copy(update={"is_label": is_label})
        rows: dict[str, tuple[int, Row]] = {}
        bad: list[BadLine] = []
        skipped: Counter[Skip] = Counter()
        same = 0
        for record in read(data, options):
            if isinstance(record, SkippedLine):
                skipped[record.why] += 1
                continue
            row = record if isinstance(record, BadLine) else self._row_of(record, origin, prompt, mapping)
            if isinstance(row, BadLine):
                bad.append(row)
                continue
            line, earlier = rows.get(row.id, (0, row))
            if line and earlier.category != row.category:
                bad.append(BadLine(line=line, why=Flaw.CONTRADICTED, facts={"other": str(record.line)}))
            same += bool(line) and earlier.category == row.category
            rows[row.id] = (record.line, row)
        return FileRows(rows=tuple(row for _, row in rows.values()), same=same, bad=tuple(bad), skipped=dict(skipped))

    async def _write(self, page: Sequence[Row]) -> list[str]:
        """Write rows, each into the group that it joins; return "added", "changed" or "same" for each."""
        outcomes = []
        groups = await self._neighbours.groups([row.text for row in page])
        async with self._store.transaction() as tx:
            stored = await tx.rows.some([row.id for row in page])
            changed = []
            for row, group in zip(page, groups, strict=True):
                known = stored.get(row.id)
                # A row that staff settled after its import stays as they settled it.
                if known and (known.by != row.by or (known.category, known.reason) == (row.category, row.reason)):
                    outcomes.append("same")
                    continue
                outcomes.append("changed" if known else "added")
                row_group = known.group if known else group
                place = {"group": row_group, "split": split_of(row_group), "settled_at": self._clock.now()}
                changed.append(row.model_copy(update=place))
            await tx.rows.put(*changed)
        return outcomes

    def _row_of(
        self, labelled: Labelled, origin: str, prompt: Prompt, mapping: Mapping[str, Category]
    ) -> Row | BadLine:
        """Return the row of a record, or the flaw that makes it unusable."""
        category = mapping.get(_folded(labelled.category)) or category_of(labelled.category, prompt)
        if category is None:
            return _unknown(labelled, prompt)
        text, _ = cut(masked(labelled.text[:MOST_MASKED]))
        if not words_of(text):
            return BadLine(line=labelled.line, sheet=labelled.sheet, why=Flaw.NO_WORDS)
        group = group_of(text)
        reason = masked(labelled.reason) if labelled.reason else None
        if reason == neutral_reason(prompt.language, category):
            reason = None  # an export fills it in for a row without a reason
        return Row(
            id=f"import:{group}",
            text=text,
            group=group,
            category=category.id,
            reason=reason,
            split=split_of(group),
            source=Source.IMPORT,
            by="import",
            origin=origin,
            settled_at=self._clock.now(),
            audience=Audience.PUBLIC,
        )


def _mapping(options: ImportOptions, prompt: Prompt) -> dict[str, Category]:
    """Return the category of each mapped label. Raises UnknownMapping."""
    found = {}
    for old, new in options.mapping.items():
        category = category_of(new, prompt)
        if category is None:
            facts = {"category": new, "names": _ids(prompt)}
            raise UnknownMapping(Problem(what=Fault.UNKNOWN_CATEGORY, where="--map", facts=facts))
        found[_folded(old)] = category
    return found


def category_of(label: str, prompt: Prompt) -> Category | None:
    """Return the category that a file's label plainly means; an exact id or name comes first."""
    return prompt.category(label) or prompt.meant(label)


def _is_label(label: str, prompt: Prompt, mapping: Mapping[str, Category]) -> bool:
    """Return whether a label means a category; every list of groups has an `Other`, so the catch-all shows nothing."""
    category = mapping.get(_folded(label)) or category_of(label, prompt)
    return category is not None and not category.other


def _ids(prompt: Prompt) -> str:
    return ", ".join(c.id for c in prompt.categories)


def _folded(label: str) -> str:
    return unicodedata.normalize("NFKC", label).casefold().strip()


def _unknown(labelled: Labelled, prompt: Prompt) -> BadLine:
    """Return the flaw of a label that is no category, with the category that it names or that is written most alike."""
    by_spelling = {_folded(spelling): c.id for c in prompt.categories for spelling in (c.id, c.name)}
    label = _folded(labelled.category)
    named = [spelling for spelling in by_spelling if is_named(spelling, label)]
    close = difflib.get_close_matches(label, by_spelling, n=1, cutoff=NEAREST)
    alike = sorted(named, key=len, reverse=True) or close
    facts = {
        "category": labelled.category,
        "names": _ids(prompt),
        "nearest": by_spelling[alike[0]] if alike else "",
    }
    return BadLine(
        line=labelled.line, column=labelled.column, sheet=labelled.sheet, why=Flaw.UNKNOWN_CATEGORY, facts=facts
    )


def pages(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Split rows into pages of at most `IMPORTED_PER_TRANSACTION`."""
    return (rows[start : start + IMPORTED_PER_TRANSACTION] for start in range(0, len(rows), IMPORTED_PER_TRANSACTION))
