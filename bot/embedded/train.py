"""The worker of one fine-tuning job: a process of its own, so that answering never waits for learning.

`python -m bot.embedded.train FOLDER` reads job.json, training.jsonl and, where given, validation.jsonl, parent.npz;
checks the files, waits for a line on standard input, learns, and writes model.npz. It reports in JSON, one line a step.
When standard input ends, whoever ordered the job is gone, and the worker ends too.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from bot.embedded import tokens
from bot.embedded.encoders import load
from bot.embedded.rows import InvalidFileError, TrainingExample, examples_of, labelled, usual_system
from bot.embedded.trained import Trained, from_bytes, to_bytes


def _tell(kind: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _wait_for_go() -> None:
    if not sys.stdin.readline():
        sys.exit(1)

    def leave_when_alone() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=leave_when_alone, daemon=True).start()


def _read(folder: Path, name: str) -> list[TrainingExample]:
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    try:
        return examples_of(path.read_bytes())
    except InvalidFileError as wrong:
        _tell(
            "invalid",
            code=f"invalid_{name}_file",
            param=f"{name}_file",
            message=f"The job failed due to an invalid {name} file. {wrong}",
        )
        sys.exit(0)


def _resolved(job: dict[str, Any], rows: int) -> tuple[dict[str, float], float]:
    """Return the hyperparameters with numbers for "auto", and how much stronger than usual the job learns.

    The automatic number of epochs is OpenAI's: 3, more for small files up to 25. The solver here runs to its end in any
    case: more epochs or a higher rate let the weights go further from zero, which is what they do elsewhere.
    """
    usual = min(25, max(3, -(-100 // max(rows, 1))))
    epochs = usual if job["n_epochs"] == "auto" else job["n_epochs"]
    rate = 1.0 if job["learning_rate_multiplier"] == "auto" else job["learning_rate_multiplier"]
    batch = max(1, rows // 500) if job["batch_size"] == "auto" else job["batch_size"]
    return {"n_epochs": epochs, "batch_size": batch, "learning_rate_multiplier": rate}, rate * epochs / usual


def _learn(
    folder: Path, job: dict[str, Any], examples: list[TrainingExample], held: list[TrainingExample], strength: float
) -> None:
    from bot.embedded import learner, linear

    parent = folder / "parent.npz"
    lesson = learner.Lesson(
        rows=labelled(examples),
        prompt=usual_system(examples),
        parent=from_bytes(parent.read_bytes(), job["encoder"]) if parent.exists() else Trained(),
        encoder=load(job["encoder"]),
        seed=job["seed"],
        strength=strength,
    )

    def folded(fold: int, folds: int, score: "learner.Score") -> None:
        _tell(
            "fold",
            fold=fold,
            folds=folds,
            percent=round(100 * fold / (folds + 1)),
            loss=score.loss,
            accuracy=score.accuracy,
        )

    model, score = learner.learn(lesson, folded)
    metrics = {"train_loss": score.loss, "train_mean_token_accuracy": score.accuracy}
    if held:
        labels = learner.labels_of(lesson)
        rows = [(text, label) for text, label in labelled(held) if label in labels]
        if rows:
            said = linear.from_prompt(lesson.prompt, labels, lesson.encoder)
            priors = linear.softmax(said.all_logits([text for text, _ in rows]))
            answers = [model.probabilities(one, labels, text) for one, (text, _) in zip(priors, rows, strict=True)]
            valid = learner.score(np.array(answers), np.array([labels.index(label) for _, label in rows]))
            metrics |= {"valid_loss": valid.loss, "valid_mean_token_accuracy": valid.accuracy}
    (folder / "model.npz").write_bytes(to_bytes(model, job["encoder"]))
    _tell("done", metrics=metrics)


def main(folder: Path) -> None:
    """Run the job that lies in the folder."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    examples, held = _read(folder, "training"), _read(folder, "validation")
    rows = labelled(examples)
    counted = sum(tokens.of_messages([one.system, one.question, one.answer]) for one in examples)
    hyper, strength = _resolved(job, len(rows))
    labels = len({label for _, label in rows})
    _tell("valid", rows=len(rows), labels=labels, tokens=counted, held=len(held), hyperparameters=hyper)
    _wait_for_go()
    _learn(folder, job, examples, held, strength)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
