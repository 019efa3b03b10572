"""Similarity search among settled rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bot.domain.conflict import Conflict
from bot.domain.dataset import Row
from bot.domain.gain import Likenesses
from bot.domain.similar import Neighbour, SameQuestion
from bot.ports.progress import Progress, unheard
from bot.ports.store import Transaction


@dataclass(frozen=True)
class RowChanges:
    """Rows that changed, each with whether it counts.

    Attributes:
        began: When their reading began, by a monotonic clock in seconds.
        rows: The rows.
        forgotten: The position of FORGOTTEN_CURSOR when they were read.
    """

    began: float
    rows: Sequence[tuple[Row, bool]]
    forgotten: str | None


class TextNumbering(Protocol):
    """Many texts, each as a number, so that near-duplicates among them are found while none is held."""

    @property
    def slots(self) -> NDArray[np.uint32]:
        """The number of each text: the same for texts that are equal once normalised."""

    def anew(self) -> Self:
        """Return an empty list of texts that can be compared with those of this one."""

    async def add(self, texts: Sequence[str]) -> None:
        """Add texts."""

    async def near(self, these: NDArray[np.bool_], others: Self, those: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of these texts are near-duplicates of one of those, which are among the others."""

    async def contested(self, groups: NDArray[np.uint32], categories: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Return which texts belong to groups in conflict (`conflict.py`).

        Args:
            groups: The group of each text, numbered from 0.
            categories: The number of each text's category.
        """


class Neighbours(Protocol):
    """Search for similar settled rows, without asking a model.

    A row that this process has committed is found at once. The async methods open their own transaction: never call
    them inside one.
    """

    async def near(self, text: str) -> list[Neighbour]:
        """Return the near-duplicates of a text (`similarity` at least `similar.NEAR`), nearest first."""

    async def near_each(self, texts: Sequence[str]) -> list[list[Neighbour]]:
        """Return what `near` returns for each text, after reading once what changed."""

    async def changes(self, tx: Transaction) -> "RowChanges | None":
        """Read the rows that changed, for `same`, in a transaction that is open anyway; None leaves that to `same`."""

    async def same(self, text: str, known: Collection[str], changes: "RowChanges | None" = None) -> SameQuestion | None:
        """Return the rows, held-out ones included, that ask the same as a text (`similar.is_same_question`), or None.

        Args:
            text: The text.
            known: Content words that are no typos, besides those of the rows.
            changes: The result of `changes`; None means that this call opens a transaction of its own.
        """

    async def nearest(self, text: str, k: int, *, without: Collection[str] = ()) -> list[Neighbour]:
        """Return the `k` most similar rows, held-out ones included, nearest first: by words and by meaning.

        Rows of groups in `without` and of groups in conflict are left out. If several rows have the same text, only the
        newest is considered.
        """

    async def nearest_apart(self, rows: Sequence[Row], k: int) -> list[list[Neighbour]]:
        """Return for each of these rows what `nearest` finds without its group and the groups of its near-duplicates.

        Other searches wait meanwhile, so ask for a few rows at a time.
        """

    async def repeated(self, reason: str) -> list[str]:
        """Return the texts of rows, withdrawn ones included, that a reason may repeat a run of (`reason.repeats`)."""

    async def likenesses(self, texts: Sequence[str], public: Sequence[bool]) -> Likenesses:
        """Return how like these texts are to the rows and to each other, by words and by meaning.

        `public` says which texts everybody may read; others may be compared by words alone.
        Rows of groups in conflict are left out.
        """

    async def groups(self, texts: Sequence[str], changes: "RowChanges | None" = None) -> list[str]:
        """Return the group that each text joins, in the order of `texts`. `changes` are those of `same`.

        A text joins the group of its nearest near-duplicate, else a group of its own. Near-duplicates are looked for
        among all rows, withdrawn ones included, and among the texts before it.
        """

    async def refresh(self, report: Progress = unheard) -> None:
        """Read the rows that changed, all of them the first time, which may take minutes.

        Args:
            report: Is told how many rows are read, of how many.
        """

    async def keep(self) -> None:
        """Store what was found out about the rows, for this or another process to go on from, if much of it is new."""

    async def written(self, rows: Sequence[Row]) -> None:
        """Index rows that this process has committed just now, so that they need not be read back."""

    async def conflicts(self) -> list[Conflict]:
        """Return the conflicts among all rows that are not withdrawn, ordered by key."""

    async def cluster(self, group: str) -> list[str]:
        """Return the groups in this group's cluster (`conflict.Clusters`), itself included, sorted."""

    async def contested(self, rows: Sequence[Row]) -> set[str]:
        """Return the groups in conflict among exactly these rows, whatever changed since they were read."""

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        """Return every (i, j) where `these[i]` and `those[j]` are near-duplicates."""

    async def numbered(self) -> TextNumbering:
        """Return an empty list of texts. Those of rows are known already; others are compared when they are added."""
