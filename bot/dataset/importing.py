"""The import of labelled questions that a company already has."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bot.current_prompt import current_prompt
from bot.domain.dataset import Row, Source, group_of, neutral_reason, split_of
from bot.domain.intake import cut, words_of
from bot.domain.labelled import BadLine, Flaw, Labelled, read
from bot.domain.masking import masked
from bot.domain.prompt import Prompt
from bot.domain.thing import Thing
from bot.ports import Clock, Neighbours, Store

IMPORTED_PER_TRANSACTION = 500
"""Upper bound per transaction, so that other writers get their turn in between."""


class ImportReport(Thing):
    """The result of an import. The counts and the bad lines add up to the number of records in the file."""

    added: int
    changed: int
    """Questions of an earlier import that got another category or reason."""
    same: int
    """Questions that were known already, or occur again in the file with the same category."""
    bad: tuple[BadLine, ...]


class Importing:
    """Turns labelled questions into rows. A second import of the same file changes nothing."""

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock

    async def load(self, data: bytes, origin: str) -> ImportReport:
        """Import a file, with the categories of the current prompt. Bad lines are reported; the others are kept.

        Args:
            data: The file.
            origin: The file's name, which is kept with each row.

        Raises:
            LookupError: No prompt has been stored yet (`current_prompt.configure`).
        """
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
        rows: dict[str, tuple[int, Row]] = {}
        bad: list[BadLine] = []
        same = 0
        for record in read(data):
            row = record if isinstance(record, BadLine) else self._row_of(record, origin, prompt)
            if isinstance(row, BadLine):
                bad.append(row)
                continue
            line, earlier = rows.get(row.id, (0, row))
            if line and earlier.category != row.category:
                bad.append(BadLine(line=line, why=Flaw.CONTRADICTED, facts={"other": str(record.line)}))
            same += bool(line) and earlier.category == row.category
            rows[row.id] = (record.line, row)
        counts: Counter[str] = Counter(same=same)
        for page in pages([row for _, row in rows.values()]):
            counts.update(await self._write(page))
        return ImportReport(added=counts["added"], changed=counts["changed"], same=counts["same"], bad=tuple(bad))

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

    def _row_of(self, labelled: Labelled, origin: str, prompt: Prompt) -> Row | BadLine:
        """Return the row of a record, or the flaw that makes it unusable."""
        category = prompt.find_category(labelled.category)
        if category is None:
            names = ", ".join(c.id for c in prompt.categories)
            return BadLine(
                line=labelled.line, why=Flaw.UNKNOWN_CATEGORY, facts={"category": labelled.category, "names": names}
            )
        text, _ = cut(masked(labelled.text))
        if not words_of(text):
            return BadLine(line=labelled.line, why=Flaw.NO_WORDS)
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
        )


def pages(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Split rows into pages of at most `IMPORTED_PER_TRANSACTION`."""
    return (rows[start : start + IMPORTED_PER_TRANSACTION] for start in range(0, len(rows), IMPORTED_PER_TRANSACTION))
