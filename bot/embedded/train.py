"""The worker of one fine-tuning job, in its own process so that training never delays answers.

`python -m bot.embedded.train FOLDER` reads job.json and training.jsonl, and validation.jsonl and parent.npz if they
exist. The worker checks the files, waits for a line on standard input, trains, and writes model.npz. It reports each
step as one line of JSON on standard output. The worker exits when standard input closes: its parent process is gone.
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
from bot.embedded.rows import InvalidFileError, TrainingExample, examples_of, labelled_rows, most_common_system
from bot.embedded.trained import TrainedModel, from_bytes, to_bytes


def _report(kind: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **fields}) + "\n")  # ASCII, which any locale can write
    sys.stdout.flush()


def _wait_for_go() -> None:
    if not sys.stdin.readline():
        sys.exit(1)

    def exit_when_stdin_closes() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=exit_when_stdin_closes, daemon=True).start()


def _read(folder: Path, name: str) -> list[TrainingExample]:
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    try:
        return examples_of(path.read_bytes())
    except InvalidFileError as error:
        _report(
            "invalid",
            code=f"invalid_{name}_file",
            param=f"{name}_file",
            message=f"The job failed due to an invalid {name} file. {error}",
        )
        sys.exit(0)


def _resolve_hyperparameters(job: dict[str, Any], rows: int) -> tuple[dict[str, float], float]:
    """Return the hyperparameters with numbers for "auto", and the job's strength relative to the default.

    The automatic number of epochs is OpenAI's: 3, and up to 25 for small files. The solver always runs to its end.
    More epochs or a higher rate let the weights move further from zero instead, which is their effect elsewhere.
    """
    default_epochs = min(25, max(3, -(-100 // max(rows, 1))))
    epochs = default_epochs if job["n_epochs"] == "auto" else job["n_epochs"]
    rate = 1.0 if job["learning_rate_multiplier"] == "auto" else job["learning_rate_multiplier"]
    batch = max(1, rows // 500) if job["batch_size"] == "auto" else job["batch_size"]
    return {"n_epochs": epochs, "batch_size": batch, "learning_rate_multiplier": rate}, rate * epochs / default_epochs


def _learn(
    folder: Path,
    job: dict[str, Any],
    examples: list[TrainingExample],
    validation: list[TrainingExample],
    strength: float,
) -> None:
    from bot.embedded import learner, linear

    parent = folder / "parent.npz"
    task = learner.TrainingTask(
        rows=labelled_rows(examples),
        prompt=most_common_system(examples),
        parent=from_bytes(parent.read_bytes(), job["encoder"]) if parent.exists() else TrainedModel(),
        encoder=load(job["encoder"]),
        seed=job["seed"],
        strength=strength,
    )

    def report_fold(fold: int, folds: int, score: "learner.Score") -> None:
        _report(
            "fold",
            fold=fold,
            folds=folds,
            percent=round(100 * fold / (folds + 1)),
            loss=score.loss,
            accuracy=score.accuracy,
        )

    model, score = learner.learn(task, report_fold)
    metrics = {"train_loss": score.loss, "train_mean_token_accuracy": score.accuracy}
    if validation:
        labels = learner.labels_of(task)
        rows = [(text, label) for text, label in labelled_rows(validation) if label in labels]
        if rows:
            prompt_model = linear.from_prompt(task.prompt, labels, task.encoder)
            priors = linear.softmax(prompt_model.all_logits([text for text, _ in rows]))
            answers = [model.probabilities(one, labels, text) for one, (text, _) in zip(priors, rows, strict=True)]
            valid = learner.score(np.array(answers), np.array([labels.index(label) for _, label in rows]))
            metrics |= {"valid_loss": valid.loss, "valid_mean_token_accuracy": valid.accuracy}
    (folder / "model.npz").write_bytes(to_bytes(model, job["encoder"]))
    _report("done", metrics=metrics)


def main(folder: Path) -> None:
    """Run the job in the folder."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    examples, validation = _read(folder, "training"), _read(folder, "validation")
    rows = labelled_rows(examples)
    token_count = sum(tokens.count_messages([one.system, one.question, one.answer]) for one in examples)
    hyperparameters, strength = _resolve_hyperparameters(job, len(rows))
    labels = len({label for _, label in rows})
    _report(
        "valid",
        rows=len(rows),
        labels=labels,
        tokens=token_count,
        held=len(validation),
        hyperparameters=hyperparameters,
    )
    _wait_for_go()
    _learn(folder, job, examples, validation, strength)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
