"""Learning curves of the embedded model and its alternatives: `python -m tests.bench learning [FILE ...]`.

A FILE is split as `python -m bot replay` splits it. Rows are drawn at random from the questions that replay asks, and
all learners get the same draws. The prompt's examples are rows of the others, so that they know as much as our model.
Accuracy, macro-F1 and calibration error are means over the draws. `ahead` is the difference of the accuracies in
points, with the 95% interval of the paired difference by question.
"""

import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.app.replay.script import Script
from bot.domain.scorecard import BINS, Z, wilson
from tests.bench.disturbing import language_of
from tests.bench.learners.contestants import CONTESTANTS, Answer
from tests.bench.learners.environments import run
from tests.bench.out_of_scope import print_line
from tests.bench.robustness import read_script

SIZES = (0, 50, 100, 200, 400, 800, 1_600)
OURS = "embedded"


def task_of(full: Script, size: int, draws: int) -> dict[str, Any]:
    """Return the task of a contestant: what it trains on, and what it is asked."""
    names = {category.id: category.name for category in full.prompt.categories}
    rows = [(record.text, names[record.category]) for record in full.stream]
    questions = [one.text for one in full.test]
    return {
        "prompt": full.prompt.text,
        "labels": list(names.values()),
        "examples": [(text, category.name) for category in full.prompt.categories for text in category.examples],
        "draws": [random.Random(seed).sample(rows, size) for seed in range(draws if 0 < size < len(rows) else 1)],
        "questions": questions,
        "japanese": sum(language_of(text) == "ja" for text in questions) * 2 > len(questions),
    }


def macro_f1(truth: Sequence[str], answered: Sequence[str]) -> float:
    """Return the mean F1 of the labels that are right answers to at least one question."""

    def f1(label: str) -> float:
        both = sum(one == other == label for one, other in zip(truth, answered, strict=True))
        return 2 * both / (truth.count(label) + answered.count(label))

    return statistics.fmean(f1(label) for label in set(truth))


def calibration_error(right: Sequence[bool], confidence: Sequence[float]) -> float:
    """Return the expected calibration error of ten bins."""
    bins: dict[int, list[float]] = {}
    for one, sure in zip(right, confidence, strict=True):
        bins.setdefault(min(int(sure * BINS), BINS - 1), []).append(sure - one)
    return sum(abs(sum(gaps)) for gaps in bins.values()) / len(right)


def shares_right(truth: Sequence[str], draws: Sequence[Sequence[Answer]]) -> list[float]:
    """Return for each question the share of draws in which it was answered right."""
    return [
        statistics.fmean(label == own for label, _ in answers)
        for own, answers in zip(truth, zip(*draws, strict=True), strict=True)
    ]


def ahead(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return by how many points we are ahead, with an interval, and what that means."""
    gaps = [one - other for one, other in zip(ours, theirs, strict=True)]
    mean, half = 100 * statistics.fmean(gaps), 100 * Z * statistics.stdev(gaps) / len(gaps) ** 0.5
    verdict = "ahead" if mean > half else "**behind**" if mean < -half else "equal"
    return f"{mean:+.1f} ± {half:.1f}, {verdict}"


def line(name: str, size: int, result: dict[str, Any], truth: Sequence[str], ours: Sequence[float]) -> str:
    """Return a line of the table."""
    draws, shares = result["answers"], shares_right(truth, result["answers"])
    accuracy = statistics.fmean(shares)
    low, high = wilson(round(accuracy * len(truth)), len(truth))
    f1 = statistics.fmean(macro_f1(truth, [label for label, _ in draw]) for draw in draws)
    ece = statistics.fmean(
        calibration_error(
            [label == own for (label, _), own in zip(draw, truth, strict=True)], [sure for _, sure in draw]
        )
        for draw in draws
    )
    compared = "" if name == OURS else ahead(ours, shares)
    cost = f"{result['asking_ms']:.1f} | {result['training_s']:.1f} | {result['megabytes']:.0f}"
    return (
        f"| {size} | {name} | {accuracy:.1%} | {low:.1%} to {high:.1%} | {compared} | {f1:.2f} | {ece:.2f} | {cost} |"
    )


def measure(file: Path, draws: int) -> None:
    """Print the table of a file."""
    full = read_script(file)
    names = {category.id: category.name for category in full.prompt.categories}
    truth = [names[one.category] for one in full.test]
    print_line(f"\n{file.name}: {len(full.stream)} rows to draw from, {len(truth)} questions measured, {draws} draws\n")
    print_line("| rows | learner | right | 95% interval | we are ahead by | macro-F1 | ECE | ms | s | MB |")
    print_line("|---:|---|---:|---|---|---:|---:|---:|---:|---:|")
    sizes = [size for size in SIZES if size < len(full.stream)]
    for size in [*sizes, len(full.stream)] if len(sizes) < len(SIZES) else sizes:
        task, ours = task_of(full, size, draws), list[float]()
        for name in CONTESTANTS:
            if result := run(name, task):
                ours = shares_right(truth, result["answers"]) if name == OURS else ours
                print_line(line(name, size, result, truth, ours))
