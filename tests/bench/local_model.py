"""The learning curve of the embedded model: `python -m tests.bench.local_model FILE [FILE ...]`.

FILE is JSON Lines with `text` and `category`. The prompt gets each category's name and three examples. 600 other
questions are the test set. The rest are asked one after the other: every wrong answer is corrected and one right answer
in five is confirmed, and each such question becomes a row. At 100, 200, 400 and 800 rows, and at the end, a job trains
on all rows, and its model answers from then on.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from openai import AsyncOpenAI

from bot.embedded import FolderShelf, LocalModel
from tests.bot.embedded.kit import answer_format, client_of, jsonl, trained

Row = tuple[str, str]
EXAMPLES_PER_CATEGORY = 3
TEST_QUESTIONS = 600
SHARE_CONFIRMED = 0.2
TRAIN_AT = (100, 200, 400, 800)
"""Counts of rows at which a job is started."""


@dataclass
class Bench:
    """One file, split into the prompt's examples, the test set, and the questions to ask."""

    client: AsyncOpenAI
    rows: Sequence[Row]
    seed: int = 0
    prompt: str = ""
    model: str = "base"
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = list(self.rows)
        random.Random(self.seed).shuffle(rows)
        self.labels = sorted({label for _, label in rows})
        shown: dict[str, list[str]] = defaultdict(list)
        left = []
        for text, label in rows:
            if len(shown[label]) < EXAMPLES_PER_CATEGORY:
                shown[label].append(text)
            else:
                left.append((text, label))
        sections = [f"## {label}\n\n" + "\n".join(f"- {text}" for text in shown[label]) for label in self.labels]
        self.prompt = "\n\n".join(["Choose the category of the question. Answer in JSON.", *sections])
        self.test_set, self.stream = left[:TEST_QUESTIONS], left[TEST_QUESTIONS:]

    async def probabilities(self, text: str) -> list[float]:
        """Return the model's probability of each label. The prompt and the format are the bot's.

        The answer has only its own label's probability; the other labels share the rest equally.
        """
        messages: Any = [{"role": "system", "content": self.prompt}, {"role": "user", "content": text}]
        response_format: Any = answer_format(self.labels)
        started = time.perf_counter()
        completion = await self.client.chat.completions.create(
            model=self.model, messages=messages, response_format=response_format, logprobs=True, top_logprobs=20
        )
        self.times.append(time.perf_counter() - started)
        choice = completion.choices[0]
        label = json.loads(choice.message.content or "")["category"]
        tokens = choice.logprobs.content if choice.logprobs else None
        confidence = float(np.exp(sum(token.logprob for token in tokens or [])))
        rest = (1 - confidence) / max(len(self.labels) - 1, 1)
        return [confidence if one == label else rest for one in self.labels]

    async def measure(self, name: str, training_seconds: float) -> str:
        """Run the test set on the current model and return the line of the table."""
        self.times.clear()
        found = np.array([await self.probabilities(text) for text, _ in self.test_set])
        truth = np.array([self.labels.index(label) for _, label in self.test_set])
        right, confidence = found.argmax(axis=1) == truth, found.max(axis=1)
        bins = np.minimum((confidence * 10).astype(int), 9)
        # The expected calibration error: the gap between confidence and accuracy in ten bins, weighted by their size.
        ece = sum(
            abs(confidence[bins == one].mean() - right[bins == one].mean()) * (bins == one).mean() for one in set(bins)
        )
        median = statistics.median(self.times) * 1000
        return f"| {name} | {right.mean():.3f} | {ece:.3f} | {median:.1f} | {training_seconds:.1f} |"

    async def run(self) -> None:
        """Print the table."""
        lines = ["| rows | accuracy | ECE | p50 ms | training s |", "|---|---|---|---|---|"]
        lines.append(await self.measure("base", 0))
        rng, rows, train_at = random.Random(self.seed), list[Row](), list(TRAIN_AT)
        for number, (text, label) in enumerate(self.stream, start=1):
            found = await self.probabilities(text)
            if self.labels[int(np.argmax(found))] != label or rng.random() < SHARE_CONFIRMED:
                rows.append((text, label))
            last = number == len(self.stream)
            if last or (train_at and len(rows) == train_at[0]):
                train_at = train_at[1:]
                started = time.perf_counter()
                job = await trained(self.client, jsonl(rows, self.prompt))
                self.model = str(job.fine_tuned_model)
                lines.append(await self.measure(f"{len(rows)} of {number} asked", time.perf_counter() - started))
        sys.stdout.write("\n".join([*lines, ""]))


async def main(files: Sequence[Path]) -> None:
    """Run each file with a new model."""
    for file in files:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        with tempfile.TemporaryDirectory() as folder:
            async with LocalModel(FolderShelf(folder)) as model, client_of(model) as client:
                sys.stdout.write(f"\n{file.name}\n")
                await Bench(client, [(row["text"], row["category"]) for row in rows]).run()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.local_model", description=__doc__)
    arguments.add_argument("files", nargs="+", type=Path, metavar="FILE")
    asyncio.run(main(arguments.parse_args().files))
