"""Learns a layer from rows: logistic regression, mixed with what was known before, and calibrated last."""

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
from bot.embedded.features import Floats, Vocabulary, folded
from bot.embedded.linear import Linear, documents_of, from_prompt, softmax
from bot.embedded.prompt import labels_named_in
from bot.embedded.trained import TRUST, Layer, Trained, blended, humbled, tempered

Indices = NDArray[np.intp]
LabelledText = tuple[str, str]
"""A question and its label."""

MANY = 20_000
"""From so many rows on, stochastic gradient descent takes the place of the exact solver."""

FOLDS = 5
_USUAL_HEAT = 0.5  # measured: mixed probabilities are too modest by about this much, in both languages
_ROWS_FOR_HEAT = 50


@dataclass(frozen=True)
class Lesson:
    """What a job learns from; `strength` scales how far the weights may go from zero (1 is the measured best)."""

    rows: Sequence[LabelledText]
    prompt: str = ""
    parent: Trained = field(default_factory=Trained)
    encoder: Encoder | None = None
    seed: int = 0
    strength: float = 1.0


@dataclass(frozen=True)
class Score:
    """How good probabilities were on rows: mean negative log-likelihood and share of right answers."""

    loss: float
    accuracy: float


def score(probabilities: Floats, truth: Indices) -> Score:
    """Compare probabilities (a row a question) with the right columns."""
    chosen = np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)
    return Score(float(-np.log(chosen).mean()), float((probabilities.argmax(axis=1) == truth).mean()))


def labels_of(lesson: Lesson) -> tuple[str, ...]:
    """Return the labels of the rows, of the parent, and of the prompt where it clearly lists more of the same kind."""
    own = sorted({label for _, label in lesson.rows})
    named = labels_named_in(lesson.prompt)
    more = named if 2 * len(set(own) & set(named)) >= len(own) else []
    return tuple(dict.fromkeys([*own, *lesson.parent.labels, *more]))


def folds_of(rows: Sequence[LabelledText], seed: int, folds: int) -> list[int]:
    """Deal rows into folds, each label evenly and equal questions together; the same seed deals the same."""

    def shuffled(text: str) -> str:
        return hashlib.sha256(f"{seed} {text}".encode()).hexdigest()

    keys = [" ".join(folded(text).split()) for text, _ in rows]
    dealt: dict[str, int] = {}
    for at in sorted(range(len(rows)), key=lambda at: (rows[at][1], shuffled(keys[at]))):
        dealt.setdefault(keys[at], len(dealt) % folds)
    return [dealt[key] for key in keys]


def _fit(matrix: csr_matrix, truth: Indices, lesson: Lesson) -> tuple[Floats, Floats, list[int]]:
    """Return weights (features by classes), biases and the classes met."""
    classes = sorted(set(truth.tolist()))
    if len(classes) == 1:
        return np.zeros((matrix.shape[1], 1), np.float32), np.zeros(1, np.float32), classes
    if matrix.shape[0] < MANY:
        fitted = LogisticRegression(C=30 * lesson.strength, max_iter=300, tol=1e-4)
    else:
        fitted = SGDClassifier(
            loss="log_loss",
            alpha=1e-5 / lesson.strength,
            max_iter=8,
            tol=None,
            average=True,
            random_state=lesson.seed % 2**32,
        )
    fitted.fit(matrix, truth)
    weights, bias = fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)
    if len(classes) == 2:
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias, classes


class _Course:
    """The matrix, the truth and the opinion before training, made once for all folds."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.labels = labels_of(lesson)
        documents = documents_of(lesson.prompt, self.labels) if lesson.prompt else []
        texts = [text for text, _ in [*lesson.rows, *documents]]
        self.vocabulary = Vocabulary.of(texts, lesson.encoder)
        self.matrix = self.vocabulary.matrix(texts)
        self.truth = np.array([self.labels.index(label) for _, label in [*lesson.rows, *documents]])
        self.documents = np.arange(len(lesson.rows), len(texts))
        asked = [text for text, _ in lesson.rows]
        said = softmax(from_prompt(lesson.prompt, self.labels, lesson.encoder).all_logits(asked))
        parent, pairs = lesson.parent, zip(said, asked, strict=True)
        mixed = [parent.mixed(prior, self.labels, text) for prior, text in pairs] if parent.layers else humbled(said)
        self.before = np.array(mixed)

    def layer(self, chosen: Indices) -> Layer:
        """Learn from the chosen rows and all that the prompt says."""
        used = np.concatenate([chosen, self.documents])
        weights, bias, classes = _fit(self.matrix[used], self.truth[used], self.lesson)
        met = Counter(self.truth[chosen].tolist())
        linear = Linear(tuple(self.labels[at] for at in classes), self.vocabulary, weights, bias)
        return Layer(linear, tuple(met[at] for at in classes))

    def answers(self, layer: Layer, asked: Indices) -> Floats:
        """Return the mixed probabilities of rows, as `Trained.mixed` would."""
        here = [self.labels.index(label) for label in layer.linear.labels]
        said = np.zeros((len(asked), len(self.labels)), dtype=np.float32)
        said[:, here] = softmax(self.matrix[asked] @ layer.linear.weights + layer.linear.bias)
        rows = np.zeros(len(self.labels), dtype=np.float32)
        rows[here] = layer.rows
        seen = TRUST + self.lesson.parent.rows_of(self.labels)
        return blended(self.before[asked], said, seen, rows)


def temperature_for(probabilities: Floats, truth: Indices) -> float:
    """Find the temperature, 0.1 to 3, under which the truth is most likely.

    One more row than there are is taken to be wrong, so that a few rows that all came out right do not make it certain.
    And few rows are led by what is usual: rows that were corrected are harder than questions are, and say "be less
    sure" the louder the fewer they are.
    """
    doubt = 1 / (len(truth) + 1)

    def loss(heat: float) -> float:
        hot = tempered(probabilities, heat)
        return (1 - doubt) * score(hot, truth).loss - doubt * float(np.log(np.maximum(hot, 1e-12)).mean())

    fitted = float(min(np.geomspace(0.1, 3, 69), key=loss))
    trust = len(truth) / (len(truth) + _ROWS_FOR_HEAT)
    return float(fitted**trust * _USUAL_HEAT ** (1 - trust))


def learn(lesson: Lesson, tell: Callable[[int, int, Score], None]) -> tuple[Trained, Score]:
    """Learn from rows on one thread, so that the same lesson always gives the same model.

    Args:
        lesson: Rows, prompt and parent.
        tell: Called after each fold with its number, the count of folds, and its score on rows it had not seen.

    Returns:
        The parent with one layer more, and the score of all rows out of fold, after calibration.
    """
    with threadpool_limits(limits=1):
        course = _Course(lesson)
        folds = FOLDS if len(lesson.rows) < MANY else 3
        dealt = np.array(folds_of(lesson.rows, lesson.seed, folds))
        unseen = course.before.copy()
        for fold in range(folds):
            asked, chosen = np.flatnonzero(dealt == fold), np.flatnonzero(dealt != fold)
            if len(asked) and len(chosen):
                unseen[asked] = course.answers(course.layer(chosen), asked)
                tell(fold + 1, folds, score(unseen[asked], course.truth[asked]))
        truth = course.truth[: len(lesson.rows)]
        heat = temperature_for(unseen, truth)
        layer = course.layer(np.arange(len(lesson.rows)))
    model = Trained((*lesson.parent.layers, layer), heat, lesson.encoder)
    return model, score(tempered(unseen, heat), truth)
