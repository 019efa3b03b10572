"""The plan of a replay, and the questions of a labelled file in their order."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field, ValidationError

from bot.dataset.importing import category_of
from bot.dataset.reading import read
from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source, group_of, split_of
from bot.domain.faults import Fault, Problem, Unable, problems_of
from bot.domain.labelled import Labelled, ReadingOptions
from bot.domain.prompt import Category, Prompt
from bot.domain.thing import Thing
from bot.similarity.index import Index


class Plan(Thing):
    """The options of a replay."""

    every: int = Field(default=100, ge=1)
    """Number of new corrections, agreements included, after which a fine-tune is made."""
    agree: float = Field(default=0.2, ge=0, le=1)
    """Share of the right answers that staff agree to, 0..1; staff leave the others alone."""
    test: int | None = Field(default=None, ge=1)
    """Number of questions at the end of the file that are measured on and never asked; default a third, at most 500."""
    examples: int = Field(default=3, ge=0)
    """Example questions per category in a made prompt; they are neither asked nor measured on."""
    other: str | None = None
    """Name of the category that becomes the catch-all of a made prompt."""
    seed: int = 7
    seeds: int = Field(default=1, ge=1)
    """Number of runs of each order, with `queue`.

    With two or more, each run has its own seed and its own order of questions, and ends at 90% of the full accuracy.
    """
    order: Literal["file", "random", "queue"] = "file"
    """Order in which staff settle questions.

    With `file`, staff react to each question as it is asked. With `random` and `queue`, staff pick from many answered
    questions: at random, or in the order of `/finetune review`. They settle each picked question, right or wrong.
    """
    recall: int | None = Field(default=None, ge=0)
    """Number of examples to serve with from the start. If set, nothing is fine-tuned, only measured."""


class UnusableFile(Unable):
    """A file that cannot be replayed."""


@dataclass
class Script:
    """The input of a replay: the prompt, the questions in their order, and the rows that are only measured on."""

    prompt: Prompt
    stream: list[Labelled]
    test: list[Row]
    near: int
    """Number of questions left out of `test`, because a near-duplicate is asked or is in the prompt."""


def script(data: bytes, plan: Plan, configured: Prompt, options: ReadingOptions | None = None) -> Script:
    """Read a file and split it. The configured prompt is used if it has all categories of the file.

    Args:
        data: The file.
        plan: The options of the replay.
        configured: The prompt of the settings.
        options: What a person says about the file.

    Raises:
        UnusableFile: Nothing is readable, there is only one category, or there are too few questions.
    """
    records = [record for record in read(data, options) if isinstance(record, Labelled)]
    if not records:
        raise UnusableFile(Problem(what=Fault.NOTHING_READ))
    unique = list({group_of(record.text): record for record in records}.values())
    names = list(dict.fromkeys(record.category for record in unique))
    if len(names) < 2:
        raise UnusableFile(Problem(what=Fault.ONE_CATEGORY))
    known = {name: category.id for name in names if (category := category_of(name, configured))}
    if len(known) == len(names):
        prompt, used = configured, set[str]()
        unique = [record.model_copy(update={"category": known[record.category]}) for record in unique]
    else:
        prompt, used = make_prompt(unique, names, plan)
        unique = [record.model_copy(update={"category": category_id(record.category)}) for record in unique]
    rest = [record for record in unique if record.text not in used]
    test = min(500, len(rest) // 3) if plan.test is None else plan.test
    at = max(0, len(rest) - test)
    stream, last = rest[:at], rest[at:]
    measured = without_near_copies(last, [*(record.text for record in stream), *prompt.examples])
    if not measured or len(stream) < plan.every:
        facts = {"n": str(len(rest)), "test": str(len(measured)), "every": str(plan.every)}
        raise UnusableFile(Problem(what=Fault.FEW_QUESTIONS, facts=facts))
    return Script(prompt, stream, [_row(record) for record in measured], near=len(last) - len(measured))


def without_near_copies(records: Sequence[Labelled], known: Sequence[str]) -> list[Labelled]:
    """Return the records without a near-duplicate among these texts, so that no taught question is measured on."""
    index = Index()
    for text in known:
        index.slot(text)
    return [record for record in records if not index.near(record.text)]


def make_prompt(records: Sequence[Labelled], names: Sequence[str], plan: Plan) -> tuple[Prompt, set[str]]:
    """Return a prompt with these categories and a few examples of each, and the texts of the examples."""
    examples: dict[str, list[Labelled]] = defaultdict(list)
    for record in records:
        if len(examples[record.category]) < plan.examples:
            examples[record.category].append(record)
    other = plan.other or next(
        (n for n in names if re.search(r"other|out.?of.?scope|general|misc|その他|雑", n, re.IGNORECASE)), None
    )
    categories = [
        Category(
            id=category_id(name),
            name=name[:60],
            examples=tuple(record.text for record in examples[name]),
            other=name == other,
        )
        for name in names
    ]
    japanese = sum(bool(re.search(r"[ぁ-んァ-ヶ一-龠]", record.text)) for record in records) * 2 > len(records)
    if other not in names:
        categories.append(Category(id="other", name="その他" if japanese else "Other", other=True))
    task = "質問の担当を一つ選んでください。" if japanese else "Choose the one category that a question belongs to."
    try:
        prompt = Prompt(language="ja" if japanese else "en", template=task, categories=tuple(categories))
    except ValidationError as error:
        raise UnusableFile(*problems_of(error)) from None
    return prompt, {record.text for kept in examples.values() for record in kept}


def category_id(name: str) -> str:
    """Return the id of a category with this name in a made prompt."""
    return re.sub(r"[^\w.-]+", "_", name)[:64]


def _row(record: Labelled) -> Row:
    group = group_of(record.text)
    return Row(
        id=group,
        text=record.text,
        group=group,
        category=record.category,
        reason=None,
        split=split_of(group),
        source=Source.IMPORT,
        by="replay",
        settled_at=datetime.fromtimestamp(0, UTC),
        audience=Audience.PUBLIC,
    )
