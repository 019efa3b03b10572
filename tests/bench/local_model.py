"""How well the embedded model learns from corrections: `python -m tests.bench.local_model FILE [FILE ...]`.

FILE is JSONL with `text` and `category`. The prompt gets the names and three examples a category; 600 other questions
are the test; the rest is asked one after the other, wrong answers are corrected and a fifth of the right ones agreed
to, and each time that enough rows have come together, a job trains on all of them and its model serves from then on.
"""

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
EXAMPLES, TESTED, AGREED = 3, 600, 0.2
STAGES = (100, 200, 400, 800)


@dataclass
class Bench:
    """One file, dealt into prompt, test and stream."""

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
            if len(shown[label]) < EXAMPLES:
                shown[label].append(text)
            else:
                left.append((text, label))
        sections = [f"## {label}\n\n" + "\n".join(f"- {text}" for text in shown[label]) for label in self.labels]
        self.prompt = "\n\n".join(["Choose the category of the question. Answer in JSON.", *sections])
        self.tested, self.stream = left[:TESTED], left[TESTED:]

    async def probabilities(self, text: str) -> list[float]:
        """Ask for the probability of each label, with the same prompt and format as the bot."""
        messages: Any = [{"role": "system", "content": self.prompt}, {"role": "user", "content": text}]
        wanted: Any = answer_format(self.labels)
        started = time.perf_counter()
        completion = await self.client.chat.completions.create(
            model=self.model, messages=messages, response_format=wanted, logprobs=True, top_logprobs=20
        )
        self.times.append(time.perf_counter() - started)
        choice = completion.choices[0]
        label = json.loads(choice.message.content or "")["category"]
        tokens = choice.logprobs.content if choice.logprobs else None
        sure = float(np.exp(sum(token.logprob for token in tokens or [])))
        rest = (1 - sure) / max(len(self.labels) - 1, 1)
        return [sure if one == label else rest for one in self.labels]

    async def row_of_table(self, name: str, seconds: float) -> str:
        """Test the serving model."""
        self.times.clear()
        found = np.array([await self.probabilities(text) for text, _ in self.tested])
        truth = np.array([self.labels.index(label) for _, label in self.tested])
        right, sure = found.argmax(axis=1) == truth, found.max(axis=1)
        bins = np.minimum((sure * 10).astype(int), 9)
        ece = sum(abs(sure[bins == one].mean() - right[bins == one].mean()) * (bins == one).mean() for one in set(bins))
        middle = statistics.median(self.times) * 1000
        return f"| {name} | {right.mean():.3f} | {ece:.3f} | {middle:.1f} | {seconds:.1f} |"

    async def run(self) -> None:
        """Print the table."""
        lines = ["| rows | accuracy | ECE | p50 ms | training s |", "|---|---|---|---|---|"]
        lines.append(await self.row_of_table("base", 0))
        dice, rows, stages = random.Random(self.seed), list[Row](), list(STAGES)
        for number, (text, label) in enumerate(self.stream, start=1):
            found = await self.probabilities(text)
            if self.labels[int(np.argmax(found))] != label or dice.random() < AGREED:
                rows.append((text, label))
            last = number == len(self.stream)
            if last or (stages and len(rows) == stages[0]):
                stages = stages[1:]
                started = time.perf_counter()
                job = await trained(self.client, jsonl(rows, self.prompt))
                self.model = str(job.fine_tuned_model)
                lines.append(await self.row_of_table(f"{len(rows)} of {number} asked", time.perf_counter() - started))
        sys.stdout.write("\n".join([*lines, ""]))


async def main(files: Sequence[Path]) -> None:
    """Run each file on a shelf of its own."""
    for file in files:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        with tempfile.TemporaryDirectory() as folder:
            async with LocalModel(FolderShelf(folder)) as model, client_of(model) as client:
                sys.stdout.write(f"\n{file.name}\n")
                await Bench(client, [(row["text"], row["category"]) for row in rows]).run()


if __name__ == "__main__":
    asyncio.run(main([Path(name) for name in sys.argv[1:]]))
