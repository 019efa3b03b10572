"""Dataset rows, their split, and the training file made of them."""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from bot.domain.prompt import Category, Prompt
from bot.domain.thing import Thing

HELD_OUT_PERCENT = 20
"""Of all rows. Design: at least a tenth; a fifth reaches the 50 rows that a comparison needs with 250 rows."""


class Split(StrEnum):
    """Which rows may be trained on."""

    TRAIN = "train"
    HELD_OUT = "held_out"


class Source(StrEnum):
    """Where a row's label comes from."""

    AGREE = "agree"
    CHANGE = "change"
    IMPORT = "import"


class Row(Thing):
    """One dataset row. `id` is the question's id, or for an import the hash of its group."""

    id: str
    text: str
    group: str
    category: str
    reason: str | None
    """Words that argue for `category`, or None: the export writes a neutral reason from the category's rule."""
    split: Split
    source: Source
    by: str
    team: str | None = None
    channel: str | None = None
    ts: str | None = None
    origin: str | None = None
    """The file that an imported row came from."""
    settled_at: datetime


DASHES = "~\u2212"
"""Signs by Unicode, punctuation by use: Windows writes 〜 and － as them, where a Mac writes punctuation."""


def normalised(text: str) -> str:
    """The text without what does not change its meaning: case, width, white space, punctuation (Unicode P*, Z*, C*)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = (ch for ch in folded if unicodedata.category(ch)[0] not in "PZC" and ch not in DASHES)
    return "".join(kept) or folded.strip()


def group_of(text: str) -> str:
    """The id of the group that a text belongs to: texts that are the same once normalised."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:32]


def text_key(text: str) -> str:
    """The name of a text to the letter: its sha256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(group: str) -> Split:
    """A group's split. It depends on the group alone, so that a row never moves."""
    bucket = int.from_bytes(hashlib.sha256(f"split:{group}".encode()).digest()[:4], "big") % 100
    return Split.HELD_OUT if bucket < HELD_OUT_PERCENT else Split.TRAIN


def distinct(rows: Iterable[Row]) -> list[Row]:
    """Each text once a category, however it is written: the row settled last. Ordered by group (a hash), then id."""
    newest: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=lambda row: (row.settled_at, row.id)):
        newest[normalised(row.text), row.category] = row
    return sorted(newest.values(), key=lambda row: (row.group, row.id))


def agreed(rows: Sequence[Row], contested: Container[str]) -> list[Row]:
    """What may be trained or measured on: `distinct` rows of groups that are in no conflict (domain/conflict.py)."""
    return [row for row in distinct(rows) if row.group not in contested]


class Manifest(Thing):
    """What an export holds, so that it can be proven later."""

    id: str
    """The sha256 of the file, hexadecimal; also the dataset's id."""
    prompt_id: str
    rows: int
    held_out: int
    per_category: dict[str, int]
    """Category id → rows in the file."""
    sources: dict[str, int]
    left_out: dict[str, int]
    """Why rows are not in the file → how many."""
    bytes: int


class Export(Thing):
    """A training file and its manifest. The same rows and prompt give the same bytes."""

    manifest: Manifest
    data: bytes
    texts: dict[str, str]
    """The rows in the file, in its order: row id → its question."""


FORBIDDEN = (
    "<|endoftext|>",
    "<|endofprompt|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|im_start|>",
    "<|im_end|>",
)
"""Special tokens: one of them in a text ends a paid job (lessons 22)."""


def example(prompt: Prompt, row: Row, category: Category) -> str:
    """One line of OpenAI's chat fine-tuning format, without its line feed: Japanese unescaped, reason first."""
    answer = json.dumps(answer_of(row, prompt, category), ensure_ascii=False)
    messages = [
        {"role": "system", "content": prompt.text},
        {"role": "user", "content": row.text},
        {"role": "assistant", "content": answer},
    ]
    # U+2028/2029/0085 are line ends for some readers of JSON Lines; as escapes they are the same text for all.
    line = json.dumps({"messages": messages}, ensure_ascii=False)
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def answer_of(row: Row, prompt: Prompt, category: Category) -> dict[str, str]:
    """What a model is taught to answer to a row, reason first."""
    return {"reason": row.reason or neutral_reason(prompt.language, category), "category": category.name}


def questions_of(data: bytes) -> list[str]:
    """The questions of a training file that `export` made, in its order."""
    return [json.loads(line)["messages"][1]["content"] for line in data.decode().split("\n") if line]


def neutral_reason(language: str, category: Category) -> str:
    """A reason that argues for nothing but this category: its own rule, else its name."""
    if category.rule.strip():
        return " ".join(category.rule.split())
    return f"{category.name}に関する質問です。" if language == "ja" else f"This is a question for {category.name}."


def export(
    rows: Sequence[Row], prompt: Prompt, *, contested: Container[str] = (), near_held_out: Container[str] = ()
) -> Export:
    """The training file of these rows under this prompt. Held-out rows are counted, never written.

    Left out and counted are repeats of a text, rows of a category that the prompt does not have, texts that hold a
    special token, groups in conflict, and rows to train on that are nearly the same as a held-out one.

    Args:
        rows: all that count.
        prompt: the system message.
        contested: groups in conflict (`Neighbours.contested`).
        near_held_out: ids of the rows that are nearly the same as a held-out one (`proving.seen`).
    """
    once = distinct(rows)
    left_out: Counter[str] = Counter({"duplicate": len(rows) - len(once)})
    kept: list[Row] = []
    lines: list[str] = []
    held_out = 0
    for row in once:
        category = prompt.category(row.category)
        if category is None:
            left_out["unknown_category"] += 1
        elif any(token in row.text or token in (row.reason or "") for token in FORBIDDEN):
            left_out["special_token"] += 1
        elif row.group in contested:
            left_out["conflict"] += 1
        elif row.split is Split.HELD_OUT:
            held_out += 1
        elif row.id in near_held_out:
            left_out["near_held_out"] += 1
        else:
            kept.append(row)
            lines.append(example(prompt, row, category) + "\n")
    data = "".join(lines).encode()
    return Export(
        manifest=Manifest(
            id=hashlib.sha256(data).hexdigest(),
            prompt_id=prompt.id,
            rows=len(kept),
            held_out=held_out,
            per_category=dict(sorted(Counter(row.category for row in kept).items())),
            sources=dict(sorted(Counter(row.source.value for row in kept).items())),
            left_out={why: n for why, n in sorted(left_out.items()) if n},
            bytes=len(data),
        ),
        data=data,
        texts={row.id: row.text for row in kept},
    )
