"""Takes over labelled questions that a company already has."""

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
"""Rows a transaction: others are let through in between."""


class ImportReport(Thing):
    """What became of a file's lines. Their sum is the number of its records."""

    added: int
    changed: int
    """The question was there from an earlier line or import, with another category: now it has this one."""
    same: int
    bad: tuple[BadLine, ...]


class Importing:
    """Makes rows of labelled questions. The same file twice changes nothing."""

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock

    async def load(self, data: bytes, origin: str) -> ImportReport:
        """Import a file; `origin` is its name, kept with each row. Bad lines are reported, the others are kept.

        Categories are those of the current prompt. Raises LookupError before the start (`versions.configure`).
        """
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
        rows: dict[str, tuple[int, Row]] = {}
        bad: list[BadLine] = []
        same = 0
        for record in read(data):
            row = record if isinstance(record, BadLine) else self._row(record, origin, prompt)
            if isinstance(row, BadLine):
                bad.append(row)
                continue
            line, earlier = rows.get(row.id, (0, row))
            if line and earlier.category != row.category:
                bad.append(BadLine(line=line, why=Flaw.CONTRADICTED, facts={"other": str(record.line)}))
            same += bool(line) and earlier.category == row.category
            rows[row.id] = (record.line, row)
        became: Counter[str] = Counter(same=same)
        for page in pages([row for _, row in rows.values()]):
            became.update(await self._keep(page))
        return ImportReport(added=became["added"], changed=became["changed"], same=became["same"], bad=tuple(bad))

    async def _keep(self, page: Sequence[Row]) -> list[str]:
        """Write rows, each in the group that it joins; what became of each."""
        became = []
        groups = await self._neighbours.groups([row.text for row in page])
        async with self._store.transaction() as tx:
            before = await tx.rows.some([row.id for row in page])
            settled = []
            for row, group in zip(page, groups, strict=True):
                known = before.get(row.id)
                # What staff settled since then is not undone by the same file.
                if known and (known.by != row.by or (known.category, known.reason) == (row.category, row.reason)):
                    became.append("same")
                    continue
                became.append("changed" if known else "added")
                home = known.group if known else group
                place = {"group": home, "split": split_of(home), "settled_at": self._clock.now()}
                settled.append(row.model_copy(update=place))
            await tx.rows.put(*settled)
        return became

    def _row(self, labelled: Labelled, origin: str, prompt: Prompt) -> Row | BadLine:
        category = prompt.meant(labelled.category)
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
            reason = None  # an export wrote it where there was none
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
    """A page at a time."""
    return (rows[start : start + IMPORTED_PER_TRANSACTION] for start in range(0, len(rows), IMPORTED_PER_TRANSACTION))
