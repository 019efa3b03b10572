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
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.embedded import tokens
from bot.embedded.encoders import Encoder, StoredEncoder, load
from bot.embedded.rows import (
    InvalidFileError,
    TrainingExample,
    examples_of,
    labelled_examples,
    labelled_rows,
    most_common_system,
    open_questions,
)
from bot.embedded.trained import TrainedModel, from_bytes, to_bytes

if TYPE_CHECKING:
    from bot.embedded.learner import Learned


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
    from bot.embedded.training_set import TrainingTask, labels_of

    parent, encoder = folder / "parent.npz", _encoder(folder, job)
    task = TrainingTask(
        rows=labelled_rows(examples),
        prompt=most_common_system(examples),
        parent=from_bytes(parent.read_bytes(), encoder) if parent.exists() else TrainedModel(),
        encoder=encoder,
        seed=job["seed"],
        strength=strength,
        open=open_questions(examples),
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

    learned = learner.learn(task, report_fold)
    model = learned.model
    metrics = {"train_loss": learned.score.loss, "train_mean_token_accuracy": learned.score.accuracy}
    if validation:
        labels = labels_of(task)
        rows = [(text, label) for text, label in labelled_rows(validation) if label in labels]
        if rows:
            prompt_model = linear.from_prompt(task.prompt, labels, task.encoder)
            texts = [text for text, _ in rows]
            answers = model.probabilities(linear.softmax(prompt_model.all_logits(texts)), labels, texts)
            valid = learner.score(answers, np.array([labels.index(label) for _, label in rows]))
            metrics |= {"valid_loss": valid.loss, "valid_mean_token_accuracy": valid.accuracy}
    (folder / "model.npz").write_bytes(to_bytes(model))
    lines = _out_of_fold_lines(learned, [example.line for example, _ in labelled_examples(examples)])
    (folder / "out_of_fold.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _report(
        "done",
        metrics=metrics,
        still_wrong=[task.rows[at][0] for at in learned.still_wrong.tolist()],
        trust=model.layers[-1].trust,
    )


def _out_of_fold_lines(learned: "Learned", lines: list[int]) -> list[str]:
    """Return one line of JSON per learned row: what a model answers that was not trained on the row's fold."""
    best = learned.out_of_fold.argmax(axis=1)
    return [
        json.dumps(
            {
                "line": lines[at],
                "fold": int(learned.folds[at]),
                "category": learned.labels[column],
                "confidence": round(float(learned.out_of_fold[at, column]), 4),
            },
            ensure_ascii=False,
        )
        for at, column in enumerate(best.tolist())
    ]


def _encoder(folder: Path, job: dict[str, Any]) -> Encoder | None:
    """Return the job's encoder: the vectors that the server has fetched, or else an installed package."""
    vectors = folder / "vectors.npz"
    if not vectors.exists():
        return load(job["encoder"])
    with np.load(vectors, allow_pickle=False) as arrays:
        texts = json.loads(arrays["texts"].tobytes().decode())
        return StoredEncoder(job["encoder"], dict(zip(texts, arrays["vectors"], strict=True)))


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
