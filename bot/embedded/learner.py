"""Training of a layer from rows: ridge regression on likeness, blended with prior knowledge, and calibrated last."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from bot.embedded.encoders import Encoder
from bot.embedded.features import Floats, casefolded
from bot.embedded.kernel import Features, Indices, Products, RidgeFit, Weights, ridge_weights
from bot.embedded.linear import LinearModel, documents_of, from_prompt, softmax, space_of
from bot.embedded.prompt import guess_labels
from bot.embedded.trained import (
    PRIOR_ROWS,
    KnownTexts,
    Layer,
    TrainedModel,
    apply_temperature,
    blend,
    digest,
    flatten_prior,
    sharpness,
)

LabelledText = tuple[str, str]
"""A question and its label."""

EXACT_ROWS = 4_000
"""Number of rows from which conjugate gradients replace the exact solver."""
FOLDS = 5
_FOLDS_OF_MANY = 3
_CHOICE_ROWS = 1_000
"""Most rows that the share of meaning and the penalty are chosen on."""
_KNOWN_ROWS = 2_000
"""Most texts whose vectors a model keeps, to tell what is new to it."""

_SHARES = (0.3, 0.5, 0.7, 0.85)
_RIDGES = (0.15, 0.5, 1.5)
_SCALES = (5.0, 8.0, 12.0)
_TEMPERATURES = np.geomspace(0.1, 3, 69)
_DEFAULT_TEMPERATURE = 0.5  # measured: blended probabilities are underconfident by about this factor, in both languages
_ROWS_FOR_TEMPERATURE = 50
_REPEATED_WEIGHT = 4.0
"""How much more a row counts in the next fit if the model answered it wrongly after training on it."""
_REPEATS = 1
_TRUSTS = (1.0, 0.75, 0.5, 0.25, 0.0)


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


@dataclass(frozen=True)
class Learned:
    """The result of a training run.

    Attributes:
        model: The parent with one more layer.
        score: The calibrated score of all rows out of fold.
        labels: The columns of `out_of_fold`.
        out_of_fold: For each row, the probabilities that a model answers that was not trained on the row's fold.
        folds: The fold of each row.
        still_wrong: The rows that the model answers wrongly although it was trained on them.
    """

    model: TrainedModel
    score: Score
    labels: tuple[str, ...]
    out_of_fold: Floats
    folds: Indices
    still_wrong: Indices


def score(probabilities: Floats, truth: Indices) -> Score:
    """Score probabilities, one row per question, against the column of each true label."""
    return Score(loss_of(probabilities, truth), float((probabilities.argmax(axis=1) == truth).mean()))


def loss_of(probabilities: Floats, truth: Indices) -> float:
    """Return the mean negative log-likelihood of the true labels."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-9)).mean())


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


@dataclass(frozen=True)
class _Choice:
    """The settings of a fit: the share of meaning in the likeness, the penalty, and the scale of the scores."""

    share: float
    ridge: float
    scale: float = 1.0


class _TrainingSet:
    """The features, true labels and prior probabilities of all rows, computed once for all fits.

    The prompt's texts come first in the features, then the rows.
    """

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        self.labels = labels_of(task)
        documents = documents_of(task.prompt, self.labels) if task.prompt else []
        self.questions = [text for text, _ in task.rows]
        prompt_texts = [text for text, _ in documents]
        self.space = space_of(prompt_texts, self.questions, task.encoder)
        self.features = Features.of(self.space, [*prompt_texts, *self.questions])
        self.first_row = len(documents)
        all_truth = np.array([self.labels.index(label) for _, label in [*documents, *task.rows]])
        self.truth = all_truth[self.first_row :]
        self.classes = np.unique(all_truth)
        self.targets = np.zeros((len(all_truth), len(self.labels)), dtype=np.float32)
        self.targets[np.arange(len(all_truth)), all_truth] = 1
        self.targets -= np.float32(1 / len(self.labels))
        prompt_only = softmax(from_prompt(task.prompt, self.labels, task.encoder).all_logits(self.questions))
        self.prior = (
            task.parent.raw_probabilities(prompt_only, self.labels, self.questions)
            if task.parent.layers
            else flatten_prior(prompt_only)
        )
        self.exact = len(task.rows) < EXACT_ROWS
        folds = FOLDS if self.exact else _FOLDS_OF_MANY
        self.folds = np.array(folds_of(task.rows, task.seed, folds))

    def __len__(self) -> int:
        return len(self.questions)

    def out_of_fold(self, choice: _Choice, chosen: Indices, products: Products) -> Floats:
        """Return scores of the chosen rows, each from a fit on the other folds of the chosen rows and the prompt."""
        targets = self.targets[self.with_prompt(chosen)]
        fit = RidgeFit.of(products.likeness(choice.share), targets, self._penalties(choice.ridge, len(targets)))
        scores = np.zeros((len(chosen), len(self.labels)), dtype=np.float32)
        for left_out in self.fold_members(self.folds[chosen]):
            scores[left_out] = fit.out_of_fold(left_out + self.first_row)
        return scores

    def with_prompt(self, chosen: Indices) -> Indices:
        """Return where the prompt's texts and the chosen rows stand in the features."""
        return np.concatenate([np.arange(self.first_row), chosen + self.first_row])

    def fold_members(self, folds: Indices) -> Iterator[Indices]:
        for fold in np.unique(folds):
            yield np.flatnonzero(folds == fold)

    def _penalties(self, ridge: float, size: int) -> Floats:
        return np.full(size, ridge / self.task.strength, dtype=np.float32)

    def choose(self) -> _Choice:
        """Return the settings that are best out of fold, on some of the rows."""
        order = sorted(range(len(self)), key=lambda at: digest(f"{self.task.seed} {self.questions[at]}"))
        chosen = np.array(sorted(order[:_CHOICE_ROWS]))
        products = self.features.rows(self.with_prompt(chosen)).products()
        shares = _SHARES if self.task.encoder else (0.0,)
        tried = []
        for choice in [_Choice(share, ridge) for share in shares for ridge in _RIDGES]:
            scores = self.out_of_fold(choice, chosen, products)
            for scale in _SCALES:
                loss = self.best_loss(softmax(scale * scores), chosen)
                tried.append((loss, _Choice(choice.share, choice.ridge, scale)))
        return min(tried, key=lambda one: one[0])[1]

    def best_loss(self, predicted: Floats, chosen: Indices) -> float:
        """Return the loss of the blended and then calibrated probabilities of the chosen rows."""
        blended = self.blend(predicted, chosen, out_of_fold=True)
        return min(loss_of(apply_temperature(blended, float(one)), self.truth[chosen]) for one in (0.35, 0.5, 0.7, 1.0))

    def row_counts(self) -> Floats:
        """Return the number of rows of each label."""
        found: Floats = np.bincount(self.truth, minlength=len(self.labels)).astype(np.float32)
        return found

    def blend(self, predicted: Floats, chosen: Indices, *, out_of_fold: bool, trust: float = 1.0) -> Floats:
        """Blend predictions for the chosen rows with the prior, as `TrainedModel.raw_probabilities` does."""
        rows = self.row_counts()
        if out_of_fold:
            folds = len(np.unique(self.folds))
            rows *= np.float32((folds - 1) / max(folds, 1))
        seen = PRIOR_ROWS + self.task.parent.rows_of(self.labels)
        return blend(self.prior[chosen], predicted, seen, rows, trust)

    def linear(self, choice: _Choice, weights: Weights) -> LinearModel:
        """Return the classifier of the fit's weights, for the labels that occur."""
        return LinearModel(
            tuple(self.labels[at] for at in self.classes),
            self.space,
            (choice.scale * (1 - choice.share) ** 0.5 * weights.characters[:, self.classes]).astype(np.float32),
            (choice.scale * choice.share**0.5 * weights.meanings[:, self.classes]).astype(np.float32),
            np.zeros(len(self.classes), dtype=np.float32),
        )

    def layer(self, choice: _Choice, trust: float) -> tuple[Layer, Indices]:
        """Fit all rows; return the layer, and the rows that it still answers wrongly.

        Rows that are answered wrongly count more in the next fit, up to `_REPEATS` times.
        """
        penalties = self._penalties(choice.ridge, len(self.targets))
        counts = Counter(self.truth.tolist())
        weights = self._fit(choice, penalties, None)
        wrong = self._wrong(choice, weights, trust)
        for _ in range(_REPEATS):
            if len(wrong):
                penalties[wrong + self.first_row] /= _REPEATED_WEIGHT
                weights = self._fit(choice, penalties, weights)
                wrong = self._wrong(choice, weights, trust)
        rows = tuple(counts[at] for at in self.classes.tolist())
        return Layer(self.linear(choice, weights), rows, trust), wrong

    def _wrong(self, choice: _Choice, weights: Weights, trust: float) -> Indices:
        """Return the rows that the model answers wrongly with these weights."""
        rows = np.arange(len(self))
        scores = weights.values(self.features.rows(rows + self.first_row), choice.share)[:, self.classes]
        predicted = np.zeros((len(self), len(self.labels)), dtype=np.float32)
        predicted[:, self.classes] = softmax(choice.scale * scores)
        answers = self.blend(predicted, rows, out_of_fold=False, trust=trust).argmax(axis=1)
        return np.flatnonzero(answers != self.truth)

    @functools.cached_property
    def products(self) -> Products:
        return self.features.products()

    def _fit(self, choice: _Choice, penalties: Floats, start: Weights | None) -> Weights:
        if not self.exact:
            return ridge_weights(self.features, self.targets, choice.share, penalties, start)
        coefficients = RidgeFit.solve(self.products.likeness(choice.share), self.targets, penalties)
        return Weights.zeros(self.features, len(self.labels)).gradient(self.features, coefficients, choice.share)

    def scores_of_many(self, choice: _Choice, on_fold: Callable[[Indices, Floats], None]) -> Floats:
        """Return the scores of all rows out of fold, each fold by a fit of its own that starts from the fit of all."""
        scores = np.zeros((len(self), len(self.labels)), dtype=np.float32)
        start = self._fit(choice, self._penalties(choice.ridge, len(self.targets)), None)
        for left_out in self.fold_members(self.folds):
            used = np.setdiff1d(np.arange(len(self.targets)), left_out + self.first_row)
            penalties = self._penalties(choice.ridge, len(used))
            fit = ridge_weights(self.features.rows(used), self.targets[used], choice.share, penalties, start)
            scores[left_out] = fit.values(self.features.rows(left_out + self.first_row), choice.share)
            on_fold(left_out, scores)
        return scores

    def known(self) -> tuple[KnownTexts, Floats]:
        """Return what the model remembers of its texts, and each row's likeness to the nearest text of other folds."""
        digests = frozenset(map(digest, self.questions)) | self.task.parent.known.digests
        if self.task.encoder is None:
            return KnownTexts(digests=digests), np.zeros(len(self), dtype=np.float32)
        order = sorted(range(len(self)), key=lambda at: digest(self.questions[at]))
        kept = np.concatenate([np.arange(self.first_row), np.array(sorted(order[:_KNOWN_ROWS])) + self.first_row])
        vectors = self.features.meanings[kept]
        folds = np.concatenate([np.full(self.first_row, -1), self.folds])[kept]
        nearest = np.zeros(len(self), dtype=np.float32)
        for left_out in self.fold_members(self.folds):
            others = vectors[folds != self.folds[left_out[0]]]
            if len(others):
                meanings = self.features.meanings[left_out + self.first_row]
                nearest[left_out] = (meanings @ others.T).max(axis=1)
        return KnownTexts(vectors, float(np.median(nearest)), digests), nearest


def temperature_for(probabilities: Floats, truth: Indices) -> float:
    """Return the temperature, from 0.1 to 3, under which the true labels are most likely.

    One imaginary wrong row is added, so that a few right answers do not make the model certain. With few rows, the
    result stays near the default temperature. Corrected rows are harder than ordinary questions, so a fit on few of
    them is underconfident.
    """
    doubt = 1 / (len(truth) + 1)

    def loss(temperature: float) -> float:
        adjusted = apply_temperature(probabilities, temperature)
        return (1 - doubt) * loss_of(adjusted, truth) - doubt * float(np.log(np.maximum(adjusted, 1e-12)).mean())

    fitted = float(min(_TEMPERATURES, key=loss))
    weight = len(truth) / (len(truth) + _ROWS_FOR_TEMPERATURE)
    return float(fitted**weight * _DEFAULT_TEMPERATURE ** (1 - weight))


def learn(task: TrainingTask, on_fold: Callable[[int, int, Score], None]) -> Learned:
    """Train on one thread, so that the same task always gives the same model.

    Args:
        task: The rows and settings to train with.
        on_fold: Called after each fold with the fold's number, the number of folds, and the score on held-out rows.
    """
    with threadpool_limits(limits=1):
        training_set = _TrainingSet(task)
        everything = np.arange(len(training_set))
        choice = training_set.choose()
        if training_set.exact:
            scores = training_set.out_of_fold(choice, everything, training_set.products)
        else:
            scores = training_set.scores_of_many(choice, lambda _left_out, _scores: None)
        predicted = softmax(choice.scale * scores)
        members = list(training_set.fold_members(training_set.folds))
        for number, left_out in enumerate(members, start=1):
            blended = training_set.blend(predicted, everything, out_of_fold=True)
            on_fold(number, len(members), score(blended[left_out], training_set.truth[left_out]))
        trust = _trust(training_set, predicted)
        blended = training_set.blend(predicted, everything, out_of_fold=True, trust=trust)
        known, nearest = training_set.known()
        if known.vectors.size:
            blended = apply_temperature(blended, np.float32(1) / sharpness(nearest, known.typical)[:, None])
        temperature = temperature_for(blended, training_set.truth)
        layer, still_wrong = training_set.layer(choice, trust)
    model = TrainedModel((*task.parent.layers, layer), temperature, task.encoder, known)
    answers = apply_temperature(blended, temperature)
    return Learned(
        model, score(answers, training_set.truth), training_set.labels, answers, training_set.folds, still_wrong
    )


def _trust(training_set: _TrainingSet, predicted: Floats) -> float:
    """Return the largest share of the new layer that does not lose to what it is trained on top of, out of fold."""
    everything = np.arange(len(training_set))
    before = score(training_set.prior, training_set.truth)
    for trust in _TRUSTS:
        after = score(training_set.blend(predicted, everything, out_of_fold=True, trust=trust), training_set.truth)
        if after.accuracy >= before.accuracy and after.loss <= before.loss:
            return trust
    return 0.0
