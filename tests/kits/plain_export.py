"""The training file of rows that are all in memory, by the plain rules; the app's own export must give the same."""

from collections import Counter
from collections.abc import Container, Sequence

from bot.dataset.training_files import PackedFile
from bot.domain.dataset import (
    PRIVATE,
    SET_ASIDE,
    SPECIAL_TOKENS,
    Export,
    Manifest,
    Row,
    Split,
    distinct,
    example,
    settled_by,
)
from bot.domain.prompt import Prompt


def export(
    rows: Sequence[Row],
    prompt: Prompt,
    *,
    contested: Container[str] = (),
    near_held_out: Container[str] = (),
    private: bool = True,
    aside: Container[str] = (),
) -> Export:
    """Build the training file of these rows under this prompt. Held-out rows are counted but never written.

    The manifest counts the rows that are left out, by reason. A row is left out if its text is repeated, its category
    is not in the prompt, or it holds a special token. So are rows in conflict, and training rows with a held-out
    near-duplicate.

    Args:
        rows: All rows that are not withdrawn.
        prompt: The system message.
        contested: Groups in conflict (`Neighbours.contested`).
        near_held_out: Ids of rows that are near-duplicates of a held-out one (`disjoint.seen`).
        private: Whether the file may hold rows that not everybody may read. If not, they are left out first, so that
            none of them takes the place of a public row with the same text.
        aside: Ids of rows that are set aside, which take no other row's place either.
    """
    every, rows = rows, [row for row in rows if row.id not in aside]
    readable = [row for row in rows if private or row.public]
    unique = distinct(readable)
    few_read = [row for row in rows if not (private or row.public)]
    held_out = sum(row.split is Split.HELD_OUT for row in few_read)
    left_out = Counter({"duplicate": len(readable) - len(unique), PRIVATE: len(few_read) - held_out})
    left_out[SET_ASIDE] = sum(row.split is Split.TRAIN for row in every) - sum(row.split is Split.TRAIN for row in rows)
    kept: list[Row] = []
    file = PackedFile()
    for row in unique:
        category = prompt.category(row.category)
        if category is None:
            left_out["unknown_category"] += 1
        elif any(token in row.text or token in (row.reason or "") for token in SPECIAL_TOKENS):
            left_out["special_token"] += 1
        elif row.group in contested:
            left_out["conflict"] += 1
        elif row.split is Split.HELD_OUT:
            held_out += 1
        elif row.id in near_held_out:
            left_out["near_held_out"] += 1
        else:
            kept.append(row)
            file.write(row, f"{example(prompt, row, category)}\n".encode())
    sha256 = file.close()
    return file.export(
        Manifest(
            id=sha256,
            prompt_id=prompt.id,
            rows=len(kept),
            held_out=held_out,
            per_category=dict(sorted(Counter(row.category for row in kept).items())),
            sources=dict(sorted(Counter(row.source.value for row in kept).items())),
            left_out={why: n for why, n in sorted(left_out.items()) if n},
            bytes=file.size,
            settlers=settled_by(kept),
        )
    )
