"""Dataset rows, their split, and the training file that is exported from them."""

import hashlib
import json
import unicodedata
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from bot.domain.audience import Audience
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Question
from bot.domain.thing import Thing

_json = json.JSONEncoder(ensure_ascii=False).encode
"""Made once, because `json.dumps` makes an encoder for each value."""
CHUNK_BYTES = 1 << 20
"""Most bytes of a training file that are unpacked at once."""
HELD_OUT_PERCENT = 20
"""Percentage of rows that are held out: at 20%, 250 rows are enough for the 50 that a comparison needs."""

IMPORTED_PREFIX = "import:"
"""Beginning of the id of an imported row; the hash of its text follows."""
IMPORTER = "import"
"""The `by` of imported rows."""


class Split(StrEnum):
    """The side of a row: for training, or held out for evaluation."""

    TRAIN = "train"
    HELD_OUT = "held_out"


class Source(StrEnum):
    """The origin of a row's category."""

    AGREE = "agree"
    CHANGE = "change"
    IMPORT = "import"


class Row(Thing):
    """One dataset row. `id` is the question's id; for an import it is `import:<group>`."""

    id: str
    text: str
    group: str
    category: str
    reason: str | None
    """A reason for `category`; if None, the export writes a neutral reason from the category's rule."""
    split: Split
    source: Source
    by: str
    team: str | None = None
    channel: str | None = None
    ts: str | None = None
    origin: str | None = None
    """The file that the row was imported from."""
    settled_at: datetime
    audience: Audience = Audience.UNKNOWN
    """The audience of its question; an imported row is public."""

    @property
    def public(self) -> bool:
        """Whether everybody may read it. A doubtful row is private."""
        return self.audience is Audience.PUBLIC and not (self.channel or "").startswith("D")


DASHES = "~\u2212"
"""Symbols in Unicode that people use as punctuation: Windows maps 〜 and － to them, a Mac to punctuation."""


class _Dropped(dict[int, int | None]):
    """Code point → itself, or None for a character that `normalised` drops. It fills as characters are met."""

    def __missing__(self, point: int) -> int | None:
        ch = chr(point)
        found = self[point] = None if unicodedata.category(ch)[0] in "PZC" or ch in DASHES else point
        return found


_DROPPED = _Dropped()


def normalised(text: str) -> str:
    """Return the text without case, width, white space and punctuation (Unicode P*, Z*, C*)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_DROPPED) or folded.strip()


def group_of(text: str) -> str:
    """Return the id of the group of all texts that are equal once normalised."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:32]


def text_key(text: str) -> str:
    """Return the sha256 of the exact text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(group: str) -> Split:
    """Return a group's split. The split depends on the group alone, so a row never changes sides."""
    bucket = int.from_bytes(hashlib.sha256(f"split:{group}".encode()).digest()[:4], "big") % 100
    return Split.HELD_OUT if bucket < HELD_OUT_PERCENT else Split.TRAIN


def distinct(rows: Iterable[Row]) -> list[Row]:
    """Return one row per normalised text and category: the one settled last. Ordered by group (a hash), then id."""
    newest: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=lambda row: (row.settled_at, row.id)):
        newest[normalised(row.text), row.category] = row
    return sorted(newest.values(), key=lambda row: (row.group, row.id))


def usable_rows(rows: Sequence[Row], contested: Container[str]) -> list[Row]:
    """Return the rows for training and evaluation: `distinct` rows of groups without a conflict (`conflict.py`)."""
    return [row for row in distinct(rows) if row.group not in contested]


def settled_by(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Return person → category → number of rows that this person settled, most first. Imports have no settler."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.source is not Source.IMPORT:
            found.setdefault(row.by, Counter())[row.category] += 1
    return most_first(found)


def most_first(settlers: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return person → category → number of rows, the person with most rows first."""
    ordered = sorted(settlers.items(), key=lambda one: (-sum(one[1].values()), one[0]))
    return {person: dict(sorted(counts.items())) for person, counts in ordered}


class Manifest(Thing):
    """A summary of an export, kept as proof of what it contained."""

    id: str
    """The sha256 of the file, hexadecimal; also the dataset's id."""
    prompt_id: str
    rows: int
    held_out: int
    per_category: dict[str, int]
    """Category id → rows in the file."""
    sources: dict[str, int]
    """Source → rows in the file."""
    left_out: dict[str, int]
    """Reason for leaving rows out → number of rows."""
    bytes: int
    settlers: dict[str, dict[str, int]] = {}  # noqa: RUF012 - pydantic copies it
    """Person → category id → rows of the file that this person settled; nobody settled imported rows."""
    aside: dict[str, int] = {}  # noqa: RUF012 - pydantic copies it
    """Person → rows that are set aside until an admin looks (`shares.py`)."""


class Export(Thing):
    """A training file and its manifest. The same rows and prompt always give the same bytes."""

    manifest: Manifest
    packed: bytes
    """The file, compressed: its lines repeat the prompt, so it takes a twentieth of the memory."""
    texts: dict[str, str]
    """Row id → question, for the rows of the file, in file order."""
    erasures: str | None = None
    """The position of ERASED_CURSOR when the rows were read."""

    @property
    def data(self) -> bytes:
        """The whole file."""
        return zlib.decompress(self.packed)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the file, without line feeds."""
        return lines_of(self.packed)


def lines_of(packed: bytes) -> Iterator[bytes]:
    """Yield the lines of a compressed file, of which at most `CHUNK_BYTES` and a line are unpacked at once."""
    unpacking, begun = zlib.decompressobj(), b""
    while packed:
        *whole, begun = (begun + unpacking.decompress(packed, CHUNK_BYTES)).split(b"\n")
        yield from whole
        packed = unpacking.unconsumed_tail
    yield from filter(None, (begun + unpacking.flush()).split(b"\n"))


SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|endofprompt|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|im_start|>",
    "<|im_end|>",
)
"""Special tokens. A paid job fails if any text of its file contains one."""


def example(prompt: Prompt, row: Row, category: Category) -> str:
    """Return one line of OpenAI's chat fine-tuning format, without line feed: Japanese unescaped, reason first."""
    answer = _json(answer_of(row, prompt, category))
    return _line(
        [
            _system_message(prompt.text),
            _message(role="user", content=row.text),
            _message(role="assistant", content=answer),
        ]
    )


@lru_cache(8)
def _system_message(text: str) -> str:
    """Return the message that is long and the same in each line."""
    return _message(role="system", content=text)


def _message(**fields: object) -> str:
    # Some readers of JSON Lines take U+2028, U+2029 and U+0085 for line ends. Escaped, they are safe.
    line = _json(fields)
    return line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def _line(messages: Sequence[str]) -> str:
    return f'{{"messages": [{", ".join(messages)}]}}'


def answer_of(row: Row, prompt: Prompt, category: Category) -> dict[str, str]:
    """Return the answer that a model is taught for a row, reason first."""
    return {"reason": row.reason or neutral_reason(prompt.language, category), "category": category.name}


def questions_of(lines: Iterable[bytes]) -> list[str]:
    """Return the questions of a training file's lines, in file order."""
    return [json.loads(line)["messages"][-2]["content"] for line in lines if line.strip()]


def open_questions(questions: Iterable[Question]) -> list[str]:
    """Return the texts of the open questions that the embedded model may be trained on without an answer.

    What only its asker has read, or what others have not agreed to, is left out. So is what would be held out once it
    is settled: no training sees it at any time.
    """
    found = [
        question.text
        for question in questions
        if question.audience in {Audience.PUBLIC, Audience.PRIVATE}
        and not question.withheld
        and question.text.strip()
        and split_of(group_of(question.text)) is Split.TRAIN
        and not any(token in question.text for token in SPECIAL_TOKENS)
    ]
    return list({group_of(text): text for text in found}.values())


def unanswered_lines(texts: Iterable[str]) -> bytes:
    """Return lines of a training file that teach no answer, because its weight is 0."""
    answer = _message(role="assistant", content="", weight=0)
    return "".join(_line([_message(role="user", content=text), answer]) + "\n" for text in texts).encode()


def neutral_reason(language: str, category: Category) -> str:
    """Return a reason that fits any row of the category: its rule, else a sentence with its name."""
    if category.rule.strip():
        return " ".join(category.rule.split())
    return f"{category.name}に関する質問です。" if language == "ja" else f"This is a question for {category.name}."


SET_ASIDE = "set_aside"
"""Why rows are left out: one person settled too many of all, or too many at once (`shares.py`)."""
PRIVATE = "private"
"""Key in `Manifest.left_out` of the rows that not everybody may read."""
