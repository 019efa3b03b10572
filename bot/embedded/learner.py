"""Training of a layer from rows: logistic regression, blended with prior knowledge, and calibrated last."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, SGDClassifier
from threadpoolctl import threadpool_limits

from bot.embedded.encoders import Encoder
from bot.embedded.features import Floats, Vocabulary, casefolded
from bot.embedded.linear import LinearModel, documents_of, from_prompt, softmax
from bot.embedded.prompt import guess_labels
from bot.embedded.trained import PRIOR_ROWS, Layer, TrainedModel, apply_temperature, blend, flatten_prior

Indices = NDArray[np.intp]
LabelledText = tuple[str, str]
"""A question and its label."""

SGD_THRESHOLD = 20_000
"""Number of rows from which stochastic gradient descent replaces the exact solver."""

FOLDS = 5
_DEFAULT_TEMPERATURE = 0.5  # measured: blended probabilities are underconfident by about this factor, in both languages
_ROWS_FOR_TEMPERATURE = 50


@dataclass(frozen=True)
class TrainingTask:
    """The input of one training run.

    `strength` scales how far the weights may move from zero; 1 gave the best measured results.
    """

    rows: Sequence[LabelledText]
    prompt: str = ""
    parent: TrainedModel = field(default_factory=TrainedModel)
    encoder: Encoder | None = None
    seed: int = 0
    strength: float = 1.0


@dataclass(frozen=True)
class Score:
    """Quality of probabilities: mean negative log-likelihood, and share of right answers from 0 to 1."""

    loss: float
    accuracy: float


def score(probabilities: Floats, truth: Indices) -> Score:
    """Score probabilities, one row per question, against the column of each true label."""
    chosen = np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)
    return Score(float(-np.log(chosen).mean()), float((probabilities.argmax(axis=1) == truth).mean()))


def labels_of(task: TrainingTask) -> tuple[str, ...]:
    """Return the labels of the rows, of the parent and of the prompt.

    Labels of the prompt count only if they include at least half of the rows' labels; else they are of another kind.
    """
    own = sorted({label for _, label in task.rows})
    named = guess_labels(task.prompt)
    more = named if 2 * len(set(own) & set(named)) >= len(own) else []
    return tuple(dict.fromkeys([*own, *task.parent.labels, *more]))


def folds_of(rows: Sequence[LabelledText], seed: int, folds: int) -> list[int]:
    """Assign rows to folds, with labels spread evenly and equal questions together; the seed decides the rest."""

    def shuffle_key(text: str) -> str:
        return hashlib.sha256(f"{seed} {text}".encode()).hexdigest()

    keys = [" ".join(casefolded(text).split()) for text, _ in rows]
    fold_numbers: dict[str, int] = {}
    for at in sorted(range(len(rows)), key=lambda at: (rows[at][1], shuffle_key(keys[at]))):
        fold_numbers.setdefault(keys[at], len(fold_numbers) % folds)
    return [fold_numbers[key] for key in keys]


def _fit(matrix: csr_matrix, truth: Indices, task: TrainingTask) -> tuple[Floats, Floats, list[int]]:
    """Return weights (features by classes), biases, and the classes that occur in `truth`."""
    classes = sorted(set(truth.tolist()))
    if len(classes) == 1:
        return np.zeros((matrix.shape[1], 1), np.float32), np.zeros(1, np.float32), classes
    if matrix.shape[0] < SGD_THRESHOLD:
        fitted = LogisticRegression(C=30 * task.strength, max_iter=300, tol=1e-4)
    else:
        fitted = SGDClassifier(
            loss="log_loss",
            alpha=1e-5 / task.strength,
            max_iter=8,
            tol=None,
            average=True,
            random_state=task.seed % 2**32,
        )
    fitted.fit(matrix, truth)
    weights, bias = fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)
    if len(classes) == 2:
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias, classes


class _TrainingSet:
    """The features, true labels and prior probabilities of all rows, computed once for all folds."""

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        self.labels = labels_of(task)
        documents = documents_of(task.prompt, self.labels) if task.prompt else []
        texts = [text for text, _ in [*task.rows, *documents]]
        self.vocabulary = Vocabulary.of(texts, task.encoder)
        self.matrix = self.vocabulary.matrix(texts)
        self.truth = np.array([self.labels.index(label) for _, label in [*task.rows, *documents]])
        self.documents = np.arange(len(task.rows), len(texts))
        questions = [text for text, _ in task.rows]
        prompt_only = softmax(from_prompt(task.prompt, self.labels, task.encoder).all_logits(questions))
        parent, pairs = task.parent, zip(prompt_only, questions, strict=True)
        raw = (
            [parent.raw_probabilities(prior, self.labels, text) for prior, text in pairs]
            if parent.layers
            else flatten_prior(prompt_only)
        )
        self.prior = np.array(raw)

    def layer(self, chosen: Indices) -> Layer:
        """Train a layer on the chosen rows and all texts of the prompt."""
        used = np.concatenate([chosen, self.documents])
        weights, bias, classes = _fit(self.matrix[used], self.truth[used], self.task)
        row_counts = Counter(self.truth[chosen].tolist())
        linear = LinearModel(tuple(self.labels[at] for at in classes), self.vocabulary, weights, bias)
        return Layer(linear, tuple(row_counts[at] for at in classes))

    def predict(self, layer: Layer, held_out: Indices) -> Floats:
        """Return the probabilities of rows before calibration, as `TrainedModel.raw_probabilities` would."""
        columns = [self.labels.index(label) for label in layer.linear.labels]
        predicted = np.zeros((len(held_out), len(self.labels)), dtype=np.float32)
        predicted[:, columns] = softmax(self.matrix[held_out] @ layer.linear.weights + layer.linear.bias)
        rows = np.zeros(len(self.labels), dtype=np.float32)
        rows[columns] = layer.rows
        seen = PRIOR_ROWS + self.task.parent.rows_of(self.labels)
        return blend(self.prior[held_out], predicted, seen, rows)


def temperature_for(probabilities: Floats, truth: Indices) -> float:
    """Return the temperature, from 0.1 to 3, under which the true labels are most likely.

    One imaginary wrong row is added, so that a few right answers do not make the model certain. With few rows, the
    result stays near the default temperature. Corrected rows are harder than ordinary questions, so a fit on few of
    them is underconfident.
    """
    doubt = 1 / (len(truth) + 1)

    def loss(temperature: float) -> float:
        adjusted = apply_temperature(probabilities, temperature)
        return (1 - doubt) * score(adjusted, truth).loss - doubt * float(np.log(np.maximum(adjusted, 1e-12)).mean())

    fitted = float(min(np.geomspace(0.1, 3, 69), key=loss))
    weight = len(truth) / (len(truth) + _ROWS_FOR_TEMPERATURE)
    return float(fitted**weight * _DEFAULT_TEMPERATURE ** (1 - weight))


def learn(task: TrainingTask, on_fold: Callable[[int, int, Score], None]) -> tuple[TrainedModel, Score]:
    """Train on one thread, so that the same task always gives the same model.

    Args:
        task: The rows and settings to train with.
        on_fold: Called after each fold with the fold's number, the number of folds, and the score on held-out rows.

    Returns:
        The parent with one more layer, and the calibrated out-of-fold score of all rows.
    """
    with threadpool_limits(limits=1):
        training_set = _TrainingSet(task)
        folds = FOLDS if len(task.rows) < SGD_THRESHOLD else 3
        fold_numbers = np.array(folds_of(task.rows, task.seed, folds))
        out_of_fold = training_set.prior.copy()
        for fold in range(folds):
            held_out, chosen = np.flatnonzero(fold_numbers == fold), np.flatnonzero(fold_numbers != fold)
            if len(held_out) and len(chosen):
                out_of_fold[held_out] = training_set.predict(training_set.layer(chosen), held_out)
                on_fold(fold + 1, folds, score(out_of_fold[held_out], training_set.truth[held_out]))
        truth = training_set.truth[: len(task.rows)]
        temperature = temperature_for(out_of_fold, truth)
        layer = training_set.layer(np.arange(len(task.rows)))
    model = TrainedModel((*task.parent.layers, layer), temperature, task.encoder)
    return model, score(apply_temperature(out_of_fold, temperature), truth)
